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

// REVISION ":" and state/key_cursor.h's.
struct Cursor {
  std::int64_t revision = 0;
  std::optional<std::string> after;

  static Result<Cursor> read(std::string_view text) {
    Cursor cursor;
    if (text.empty()) return cursor;
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || !read_number(text.substr(0, colon), cursor.revision) || cursor.revision <= 0)
      return fail(Errc::invalid_argument, "this cursor was not given out by state.etcd; start again without one");
    auto after = state::read_cursor(text.substr(colon + 1));
    if (!after) return fail(std::move(after.error()));
    cursor.after = std::move(*after);
    return cursor;
  }
  static std::string text(std::int64_t revision, std::string_view key) {
    return fmt::format("{}:{}", revision, state::cursor_after(key));
  }
};

}  // namespace

Status EtcdStore::check_going_on(const CallContext& context) const {
  if (context.is_cancelled()) return fail(Errc::deadline_exceeded, "the caller gave up while keys were walked");
  if (std::chrono::steady_clock::now() > context.deadline)
    return fail(Errc::deadline_exceeded, "the time was up while keys were walked; ask for smaller pages");
  return {};
}

// Live keys behind walk.after that begin with `prefix`, of `limit` that were looked at. Sets the walk's revision.
Task<Result<EtcdStore::Batch>> EtcdStore::next_keys(CallContext context, std::string_view prefix, Walk& walk,
                                                    std::uint32_t limit) {
  const std::string head = settings_.key_prefix + "/";
  const std::string first = head + std::string(prefix);
  const std::string begin = walk.after.empty() ? first : std::max(first, head + walk.after + std::string(1, '\0'));
  // "\0" as an end is etcd's word for "to the last key".
  const std::string end = state::prefix_end(first).value_or(std::string(1, '\0'));
  bool serializable = may_be_behind(context.consistency);
  std::string bytes;
  wire::RangeReply reply;
  while (true) {
    std::string request;
    wire::append(request, wire::Range{.key = begin,
                                      .end = end,
                                      .limit = limit,
                                      .revision = walk.revision,
                                      .serializable = serializable,
                                      .keys_only = true});
    auto answer = co_await endpoints_.call({.method = wire::kRange,
                                            .request = request,
                                            .doing = "list keys",
                                            .deadline = deadline_of(context),
                                            .needs_leader = !serializable});
    if (!answer && walk.revision != 0 && is_refusal(answer.error(), Trouble::compacted)) {
      walk.revision = 0;
      continue;
    }
    if (!answer) co_return fail(std::move(answer.error()));
    bytes = std::move(*answer);
    auto read = wire::read_range(bytes);
    if (!read) co_return fail(with_context(std::move(read.error()), settings_.place()));
    reply = std::move(*read);
    if (!serializable || is_far_enough(context, reply.header)) break;
    serializable = false;
  }
  reach(context, reply.header);
  if (walk.revision == 0) walk.revision = reply.header.revision;
  Batch batch;
  batch.more = reply.more;
  std::vector<std::size_t> leased;
  for (const wire::KeyValue& kv : reply.kvs) {
    if (kv.lease != 0) leased.push_back(batch.keys.size());
    batch.keys.emplace_back(kv.key.substr(head.size()));
    batch.revisions.push_back(kv.modified);
  }
  if (!batch.keys.empty()) batch.last = batch.keys.back();
  walk.after = batch.last;
  if (Status status = co_await drop_expired(context, batch, std::move(leased), walk.revision); !status)
    co_return fail(std::move(status.error()));
  co_return batch;
}

// Whether a record on a lease is live is written in the record.
Task<Status> EtcdStore::drop_expired(CallContext context, Batch& batch, std::vector<std::size_t> leased,
                                     std::int64_t revision) {
  std::vector<std::size_t> gone;
  for (std::size_t at = 0; at < leased.size();) {
    const std::size_t count = std::min(reading_chunk(), leased.size() - at);
    std::vector<state::GetRequest> requests;
    for (std::size_t i = 0; i < count; ++i) requests.push_back({.key = batch.keys[leased[at + i]]});
    std::vector<Result<std::optional<state::Record>>> records;
    std::int64_t of = revision;
    Status status = co_await read_chunk(context, requests, of, records);
    // Compacted in the middle of a page: what is there now will do.
    if (!status && is_refusal(status.error(), Trouble::compacted)) {
      records.clear();
      of = 0;
      status = co_await read_chunk(context, requests, of, records);
    }
    if (!status) co_return status;
    for (std::size_t i = 0; i < count; ++i)
      if (records[i] && !*records[i]) gone.push_back(leased[at + i]);
    at += count;
  }
  for (auto at = gone.rbegin(); at != gone.rend(); ++at) {
    batch.keys.erase(batch.keys.begin() + static_cast<std::ptrdiff_t>(*at));
    batch.revisions.erase(batch.revisions.begin() + static_cast<std::ptrdiff_t>(*at));
  }
  co_return Status();
}

