// Finding keys by prefix and pattern. One server is walked with SCAN, a cluster slot by slot, so that a cursor does not
// depend on which node has which slot.
#include "stores/redis/listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "state/keys.h"
#include "stores/redis/store.h"
#include "wire/resp/command.h"

namespace holdfast::stores::redis {

using state::CallContext;
using state::KeyPage;
using state::ListPage;

namespace {

constexpr std::uint32_t kScanCount = 1000;
constexpr std::uint32_t kSlotsFirst = 16;
constexpr std::uint32_t kSlotsMost = 4096;
constexpr std::uint32_t kAllKeys = 1'000'000'000;
constexpr std::size_t kEraseKeys = 1000;

SteadyTime now() { return std::chrono::steady_clock::now(); }

std::unexpected<Error> foreign_cursor() {
  return fail(Errc::invalid_argument, "this cursor was not given out by state.redis; start again without one");
}

// How many keys a SCAN is to look at, so that those of them which belong to the listing fit into what is left of the
// page. A page that ends inside a batch has to name in its cursor what was handed out of it, and the batch is asked for
// twice.
class ScanSize {
 public:
  std::uint32_t for_room(std::size_t room) const {
    const double wanted = kMargin * static_cast<double>(room) * looked_at_ / matched_;
    return static_cast<std::uint32_t>(std::clamp(wanted, 1.0, double{kScanCount}));
  }
  void saw(std::uint32_t looked_at, std::size_t matched) {
    looked_at_ += looked_at;
    matched_ += static_cast<double>(matched);
  }

 private:
  static constexpr double kMargin = 0.875;  // a server goes on to the end of a bucket
  double looked_at_ = 1;
  double matched_ = 1;
};

// Sorted, once each.
void tidy(std::vector<std::string>& keys) {
  std::ranges::sort(keys);
  keys.erase(std::ranges::unique(keys).begin(), keys.end());
}

std::size_t room_in(const ListPage& page, const state::ListRequest& request) {
  return request.limit == 0 ? kScanCount : request.limit - page.items.size();
}

bool is_full(const ListPage& page, const state::ListRequest& request) {
  return request.limit != 0 && page.items.size() >= request.limit;
}

}  // namespace

// The records among `keys`, in their order; what has gone, or is no record, is left out.
Task<Result<std::vector<state::ListedRecord>>> RedisStore::records_of(CallContext context,
                                                                      std::vector<std::string> keys, bool want_values,
                                                                      bool want_fields) {
  std::vector<state::GetRequest> requests;
  for (const std::string& key : keys) requests.push_back({key, want_values, want_fields});
  auto got = co_await get_many(at_primaries(context), requests);
  std::vector<state::ListedRecord> out;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (!got[i] && got[i].error().code != Errc::internal) co_return fail(std::move(got[i].error()));
    if (got[i] && *got[i]) out.push_back({std::move(keys[i]), std::move(**got[i])});
  }
  co_return out;
}

// Puts the records among `keys` into the page while it has room; how many of the keys were looked at.
Task<Result<std::size_t>> RedisStore::add_records(CallContext context, state::ListRequest request,
                                                  std::span<const std::string> keys, ListPage& page) {
  std::size_t taken = 0;
  while (taken < keys.size() && !is_full(page, request)) {
    const auto some = keys.subspan(taken, std::min(room_in(page, request), keys.size() - taken));
    auto records = co_await records_of(context, {some.begin(), some.end()}, request.want_values, request.want_fields);
    if (!records) co_return fail(std::move(records.error()));
    std::ranges::move(*records, std::back_inserter(page.items));
    taken += some.size();
  }
  co_return taken;
}

Task<Result<RedisStore::Batch>> RedisStore::scan(ServerRef server, CallContext context, std::string cursor,
                                                 std::string glob, std::uint32_t count) {
  std::string request;
  append_scan(request, cursor, glob, count);
  auto answer = co_await server->read(request, 1, deadline_of(context));
  if (!answer) co_return fail(std::move(answer.error()));
  const auto reply = resp::Reply::parse(*answer);
  if (!reply) co_return fail(reply.error());
  const auto scanned = read_scan(server->place(), reply->root());
  if (!scanned) co_return fail(scanned.error());
  Batch batch{std::string(scanned->cursor), {}};
  batch.keys.assign(scanned->keys.begin(), scanned->keys.end());
  co_return batch;
}

