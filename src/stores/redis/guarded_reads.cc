// Readings that a replica may serve if it is far enough: at session, when it has all that the session has seen, and at
// bounded-staleness, when it has all that the primary had a moment ago.
//
// The reading and the question how far the replica is are one transaction (MULTI), so that the answer is about the very
// state that was read. What a replica cannot serve, for whatever reason, goes to the primary.
#include <algorithm>

#include "stores/redis/store.h"
#include "wire/resp/command.h"

namespace holdfast::stores::redis {

using state::CallContext;
using state::Consistency;

namespace {

SteadyTime now() { return std::chrono::steady_clock::now(); }

// The bytes of the members of an array, one reply after the other; nothing when it is none or holds an error.
std::optional<std::string_view> members_in(std::string_view array) {
  resp::Reply reply;
  std::string_view rest = array;
  if (!reply.read(rest) || reply.root().kind() != resp::Kind::array) return std::nullopt;
  for (const resp::Value member : reply.root())
    if (member.kind() == resp::Kind::error) return std::nullopt;
  return array.substr(array.find('\n') + 1);
}

}  // namespace

bool RedisStore::may_ask_replica(const CallContext& context) const {
  const bool has_come_far = context.position != nullptr && !context.position->empty();
  if (context.consistency == Consistency::session) return has_come_far;
  return context.consistency == Consistency::bounded_staleness;
}

// Whether a replica there shows all that the call may ask for.
bool RedisStore::is_far_enough(const CallContext& context, std::uint16_t slot, const Replication& replica) const {
  if (replica.is_primary) return false;  // it was promoted: it has to be found anew
  if (context.position != nullptr && !context.position->empty()) {
    const auto seen = context.position->on(replica.reached.timeline);
    if (!seen || *seen > replica.reached.offset) return false;
  }
  if (context.consistency != Consistency::bounded_staleness) return true;
  const ServerRef primary = router_->primary_of(slot);
  return primary != nullptr &&
         primary->written_lately().is_within(replica.reached, settings_.staleness_max, now());
}

// Whether a replica has answered `request`, which one may; if not, nothing was asked, or its answer is not to be used.
Task<bool> RedisStore::ask_replica(CallContext context, Request& request, Answer& answer) {
  answer.server = router_->replica_of(request.slot);
  if (answer.server == nullptr) co_return false;
  std::string asked;
  resp::append_command(asked, {"MULTI"});
  if (!request.append(asked, *answer.server, {})) co_return false;
  append_replication_info(asked);
  resp::append_command(asked, {"EXEC"});
  // MULTI says OK, every command behind it QUEUED.
  const std::uint32_t before = 1 + request.replies + 1;
  auto replies = co_await answer.server->call(request.work, asked, before + 1, request.deadline);
  if (!replies) co_return false;
  std::string_view done = *replies;
  for (std::uint32_t i = 0; i < before; ++i) take_reply(done);
  const auto members = members_in(done);
  if (!members) co_return false;
  std::string_view info = *members;
  for (std::uint32_t i = 0; i < request.replies; ++i) take_reply(info);
  const auto reply = resp::Reply::parse(info);
  const auto replica = reply ? read_replication(reply->root()) : std::nullopt;
  if (!replica || !is_far_enough(context, request.slot, *replica)) co_return false;
  if (context.position != nullptr) (void)context.position->reach(replica->reached);
  answer.kept = members->substr(0, members->size() - info.size());
  answer.replies = answer.kept;
  co_return true;
}

Task<Status> RedisStore::ask(CallContext context, Request& request, Answer& answer) {
  if (may_ask_replica(context) && co_await ask_replica(context, request, answer)) co_return Status();
  co_return co_await exchange_.run(request, answer);
}

CallContext RedisStore::at_primaries(CallContext context) {
  context.consistency = Consistency::strong;
  context.position = nullptr;
  return context;
}

// For what looks at all keys, always of primaries: afterwards no replica shows the session less than it has seen.
Task<void> RedisStore::follow_all(CallContext context) {
  if (context.position == nullptr) co_return;
  std::string request;
  append_role(request);
  for (const Shard& shard : std::vector<Shard>(router_->shards())) {
    if (shard.replicas.empty() || shard.primary == nullptr || shard.primary->timeline() == 0) continue;
    const auto role = co_await shard.primary->call(Work::hot, request, 1, deadline_of(context));
    if (const auto written = shard.primary->written_by(role.value_or(std::string_view())))
      (void)context.position->reach(*written);
  }
}

}  // namespace holdfast::stores::redis
