// What visits many keys: listing by prefix, keys by pattern, deletion by prefix. Keys come in bytewise order; the pages
// of a listing are of one revision as long as the servers keep it, and after that of the newest.
#include <fmt/format.h>

#include <algorithm>

#include "base/number.h"
#include "state/key_cursor.h"
#include "state/keys.h"
#include "stores/etcd/store.h"

namespace holdfast::stores::etcd {

using state::CallContext;
namespace wire = holdfast::etcd;

namespace {

constexpr std::uint32_t kBatch = 1000;
constexpr std::size_t kPageBytesMax = std::size_t{32} << 20;
constexpr std::size_t kValuesAtATime = 200;

}  // namespace

// REVISION ":" and state/key_cursor.h's.
Result<EtcdStore::Walk> EtcdStore::Walk::read(std::string_view cursor) {
  Walk walk;
  if (cursor.empty()) return walk;
  const std::size_t colon = cursor.find(':');
  if (colon == std::string_view::npos || !read_number(cursor.substr(0, colon), walk.revision) || walk.revision <= 0)
    return fail(Errc::invalid_argument, "this cursor was not given out by state.etcd; start again without one");
  auto after = state::read_cursor(cursor.substr(colon + 1));
  if (!after) return fail(std::move(after.error()));
  walk.after = std::move(*after);
  return walk;
}

std::string EtcdStore::Walk::cursor_after(std::string_view key) const {
  return fmt::format("{}:{}", revision, state::cursor_after(key));
}

// Keys behind walk.after that begin with `prefix`, so many at most. Moves the walk on.
Task<Result<EtcdStore::Batch>> EtcdStore::next_keys(CallContext context, std::string_view prefix, Walk& walk,
                                                    std::uint32_t limit) {
  const std::string head = settings_.key_prefix + "/";
  const std::string first = head + std::string(prefix);
  const std::string begin = walk.after ? std::max(first, head + *walk.after + std::string(1, '\0')) : first;
  // "\0" as an end is etcd's word for "to the last key".
  const std::string end = state::prefix_end(first).value_or(std::string(1, '\0'));
  wire::Range range{.key = begin, .end = end, .limit = limit, .revision = walk.revision, .keys_only = true};
  auto part = co_await read(context, "list keys", {range});
  if (!part && walk.revision != 0 && is_refusal(part.error(), Trouble::compacted)) {
    range.revision = walk.revision = 0;
    part = co_await read(context, "list keys", {range});
  }
  if (!part) co_return fail(std::move(part.error()));
  if (walk.revision == 0) walk.revision = part->header().revision;
  Batch batch;
  for (const wire::OperationReply& reply : part->replies) {
    batch.more = reply.more;
    for (const wire::KeyValue& kv : reply.kvs)
      batch.keys.push_back({std::string(kv.key.substr(head.size())), kv.modified, kv.lease != 0});
  }
  if (!batch.keys.empty()) walk.after = batch.keys.back().key;
  co_return batch;
}

Task<Result<EtcdStore::Batch>> EtcdStore::next_live_keys(CallContext context, std::string_view prefix, Walk& walk,
                                                         std::uint32_t limit) {
  auto batch = co_await next_keys(context, prefix, walk, limit);
  if (!batch) co_return batch;
  if (Status status = co_await drop_expired(context, batch->keys, walk.revision); !status)
    co_return fail(std::move(status.error()));
  co_return batch;
}

// Whether a record on a lease is live is written in the record.
Task<Status> EtcdStore::drop_expired(CallContext context, std::vector<ListedKey>& keys, std::int64_t revision) {
  std::vector<state::GetRequest> requests;
  for (const ListedKey& key : keys)
    if (key.is_leased) requests.push_back({.key = key.key});
  const auto records = co_await read_at(context, requests, revision);
  if (!records) co_return fail(records.error());
  std::size_t at = 0;
  std::vector<ListedKey> live;
  for (ListedKey& key : keys) {
    const bool is_gone = key.is_leased && (*records)[at] && !*(*records)[at];
    if (key.is_leased) ++at;
    if (!is_gone) live.push_back(std::move(key));
  }
  keys = std::move(live);
  co_return Status();
}

Task<Result<std::size_t>> EtcdStore::add_records(CallContext context, const state::ListRequest& request,
                                                 std::vector<ListedKey> keys, std::int64_t revision,
                                                 state::ListPage& page) {
  std::vector<state::GetRequest> requests;
  for (const ListedKey& key : keys) requests.push_back({key.key, request.want_values, request.want_fields});
  auto records = co_await read_at(context, requests, revision);
  if (!records) co_return fail(std::move(records.error()));
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    auto& record = (*records)[i];
    if (!record) co_return fail(std::move(record.error()));
    if (!*record) continue;
    bytes += (*record)->value.size();
    page.items.push_back({std::move(keys[i].key), std::move(**record)});
  }
  co_return bytes;
}