Task<Result<std::string>> RedisStore::run_id_of(ServerRef server, CallContext context) {
  std::string request;
  resp::append_command(request, {"INFO", "server"});
  auto answer = co_await server->read(request, 1, deadline_of(context));
  if (!answer) co_return fail(std::move(answer.error()));
  const auto reply = resp::Reply::parse(*answer);
  if (!reply) co_return fail(reply.error());
  const std::string_view text = reply->root().text();
  static constexpr std::string_view kField = "run_id:";
  const std::size_t at = text.find(kField);
  // A user who may not ask has cursors that do not notice another server.
  if (at == std::string_view::npos) co_return std::string();
  const std::string_view rest = text.substr(at + kField.size());
  co_return std::string(rest.substr(0, rest.find('\r')));
}

Task<Result<ListPage>> RedisStore::list(CallContext context, state::ListRequest request) {
  auto page = co_await (router_->is_cluster() ? list_slots(context, request) : list_server(context, request));
  if (page) co_await follow_all(context);
  co_return page;
}

Task<Result<ListPage>> RedisStore::list_server(CallContext context, state::ListRequest request) {
  const ServerRef server = router_->primary_of(0);
  if (server == nullptr) co_return fail(router_->why());
  auto run_id = co_await run_id_of(server, context);
  if (!run_id) co_return fail(std::move(run_id.error()));
  ScanCursor at;
  at.run_id = *run_id;
  if (!request.cursor.empty()) {
    auto parsed = ScanCursor::parse(request.cursor);
    if (!parsed) co_return foreign_cursor();
    if (parsed->run_id != *run_id)
      co_return fail(Errc::invalid_argument,
                     "this cursor is of a server that was restarted or replaced since; start again without one");
    at = std::move(*parsed);
  }
  const std::string glob = prefix_glob(request.prefix);
  ScanSize size;
  std::uint32_t count = size.for_room(request.limit == 0 ? kScanCount : request.limit);
  ListPage page;
  std::set<std::string> handed_out;
  const SteadyTime pause_at = deadline_of(context);
  for (;;) {
    if (auto going_on = check_going_on(context); !going_on) co_return fail(std::move(going_on.error()));
    auto batch = co_await scan(server, context, at.position, glob, count);
    if (!batch) co_return fail(std::move(batch.error()));
    std::vector<std::string>& keys = batch->keys;
    tidy(keys);
    std::erase_if(keys, [&](const std::string& key) {
      return !key.starts_with(request.prefix) || !state::is_listable(key, request.own_bytes, request.hides_isolated) ||
             std::ranges::find(at.seen, cursor_hash(key)) != at.seen.end() || handed_out.contains(key);
    });
    size.saw(count, keys.size());
    if (keys.size() > room_in(page, request) && count > 1) {
      count = std::min(size.for_room(room_in(page, request)), count / 2);
      continue;
    }
    const auto taken = co_await add_records(context, request, keys, page);
    if (!taken) co_return fail(taken.error());
    for (std::size_t i = 0; i < *taken; ++i) {
      at.seen.push_back(cursor_hash(keys[i]));
      handed_out.insert(keys[i]);
    }
    if (*taken < keys.size()) break;  // the page is full inside the batch
    at.position = std::move(batch->cursor);
    at.seen.clear();
    if (at.position == "0") co_return page;
    if (is_full(page, request) || (!page.items.empty() && now() > pause_at)) break;
    count = size.for_room(room_in(page, request));
  }
  page.cursor = at.text();
  co_return page;
}

// Who serves which slot, in the primaries' own words.
Task<Result<ClusterView>> RedisStore::view_cluster(CallContext context) {
  ClusterView view;
  for (const Shard& shard : router_->shards()) view.primaries.push_back(shard.primary);
  std::string request;
  resp::append_command(request, {"CLUSTER", "NODES"});
  for (std::size_t i = 0; i < view.primaries.size(); ++i) {
    auto answer = co_await view.primaries[i]->read(request, 1, deadline_of(context));
    if (!answer) co_return fail(std::move(answer.error()));
    const auto reply = resp::Reply::parse(*answer);
    if (!reply) co_return fail(reply.error());
    if (reply->root().kind() != resp::Kind::text)
      co_return fail(describe(view.primaries[i]->place(), "list keys", reply->root().text()));
    view.add(i, reply->root().text());
  }
  co_return view;
}

