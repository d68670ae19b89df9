// How the contract maps to memory. Records live in 32 shards, each a hash table for point calls, an
// ordered set of the same entries for listing, and a heap of expiry times, under one mutex. An etag
// is a counter of the shard. Point calls finish inside the call; a transaction or a bulk read holds
// the locks of all shards it touches, so it is atomic and sees one instant. Walks over many keys
// merge the shards' ordered sets in steps, let the loop breathe between them, and continue after
// the last key seen: a key that is there throughout is seen exactly once. A shard also knows which
// of its entries carry which index entry; a look-up is a walk over those. Nothing survives the
// process.
#include "stores/memory/store.h"

#include "state/keys.h"
#include "state/pairs.h"
#include "state/query.h"
#include "state/selection.h"
#include "stores/memory/record.h"

namespace holdfast::stores::memory {

using state::CallContext;
using state::Capabilities;
using state::Deleted;
using state::KeyPage;
using state::ListPage;
using state::Record;
using state::Written;

namespace {

constexpr Capabilities capabilities_of_memory() {
  Capabilities can;
  can.etag = true;
  can.record_fields = true;
  can.reports_created = true;
  can.ttl = true;
  can.ttl_grain_ms = 1;
  can.transaction_ops_max = state::kUnlimited;
  can.snapshot_read = true;
  can.list = true;
  can.ordered_list = true;
  can.keys_like = true;
  can.delete_prefix = true;
  can.query = true;
  can.secondary_index = true;
  can.watch = true;
  can.watch_resume = true;
  can.exact_json = true;
  can.reads = Capabilities::always_strong();
  can.writes = Capabilities::always_strong();
  return can;
}
constexpr Capabilities kCapabilities = capabilities_of_memory();

// What a step of a listing copies while it holds the locks.
constexpr std::size_t kStepBytesMax = 1 << 20;

// A cursor is "k" and the last key of the page; the letter keeps the empty key apart from "no
// cursor".
std::string cursor_at(std::string_view key) { return std::string("k").append(key); }

Status start_after(std::string_view cursor, Walk& walk) {
  if (cursor.empty()) return {};
  if (!cursor.starts_with('k'))
    return fail(Errc::invalid_argument, "this cursor was not given out by state.in-memory; start again without one");
  walk.after = cursor.substr(1);
  return {};
}

}  // namespace

MemoryStore::MemoryStore(MemoryCore& core, Scheduler& loop, const Clock& clock)
    : core_(core),
      loop_(loop),
      clock_(clock),
      listener_(std::make_shared<state::Listener>(core.feed(), loop)),
      seat_(std::make_shared<Sweeper::Seat>(loop)) {
  core_.sweeper().join(seat_);
}

MemoryStore::~MemoryStore() { let_go(); }

const Capabilities& MemoryStore::capabilities() const { return kCapabilities; }

Task<Result<std::optional<Record>>> MemoryStore::get(CallContext, state::GetRequest request) {
  co_return core_.get(request);
}

Task<Result<Written>> MemoryStore::set(CallContext context, state::SetRequest request) {
  co_return core_.set(context.principal, request);
}

Task<Result<Deleted>> MemoryStore::erase(CallContext, state::DeleteRequest request) { co_return core_.erase(request); }

Task<std::vector<Result<std::optional<Record>>>> MemoryStore::get_many(CallContext,
                                                                       std::span<const state::GetRequest> requests) {
  co_return core_.get_many(requests);
}

Task<std::vector<Result<Written>>> MemoryStore::set_many(CallContext context,
                                                         std::span<const state::SetRequest> requests) {
  std::vector<Result<Written>> written;
  written.reserve(requests.size());
  for (const state::SetRequest& request : requests) written.push_back(core_.set(context.principal, request));
  co_return written;
}

Task<std::vector<Result<Deleted>>> MemoryStore::erase_many(CallContext,
                                                           std::span<const state::DeleteRequest> requests) {
  std::vector<Result<Deleted>> deleted;
  deleted.reserve(requests.size());
  for (const state::DeleteRequest& request : requests) deleted.push_back(core_.erase(request));
  co_return deleted;
}

Task<Result<std::vector<Written>>> MemoryStore::transact(CallContext context,
                                                         std::span<const state::Operation> operations) {
  co_return core_.transact(context.principal, operations);
}

Task<Status> MemoryStore::breathe(CallContext context) {
  co_await resume_on(loop_);
  co_return check_going_on(context, clock_.steady());
}

Task<Result<ListPage>> MemoryStore::list(CallContext context, state::ListRequest request) {
  return page_of(context, request, {.prefix = std::string(request.prefix), .after = {}});
}

Task<Result<ListPage>> MemoryStore::find(CallContext context, state::FindRequest request) {
  return page_of(context, request.of,
                 {.prefix = std::string(request.of.prefix),
                  .index_entry = state::entry_text(request.name, request.value),
                  .after = {}});
}

Task<Result<ListPage>> MemoryStore::page_of(CallContext context, state::ListRequest request, Walk walk) {
  if (auto valid = start_after(request.cursor, walk); !valid) co_return fail(std::move(valid.error()));
  ListPage page;
  bool full = false;
  std::size_t copied = 0;
  const auto visit = [&](const Entry& entry) {
    if (!state::is_listable(entry.key, request.own_bytes, request.hides_isolated)) return true;
    full = request.limit != 0 && page.items.size() == request.limit;
    if (full || copied > kStepBytesMax) return false;
    page.items.push_back(listed(entry, request.want_values, request.want_fields));
    copied += page.items.back().record.value.size();
    return true;
  };
  for (;;) {
    copied = 0;
    core_.step(walk, visit);
    if (full || walk.finished) break;
    if (auto go_on = co_await breathe(context); !go_on) co_return fail(std::move(go_on.error()));
  }
  if (full) page.cursor = cursor_at(page.items.back().key);
  co_return page;
}

Task<Result<KeyPage>> MemoryStore::keys_like(CallContext context, state::LikeRequest request) {
  if (request.pattern.empty()) co_return fail(Errc::invalid_argument, "keys like pattern cannot be empty");
  const state::LikePattern pattern(request.pattern);
  Walk walk{.prefix = pattern.literal_prefix(), .after = {}};
  if (auto valid = start_after(request.cursor, walk); !valid) co_return fail(std::move(valid.error()));
  KeyPage page;
  bool full = false;
  const auto visit = [&](const Entry& entry) {
    if (!pattern.matches(entry.key) || !request.covers(entry.key)) return true;
    full = request.limit != 0 && page.keys.size() == request.limit;
    if (!full) page.keys.push_back(entry.key);
    return !full;
  };
  for (;;) {
    core_.step(walk, visit);
    if (full || walk.finished) break;
    if (auto go_on = co_await breathe(context); !go_on) co_return fail(std::move(go_on.error()));
  }
  if (full) page.cursor = cursor_at(page.keys.back());
  co_return page;
}

Task<Result<std::uint64_t>> MemoryStore::erase_prefix(CallContext, state::DeletePrefixRequest request) {
  std::uint64_t erased = 0;
  for (std::size_t shard = 0; shard < MemoryCore::kShards; ++shard) {
    Walk walk{.prefix = std::string(request.prefix), .after = {}};
    while (!walk.finished) {
      erased += core_.erase_step(shard, walk, request);
      // No look at the deadline: a deletion that stopped half-way would have changed something and
      // failed.
      if (!walk.finished) co_await resume_on(loop_);
    }
  }
  co_return erased;
}

Task<Result<state::QueryPage>> MemoryStore::query(CallContext context, const state::Query& query) {
  auto selection = state::Selection::begin(query);
  if (!selection) co_return fail(std::move(selection.error()));
  Walk walk{.prefix = query.key_prefix, .after = {}};
  std::vector<state::ListedRecord> batch;
  std::size_t copied = 0;
  // Values are copied under the locks and read outside of them.
  const auto visit = [&](const Entry& entry) {
    if (copied > kStepBytesMax) return false;
    if (entry.shape != state::Shape::json || !query.covers(entry.key)) return true;
    batch.push_back(listed(entry, true, query.want_fields));
    copied += entry.value.size();
    return true;
  };
  for (;;) {
    copied = 0;
    batch.clear();
    core_.step(walk, visit);
    for (state::ListedRecord& record : batch) selection->offer(std::move(record));
    if (walk.finished || selection->is_full()) break;
    if (auto go_on = co_await breathe(context); !go_on) co_return fail(std::move(go_on.error()));
  }
  co_return std::move(*selection).finish();
}

Task<Result<std::unique_ptr<state::Watcher>>> MemoryStore::watch(CallContext, state::WatchRequest request) {
  // A write that began while nobody watched would go unannounced after this call has answered.
  co_return listener_->watch(request, [this] { core_.let_writes_pass(); });
}

Task<Status> MemoryStore::ping(CallContext) { co_return Status(); }

Task<Status> MemoryStore::close(CallContext) {
  let_go();
  co_return Status();
}

void MemoryStore::let_go() {
  if (seat_ == nullptr) return;
  core_.sweeper().leave(seat_);
  listener_->close();
  seat_ = nullptr;
}

}  // namespace holdfast::stores::memory