Task<Result<state::ListPage>> EtcdStore::list(CallContext context, state::ListRequest request) {
  auto cursor = Cursor::read(request.cursor);
  if (!cursor) co_return fail(std::move(cursor.error()));
  Walk walk{cursor->after.value_or(std::string()), cursor->revision};
  const bool wants_records = request.want_values || request.want_fields;
  state::ListPage page;
  std::size_t bytes = 0;
  while (true) {
    std::uint32_t limit = wants_records ? kValuesAtATime : kBatch;
    if (request.limit != 0)
      limit = std::min<std::uint32_t>(limit, request.limit - static_cast<std::uint32_t>(page.items.size()));
    auto batch = co_await next_keys(context, request.prefix, walk, limit);
    if (!batch) co_return fail(std::move(batch.error()));
    std::vector<std::string> keys;
    std::vector<std::int64_t> revisions;
    for (std::size_t i = 0; i < batch->keys.size(); ++i) {
      if (!state::is_listable(batch->keys[i], request.own_bytes, request.hides_isolated)) continue;
      keys.push_back(std::move(batch->keys[i]));
      revisions.push_back(batch->revisions[i]);
    }
    if (wants_records) {
      std::vector<state::GetRequest> requests;
      for (const std::string& key : keys) requests.push_back({key, request.want_values, request.want_fields});
      for (std::size_t at = 0; at < requests.size();) {
        const auto chunk = std::span(requests).subspan(at, std::min(reading_chunk(), requests.size() - at));
        std::vector<Result<std::optional<state::Record>>> records;
        std::int64_t revision = walk.revision;
        Status status = co_await read_chunk(context, chunk, revision, records);
        if (!status && is_refusal(status.error(), Trouble::compacted)) {
          records.clear();
          revision = 0;
          status = co_await read_chunk(context, chunk, revision, records);
        }
        if (!status) co_return fail(std::move(status.error()));
        for (std::size_t i = 0; i < chunk.size(); ++i) {
          if (!records[i]) co_return fail(std::move(records[i].error()));
          if (!*records[i]) continue;
          bytes += (*records[i])->value.size();
          page.items.push_back({std::move(keys[at + i]), std::move(**records[i])});
        }
        at += chunk.size();
      }
    } else {
      for (std::size_t i = 0; i < keys.size(); ++i) {
        state::Record record;
        record.etag = etag_of(revisions[i]);
        page.items.push_back({std::move(keys[i]), std::move(record)});
      }
    }
    if (!batch->more) co_return page;
    if ((request.limit != 0 && page.items.size() >= request.limit) || bytes >= kPageBytesMax) {
      page.cursor = Cursor::text(walk.revision, walk.after);
      co_return page;
    }
    if (Status status = check_going_on(context); !status) co_return fail(std::move(status.error()));
  }
}

Task<Result<state::KeyPage>> EtcdStore::keys_like(CallContext context, state::LikeRequest request) {
  if (request.pattern.empty()) co_return fail(Errc::invalid_argument, "keys like pattern cannot be empty");
  auto cursor = Cursor::read(request.cursor);
  if (!cursor) co_return fail(std::move(cursor.error()));
  const state::LikePattern pattern(request.pattern);
  Walk walk{cursor->after.value_or(std::string()), cursor->revision};
  state::KeyPage page;
  while (true) {
    auto batch = co_await next_keys(context, pattern.literal_prefix(), walk, kBatch);
    if (!batch) co_return fail(std::move(batch.error()));
    for (std::string& key : batch->keys) {
      if (!pattern.matches(key) || !request.covers(key)) continue;
      // One more than the page holds shows that there is a next page.
      if (request.limit != 0 && page.keys.size() >= request.limit) {
        page.cursor = Cursor::text(walk.revision, page.keys.back());
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
    auto batch = co_await next_keys(context, request.prefix, walk, chunk);
    if (!batch) co_return fail(std::move(batch.error()));
    std::vector<state::Operation> operations;
    for (const std::string& key : batch->keys)
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