// The keys of `count` slots from `first` on, slot by slot, each from the node that serves it. Where slots are on their
// way from one node to another (`everywhere`), from all of them, and twice: a key that had left one node before it was
// asked, and reached another after that one was, is there the second time.
Task<Result<RedisStore::SlotKeys>> RedisStore::keys_of_slots(CallContext context, const ClusterView& view,
                                                             std::uint32_t first, std::uint32_t count,
                                                             bool everywhere) {
  SlotKeys slots(count);
  for (int round = 0; round < (everywhere ? 2 : 1); ++round) {
    for (std::size_t node = 0; node < view.primaries.size(); ++node) {
      std::string request;
      std::vector<std::uint32_t> asked;
      for (std::uint32_t i = 0; i < count; ++i) {
        if (!everywhere && view.owners[first + i] != static_cast<int>(node)) continue;
        append_slot_keys(request, static_cast<std::uint16_t>(first + i), kAllKeys);
        asked.push_back(i);
      }
      if (asked.empty()) continue;
      auto answer = co_await view.primaries[node]->read(request, static_cast<std::uint32_t>(asked.size()),
                                                        deadline_of(context));
      if (!answer) co_return fail(std::move(answer.error()));
      std::string_view replies = *answer;
      resp::Reply reply;
      for (const std::uint32_t i : asked) {
        if (auto read = reply.read(replies); !read) co_return fail(std::move(read.error()));
        const auto keys = read_keys(view.primaries[node]->place(), reply.root());
        if (!keys) co_return fail(keys.error());
        slots[i].insert(slots[i].end(), keys->begin(), keys->end());
      }
    }
  }
  for (auto& keys : slots) tidy(keys);
  co_return slots;
}

Task<Result<ListPage>> RedisStore::list_slots(CallContext context, state::ListRequest request) {
  SlotCursor at;
  if (!request.cursor.empty()) {
    auto parsed = SlotCursor::parse(request.cursor);
    if (!parsed) co_return foreign_cursor();
    at = std::move(*parsed);
  }
  auto view = co_await view_cluster(context);
  if (!view) co_return fail(std::move(view.error()));
  for (bool everywhere = !view->is_settled();; everywhere = true) {
    auto page = co_await list_slots(context, request, at, *view, everywhere);
    if (!page || everywhere) co_return page;
    // Slots that went to another node meanwhile may have been read where they were no more.
    auto after = co_await view_cluster(context);
    if (!after) co_return fail(std::move(after.error()));
    if (after->is_settled() && after->owners == view->owners) co_return page;
    view = std::move(after);
  }
}

Task<Result<ListPage>> RedisStore::list_slots(CallContext context, state::ListRequest request, const SlotCursor& at,
                                              const ClusterView& view, bool everywhere) {
  ListPage page;
  std::uint32_t slot = at.slot;
  std::uint32_t step = kSlotsFirst;
  const SteadyTime pause_at = deadline_of(context);
  while (slot < kSlotCount) {
    if (auto going_on = check_going_on(context); !going_on) co_return fail(std::move(going_on.error()));
    const std::uint32_t count = std::min<std::uint32_t>(step, kSlotCount - slot);
    auto slots = co_await keys_of_slots(context, view, slot, count, everywhere);
    if (!slots) co_return fail(std::move(slots.error()));
    std::vector<std::string> keys;
    for (std::uint32_t i = 0; i < count; ++i)
      for (std::string& key : (*slots)[i]) {
        if (!key.starts_with(request.prefix) || !state::is_listable(key, request.own_bytes, request.hides_isolated))
          continue;
        if (at.has_after && slot + i == at.slot && key <= at.after) continue;
        keys.push_back(std::move(key));
      }
    const auto taken = co_await add_records(context, request, keys, page);
    if (!taken) co_return fail(taken.error());
    if (*taken < keys.size()) {
      const std::string& last = keys[*taken - 1];
      page.cursor = SlotCursor{key_slot(last), last, true}.text();
      co_return page;
    }
    slot += count;
    step = std::min(2 * step, kSlotsMost);
    if (slot < kSlotCount && (is_full(page, request) || (!page.items.empty() && now() > pause_at))) {
      page.cursor = SlotCursor{static_cast<std::uint16_t>(slot), {}, false}.text();
      co_return page;
    }
  }
  co_return page;
}