Task<Result<state::ListPage>> EtcdStore::list(CallContext context, state::ListRequest request) {
  auto walk = Walk::read(request.cursor);
  if (!walk) co_return fail(std::move(walk.error()));
  const bool wants_records = request.want_values || request.want_fields;
  state::ListPage page;
  std::size_t bytes = 0;
  while (true) {
    std::uint32_t limit = wants_records ? kValuesAtATime : kBatch;
    if (request.limit != 0)
      limit = std::min<std::uint32_t>(limit, request.limit - static_cast<std::uint32_t>(page.items.size()));
    auto batch = co_await next_keys(context, request.prefix, *walk, limit);
    if (!batch) co_return fail(std::move(batch.error()));
    std::erase_if(batch->keys, [&](const ListedKey& key) {
      return !state::is_listable(key.key, request.own_bytes, request.hides_isolated);
    });
    if (wants_records) {
      const auto more = co_await add_records(context, request, std::move(batch->keys), walk->revision, page);
      if (!more) co_return fail(more.error());
      bytes += *more;
    } else {
      if (Status status = co_await drop_expired(context, batch->keys, walk->revision); !status)
        co_return fail(std::move(status.error()));
      for (ListedKey& key : batch->keys) {
        state::Record record;
        record.etag = etag_of(key.revision);
        page.items.push_back({std::move(key.key), std::move(record)});
      }
    }
    if (!batch->more) co_return page;
    if ((request.limit != 0 && page.items.size() >= request.limit) || bytes >= kPageBytesMax) {
      page.cursor = walk->cursor_after(*walk->after);
      co_return page;
    }
    if (Status status = check_going_on(context); !status) co_return fail(std::move(status.error()));
  }
}

Task<Result<state::KeyPage>> EtcdStore::keys_like(CallContext context, state::LikeRequest request) {
  if (request.pattern.empty()) co_return fail(Errc::invalid_argument, "keys like pattern cannot be empty");
  auto walk = Walk::read(request.cursor);
  if (!walk) co_return fail(std::move(walk.error()));
  const state::LikePattern pattern(request.pattern);
  state::KeyPage page;
  while (true) {
    auto batch = co_await next_live_keys(context, pattern.literal_prefix(), *walk, kBatch);
    if (!batch) co_return fail(std::move(batch.error()));
    for (ListedKey& listed : batch->keys) {
      std::string& key = listed.key;
      if (!pattern.matches(key) || !request.covers(key)) continue;
      // One more than the page holds shows that there is a next page.
      if (request.limit != 0 && page.keys.size() >= request.limit) {
        page.cursor = walk->cursor_after(page.keys.back());
        co_return page;
      }
      page.keys.push_back(std::move(key));
    }
    if (!batch->more) co_return page;
    if (Status status = check_going_on(context); !status) co_return fail(std::move(status.error()));
  }
}

// In chunks, each its own transaction, so that other writes go on in between: not atomic as a whole.
Task<Result<std::uint64_t>> EtcdStore::erase_prefix(CallContext context, state::DeletePrefixRequest request) {
  context.consistency = state::Consistency::strong;
  Walk walk;
  std::uint64_t erased = 0;
  const std::uint32_t chunk = std::max(transaction_ops_max_ / 2, 1U);
  while (true) {
    auto batch = co_await next_live_keys(context, request.prefix, walk, chunk);
    if (!batch) co_return fail(std::move(batch.error()));
    std::vector<state::Operation> operations;
    for (const auto& [key, revision, is_leased] : batch->keys)
      if (state::is_listable(key, request.own_bytes, request.hides_isolated))
        operations.emplace_back(state::DeleteRequest{.key = key, .when = {}});
    if (!operations.empty()) {
      auto outcomes = co_await write(context, operations, "delete by prefix");
      if (!outcomes) co_return fail(std::move(outcomes.error()));
      for (const Outcome& outcome : *outcomes) erased += outcome.existed.value_or(true) ? 1 : 0;
    }
    if (!batch->more) co_return erased;
    if (Status status = check_going_on(context); !status) co_return fail(std::move(status.error()));
  }
}

}  // namespace holdfast::stores::etcd
