// Many records at once: the reads of one server leave in one request.
#include <algorithm>
#include <map>

#include "stores/redis/store.h"

namespace holdfast::stores::redis {

using state::CallContext;
using state::Record;

namespace {

constexpr std::size_t kChunkKeys = 128;

using OneResult = Result<std::optional<Record>>;

// The reads of some keys that one slot stands for, in one request.
class GetChunk final : public Request {
 public:
  explicit GetChunk(std::vector<const state::GetRequest*> requests) : requests_(std::move(requests)) {
    replies = static_cast<std::uint32_t>(requests_.size()) * kGetReplies;
    verb = "read several keys";
    is_read = true;
    may_follow = false;
    work = Work::bulk;
  }
  Status append(std::string& out, const Server& server, const Try&) override {
    for (const state::GetRequest* request : requests_) append_get(out, *request, server.facts().expiry);
    return {};
  }

 private:
  const std::vector<const state::GetRequest*> requests_;
};

bool is_passing_error_in(resp::Value reply) {
  return reply.kind() == resp::Kind::error && is_passing(trouble_of(reply.text()));
}

}  // namespace

Task<void> RedisStore::get_chunk(CallContext context, std::span<const state::GetRequest> requests,
                                 std::vector<std::size_t> places, std::span<OneResult> results) {
  std::vector<const state::GetRequest*> wanted;
  for (const std::size_t place : places) wanted.push_back(&requests[place]);
  GetChunk chunk(std::move(wanted));
  place_read(chunk, requests[places.front()].key, context);
  Answer answer;
  // Keys may have moved apart, and be on their way: those that fail are asked for alone.
  std::vector<std::size_t> alone;
  if (auto asked = co_await ask(context, chunk, answer); !asked) {
    for (const std::size_t place : places) results[place] = fail(asked.error());
    co_return;
  }
  const WallTime now = core_.clock().wall();
  resp::Reply hash;
  resp::Reply expires;
  for (const std::size_t place : places) {
    auto read = hash.read(answer.replies);
    if (read) read = expires.read(answer.replies);
    if (!read) {
      results[place] = fail(std::move(read.error()));
      continue;
    }
    auto got = read_get(answer.server->place(), requests[place], hash.root(), expires.root(), now,
                        answer.server->facts().expiry);
    const bool is_passing_error = !got && (is_passing_error_in(hash.root()) || is_passing_error_in(expires.root()));
    if (is_passing_error || (got && got->is_other_type)) {
      alone.push_back(place);
    } else if (got) {
      *results[place] = std::move(got->record);
    } else {
      results[place] = fail(std::move(got.error()));
    }
  }
  for (const std::size_t place : alone) results[place] = co_await get(context, requests[place]);
}

Task<std::vector<OneResult>> RedisStore::get_many(CallContext context, std::span<const state::GetRequest> requests) {
  std::map<int, std::vector<std::size_t>> by_shard;
  for (std::size_t i = 0; i < requests.size(); ++i)
    by_shard[router_->is_cluster() ? router_->shard_of(key_slot(requests[i].key)) : 0].push_back(i);
  std::vector<OneResult> results(requests.size());
  // All are sent in this turn of the loop; then they are waited for together.
  std::size_t open = 1;
  Arrival<bool> done;
  const auto finish = [&open, &done] {
    if (--open == 0) done.set(true);
  };
  for (auto& [shard, places] : by_shard)
    for (std::size_t at = 0; at < places.size(); at += kChunkKeys) {
      const auto begin = places.begin() + static_cast<std::ptrdiff_t>(at);
      const auto end = places.begin() + static_cast<std::ptrdiff_t>(std::min(at + kChunkKeys, places.size()));
      ++open;
      start(get_chunk(context, requests, std::vector<std::size_t>(begin, end), results), finish);
    }
  finish();
  co_await done;
  co_return results;
}

}  // namespace holdfast::stores::redis
