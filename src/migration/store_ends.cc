#include "migration/store_ends.h"

#include <fmt/format.h>

#include <algorithm>

#include "state/keys.h"

namespace holdfast::migration {

using state::CallContext;
using state::Capabilities;
using state::ListedRecord;
using state::Precondition;
using state::Record;

namespace {

using Found = std::vector<Result<std::optional<Record>>>;

CallContext context_until(const Clock& clock, Milliseconds timeout) {
  CallContext context;
  context.deadline = clock.steady() + timeout;
  return context;
}

// What cannot be read may be one key alone, such as one of another kind in Redis.
bool is_of_the_record(const Error& error) { return error.code == Errc::internal; }

// The first error that ends a migration rather than delays it, else the first that delays it.
const Error* worst_of(const Found& found) {
  const Error* worst = nullptr;
  for (const auto& one : found) {
    if (one || is_of_the_record(one.error())) continue;
    if (!is_passing(one.error().code)) return &one.error();
    if (worst == nullptr) worst = &one.error();
  }
  return worst;
}

// What of a record can be compared. One that was overwritten keeps who made it.
Kept comparable(const state::StateStore& target, const Kept& source, const TargetPolicy& policy) {
  Kept kept = Kept::by(target.capabilities()) & source;
  if (policy.existing == Existing::replace) kept.created_by = false;
  return kept;
}

bool has_run_out(const ListedRecord& item, const Clock& clock) {
  return item.record.expires_at && *item.record.expires_at <= clock.wall();
}

// Every record with its own error, or an error that is worth no further try.
Task<Result<Found>> read_all(state::StateStore& store, const Clock& clock, Backoff backoff, Milliseconds timeout,
                             std::vector<std::string_view> keys) {
  std::vector<state::GetRequest> requests;
  const bool want_fields = store.capabilities().record_fields;
  for (const std::string_view key : keys) requests.push_back({key, true, want_fields});
  for (;;) {
    Found found = co_await store.get_many(context_until(clock, timeout), requests);
    const Error* const error = worst_of(found);
    if (error == nullptr) co_return found;
    if (!is_passing(error->code) || !co_await backoff.wait()) co_return fail(*error);
  }
}

}  // namespace

std::optional<Refusal> refusal(const ListedRecord& item, const Capabilities& can, bool drop_ttl) {
  if (can.key_bytes_max != 0 && item.key.size() > can.key_bytes_max)
    return Refusal{Count::refused_key,
                   fmt::format("its key has {} bytes; the target takes {}", item.key.size(), can.key_bytes_max)};
  if (can.value_bytes_max != 0 && item.record.value.size() > can.value_bytes_max)
    return Refusal{Count::refused_value, fmt::format("its value has {} bytes; the target takes {}",
                                                     item.record.value.size(), can.value_bytes_max)};
  if (item.record.expires_at && !can.ttl && !drop_ttl)
    return Refusal{Count::refused_ttl, "it has an expiry, and the target would keep it for ever"};
  return std::nullopt;
}

// The next page is larger after a light one and smaller after a heavy one.
void StoreSource::adapt(const Page& page) {
  std::size_t bytes = 0;
  for (const ListedRecord& item : page.items) bytes += item.key.size() + item.record.value.size();
  if (bytes > kPageBytes) page_ = std::max(page_ / 2, 1U);
  if (bytes < kPageBytes / 4) page_ = std::min(2 * page_, page_max_);
}

Task<Result<Page>> StoreSource::next(std::string cursor) {
  state::ListRequest request;
  request.prefix = prefix_;
  request.own_bytes = state::kEveryKey;
  request.cursor = cursor;
  request.limit = page_;
  request.want_values = true;
  request.want_fields = store_.capabilities().record_fields;
  auto listed = co_await store_.list(context_until(clock_, call_timeout_), request);
  if (listed) {
    Page page{std::move(listed->items), std::move(listed->cursor)};
    adapt(page);
    co_return page;
  }
  // The only part of the request that a store may find fault with.
  if (listed.error().code == Errc::invalid_argument && !cursor.empty()) listed.error().code = Errc::precondition_failed;
  co_return fail(std::move(listed.error()));
}

namespace {
constexpr int kRoundsMax = 16;
}

// A record that is not settled yet.
struct StoreSink::Pending {
  const ListedRecord* item;
  bool looks = false;     // something is there: it has to be read
  bool replaces = false;  // it was read, and is to be overwritten
  bool is_settled = false;
  int rounds = 0;  // in which something was there, and had gone when it was read
};

StoreSink::StoreSink(state::StateStore& store, Scheduler& loop, const Clock& clock, TargetPolicy policy, Kept source)
    : store_(store), loop_(loop), clock_(clock), policy_(policy), kept_(comparable(store, source, policy)) {}

Task<Result<Tally>> StoreSink::write(std::vector<ListedRecord> batch) {
  Tally tally;
  std::vector<Pending> pending;
  const Capabilities& can = store_.capabilities();
  for (const ListedRecord& item : batch) {
    if (auto no = refusal(item, can, policy_.drop_ttl)) {
      tally.add_example(no->kind, item.key, no->why);
    } else {
      pending.push_back({.item = &item, .looks = !can.etag});
    }
  }
  Backoff waits = backoff();
  while (!pending.empty()) {
    if (auto looked = co_await look_at(pending, tally); !looked) co_return fail(std::move(looked.error()));
    auto written = co_await try_to_write(pending, tally);
    if (!written && (!is_passing(written.error().code) || !co_await waits.wait()))
      co_return fail(std::move(written.error()));
    std::erase_if(pending, [](const Pending& one) { return one.is_settled; });
  }
  co_return tally;
}

// Reads what is there under the keys for which that is the question.
Task<Status> StoreSink::look_at(std::vector<Pending>& pending, Tally& tally) {
  std::vector<std::string_view> keys;
  for (const Pending& one : pending)
    if (one.looks) keys.push_back(one.item->key);
  if (keys.empty()) co_return Status();
  auto there = co_await read_all(store_, clock_, backoff(), policy_.call_timeout, std::move(keys));
  if (!there) co_return fail(std::move(there.error()));
  std::size_t next = 0;
  for (Pending& one : pending) {
    if (!one.looks) continue;
    const auto& found = (*there)[next++];
    if (found) {
      judge(one, *found, tally);
    } else {
      one.is_settled = true;
      tally.add_example(Count::different, one.item->key, found.error().message);
    }
    if (one.rounds > kRoundsMax)
      co_return fail(Errc::conflict,
                     fmt::format("the target says that something is at \"{}\", and that nothing is; does "
                                 "somebody else write to it?",
                                 one.item->key));
  }
  co_return Status();
}

void StoreSink::judge(Pending& one, const std::optional<Record>& there, Tally& tally) const {
  one.looks = false;
  ++one.rounds;
  if (!there) return;
  const auto differs = difference(one.item->record, *there, kept_, Milliseconds(store_.capabilities().ttl_grain_ms));
  if (differs && policy_.existing == Existing::replace) {
    one.replaces = true;
    return;
  }
  one.is_settled = true;
  if (differs) {
    tally.add_example(Count::different, one.item->key, fmt::format("the target has another {}", *differs));
  } else {
    tally.add(Count::same);
    count_losses(*one.item, tally);
  }
}

Task<Status> StoreSink::try_to_write(std::vector<Pending>& pending, Tally& tally) {
  std::vector<state::SetRequest> requests;
  std::vector<Pending*> asked;
  for (Pending& one : pending) {
    if (one.is_settled) continue;
    Milliseconds ttl{0};
    if (one.item->record.expires_at)
      ttl = Milliseconds((one.item->record.expires_at->us - clock_.wall().us + 999) / 1000);
    if (one.item->record.expires_at && ttl.count() <= 0) {
      one.is_settled = true;
      tally.add(Count::expired);
      continue;
    }
    requests.push_back(request_of(one, ttl));
    asked.push_back(&one);
  }
  if (requests.empty()) co_return Status();
  const auto written = co_await store_.set_many(context_until(clock_, policy_.call_timeout), requests);
  std::optional<Error> passing;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const Status taken = take(*asked[i], written[i], tally);
    if (taken) continue;
    if (!is_passing(taken.error().code)) co_return taken;
    if (!passing) passing = taken.error();
  }
  if (passing) co_return fail(std::move(*passing));
  co_return Status();
}

