// Which server a reading goes to, and how a session hears how far it has come (standbys.h).
#include "stores/postgresql/store.h"

namespace holdfast::stores::postgresql {

using state::CallContext;
using state::Consistency;

bool PostgresqlStore::waits_for_standbys(state::Consistency level) const {
  if (!waiting_pool_) return false;
  return level >= Consistency::quorum || (level == Consistency::unspecified && core_.facts().waits_for_standbys);
}

Task<Answer> PostgresqlStore::read(CallContext context, std::span<const Execution> executions, Sharing sharing) {
  const auto level = context.consistency;
  const bool may_lag = level != Consistency::unspecified && level < Consistency::bounded_staleness;
  if (standby_pool_ && may_lag)
    if (auto answer = co_await read_standby(context, executions, sharing)) co_return std::move(*answer);
  if (context.position == nullptr || !standby_pool_)
    co_return co_await pool_.run(executions, deadline_of(context), Kind::reading, sharing);
  std::vector<Execution> all(executions.begin(), executions.end());
  all.push_back({&primary_position_, {}});
  Answer answer = co_await pool_.run(all, deadline_of(context), Kind::reading);
  if (answer.refusal || answer.lost) co_return answer;
  if (const auto reached = read_position(answer.rows.back())) (void)context.position->reach(*reached);
  answer.rows.pop_back();
  co_return answer;
}

// Nothing: none is connected, or it is behind what the session has seen, or on another history.
Task<std::optional<Answer>> PostgresqlStore::read_standby(CallContext context, std::span<const Execution> executions,
                                                          Sharing sharing) {
  if (!standby_pool_->is_connected()) co_return std::nullopt;
  std::vector<Execution> all;
  const Execution place{&standby_position_, {}};
  if (context.position != nullptr) {
    all.push_back(place);
    sharing = {};
  }
  all.insert(all.end(), executions.begin(), executions.end());
  if (context.position != nullptr) all.push_back(place);
  Answer answer = co_await standby_pool_->run(all, deadline_of(context), Kind::reading, sharing);
  if (answer.refusal || answer.lost) co_return std::nullopt;
  if (context.position == nullptr) co_return answer;
  const auto before = read_position(answer.rows.front());
  const auto after = read_position(answer.rows.back());
  if (!before || !after) co_return std::nullopt;
  if (context.consistency == Consistency::session && !context.position->empty()) {
    const auto seen = context.position->on(before->timeline);
    if (!seen || *seen > before->offset) co_return std::nullopt;
  }
  (void)context.position->reach(*after);
  answer.rows.pop_back();
  answer.rows.erase(answer.rows.begin());
  co_return answer;
}

Task<void> PostgresqlStore::note_written(CallContext context) {
  const Execution place{&primary_position_, {}};
  const Answer answer = co_await pool_.run({&place, 1}, deadline_of(context), Kind::reading);
  if (answer.rows.empty()) co_return;
  if (const auto reached = read_position(answer.rows.front())) (void)context.position->reach(*reached);
}

}  // namespace holdfast::stores::postgresql