// Every key of every primary that fits, in pieces. A cluster is walked twice, as above.
Task<Status> RedisStore::walk(CallContext context, std::string glob, KeySink& sink) {
  const int rounds = router_->is_cluster() ? 2 : 1;
  for (int round = 0; round < rounds; ++round)
    for (const Shard& shard : std::vector<Shard>(router_->shards())) {
      std::string cursor = "0";
      do {
        if (auto going_on = check_going_on(context); !going_on) co_return going_on;
        auto batch = co_await scan(shard.primary, context, cursor, glob, kScanCount);
        if (!batch) co_return fail(std::move(batch.error()));
        cursor = std::move(batch->cursor);
        if (auto taken = co_await sink.take(std::move(batch->keys)); !taken) co_return taken;
      } while (cursor != "0");
    }
  co_return Status();
}

namespace {

// The first keys after `after`, at most `limit` and one more.
class LikeSink final : public KeySink {
 public:
  explicit LikeSink(const state::LikeRequest& request)
      : request_(request),
        pattern_(request.pattern),
        after_(request.cursor.substr(request.cursor.empty() ? 0 : 1)),
        has_after_(!request.cursor.empty()),
        limit_(request.limit) {}

  Task<Status> take(std::vector<std::string> keys) override {
    for (std::string& key : keys)
      if ((!has_after_ || key > after_) && pattern_.matches(key) && request_.covers(key)) found_.insert(std::move(key));
    while (limit_ != 0 && found_.size() > std::size_t{limit_} + 1) found_.erase(std::prev(found_.end()));
    return ready(Status());
  }
  const std::set<std::string>& found() const { return found_; }

 private:
  const state::LikeRequest request_;
  const state::LikePattern pattern_;
  const std::string_view after_;
  const bool has_after_;
  const std::uint32_t limit_;
  std::set<std::string> found_;
};

}  // namespace

Task<Result<KeyPage>> RedisStore::keys_like(CallContext context, state::LikeRequest request) {
  if (request.pattern.empty()) co_return fail(Errc::invalid_argument, "keys like pattern cannot be empty");
  if (!request.cursor.empty() && !request.cursor.starts_with('k')) co_return foreign_cursor();
  LikeSink sink(request);
  if (auto walked = co_await walk(context, like_glob(request.pattern), sink); !walked)
    co_return fail(std::move(walked.error()));
  co_await follow_all(context);
  KeyPage page;
  page.keys.assign(sink.found().begin(), sink.found().end());
  if (request.limit != 0 && page.keys.size() > request.limit) {
    page.keys.resize(request.limit);
    page.cursor = "k" + page.keys.back();
  }
  co_return page;
}

// Deletes what is a record and under the prefix.
class RedisStore::EraseSink final : public KeySink {
 public:
  EraseSink(RedisStore& store, CallContext context, state::DeletePrefixRequest request)
      : store_(store), context_(context), request_(request) {}

  Task<Status> take(std::vector<std::string> keys) override {
    std::erase_if(keys, [this](const std::string& key) {
      return !key.starts_with(request_.prefix) || !state::is_listable(key, request_.own_bytes, request_.hides_isolated);
    });
    for (std::size_t at = 0; at < keys.size(); at += kEraseKeys) {
      const auto begin = keys.begin() + static_cast<std::ptrdiff_t>(at);
      const auto end = keys.begin() + static_cast<std::ptrdiff_t>(std::min(at + kEraseKeys, keys.size()));
      auto records = co_await store_.records_of(context_, std::vector<std::string>(begin, end), false, false);
      if (!records) co_return fail(std::move(records.error()));
      std::vector<state::DeleteRequest> requests;
      for (const auto& record : *records) requests.push_back({record.key, state::Precondition::any()});
      const auto erased = co_await store_.erase_many(context_, requests);
      for (const auto& one : erased) {
        if (!one) co_return fail(with_context(one.error(), fmt::format("{} keys were deleted before this", erased_)));
        if (one->existed.value_or(true)) ++erased_;
      }
    }
    co_return Status();
  }
  std::uint64_t erased() const { return erased_; }

 private:
  RedisStore& store_;
  const CallContext context_;
  const state::DeletePrefixRequest request_;
  std::uint64_t erased_ = 0;
};

Task<Result<std::uint64_t>> RedisStore::erase_prefix(CallContext context, state::DeletePrefixRequest request) {
  EraseSink sink(*this, context, request);
  if (auto walked = co_await walk(context, prefix_glob(request.prefix), sink); !walked)
    co_return fail(std::move(walked.error()));
  co_await follow_all(context);
  co_return sink.erased();
}

}  // namespace holdfast::stores::redis