// What came of one write. An error is one that is not the record's own.
Status StoreSink::take(Pending& one, const Result<state::Written>& written, Tally& tally) const {
  const Errc code = written ? Errc::internal : written.error().code;
  if (written || code == Errc::replication_shortfall) {
    one.is_settled = true;
    if (!written) tally.add(Count::under_replicated);
    tally.add(one.replaces ? Count::replaced : Count::written);
    count_losses(*one.item, tally);
    return {};
  }
  switch (code) {
    case Errc::precondition_failed:
      one.looks = true;
      return {};
    case Errc::invalid_argument:
    case Errc::unsupported:
      one.is_settled = true;
      tally.add_example(Count::rejected, one.item->key, written.error().message);
      return {};
    default:
      // Without conditions, whether it arrived after all is seen by reading only.
      one.looks = !store_.capabilities().etag;
      return fail(written.error());
  }
}

state::SetRequest StoreSink::request_of(const Pending& one, Milliseconds ttl) const {
  const Capabilities& can = store_.capabilities();
  const Record& record = one.item->record;
  state::SetRequest request;
  request.key = one.item->key;
  request.value = record.value;
  request.shape = record.shape;
  if (!one.replaces && can.etag) request.when = Precondition::absent();
  if (record.expires_at && can.ttl) request.ttl = ttl;
  if (!record.fields || !can.record_fields) return request;
  request.content_type = record.fields->content_type;
  request.tags = record.fields->tags;
  request.indexes = record.fields->indexes;
  request.created_by = record.fields->created_by;
  request.modified_by = record.fields->modified_by;
  return request;
}

void StoreSink::count_losses(const ListedRecord& item, Tally& tally) const {
  const Capabilities& can = store_.capabilities();
  const Record& record = item.record;
  if (record.expires_at && !can.ttl) tally.add(Count::lost_ttl);
  if (record.shape == state::Shape::json && !can.exact_json) tally.add(Count::changed_json);
  if (!record.fields) return;
  const state::RecordFields& fields = *record.fields;
  const bool has_any = !fields.content_type.empty() || !fields.tags.empty() || !fields.indexes.empty() ||
                       !fields.created_by.empty() || !fields.modified_by.empty();
  if (has_any && !can.record_fields) tally.add(Count::lost_fields);
  tally.add(Count::lost_times);
}

Comparison::Comparison(state::StateStore& store, Scheduler& loop, const Clock& clock, TargetPolicy policy, Kept source,
                       WallTime began)
    : store_(store),
      loop_(loop),
      clock_(clock),
      policy_(policy),
      kept_(comparable(store, source, policy)),
      began_(began) {}

Task<Result<Tally>> Comparison::write(std::vector<ListedRecord> batch) {
  Tally tally;
  std::vector<const ListedRecord*> asked;
  std::vector<std::string_view> keys;
  for (const ListedRecord& item : batch) {
    if (const auto no = refusal(item, store_.capabilities(), policy_.drop_ttl)) {
      tally.add_example(no->kind, item.key, no->why);
      continue;
    }
    asked.push_back(&item);
    keys.push_back(item.key);
  }
  if (keys.empty()) co_return tally;
  auto there = co_await read_all(store_, clock_, Backoff(loop_, policy_.backoff, policy_.retries, policy_.stop),
                                 policy_.call_timeout, std::move(keys));
  if (!there) co_return fail(std::move(there.error()));
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const auto& found = (*there)[i];
    if (found) {
      compare(*asked[i], *found, tally);
    } else {
      tally.add_example(Count::unequal, asked[i]->key, found.error().message);
    }
  }
  co_return tally;
}

void Comparison::compare(const ListedRecord& item, const std::optional<Record>& there, Tally& tally) const {
  const Milliseconds grain(store_.capabilities().ttl_grain_ms);
  const auto differs = there ? difference(item.record, *there, kept_, grain) : std::nullopt;
  const bool is_equal = there && !differs;
  if (!is_equal && has_run_out(item, clock_)) {
    tally.add(Count::expired);
    return;
  }
  if (!is_equal && item.record.fields && item.record.fields->modified > began_) {
    tally.add_example(Count::changed_since, item.key, "it was written in the source after the migration had begun");
    return;
  }
  tally.carried.add(content_hash(item.key, item.record, kept_));
  if (there) tally.target.add(content_hash(item.key, *there, kept_));
  if (is_equal) {
    tally.add(Count::equal);
    if (item.record.value != there->value) tally.add(Count::reformatted);
  } else if (!there) {
    tally.add_example(Count::missing, item.key, "the target has nothing under the key");
  } else {
    tally.add_example(Count::unequal, item.key, fmt::format("the target has another {}", *differs));
  }
}

}  // namespace holdfast::migration
