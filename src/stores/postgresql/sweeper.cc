#include "stores/postgresql/sweeper.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "stores/postgresql/change_log.h"

namespace holdfast::stores::postgresql {
namespace {

// With a change log who watches waits for what expires.
constexpr Milliseconds kWatched{500};
constexpr int kRoundsUntilForgetting = 10;
constexpr Milliseconds kTimeout{20'000};
constexpr int kBatch = 1000;

}  // namespace

Sweeper::Sweeper(net::Loop& loop, Pool& pool, Statements& statements, const PostgresqlSettings& settings)
    : pool_(pool), statements_(statements), settings_(settings), alarm_(loop), ended_(loop) {}

void Sweeper::start() {
  if (settings_.cleanup_interval.count() <= 0 && !settings_.watch_log) return;
  running_ = true;
  holdfast::start(run());
}

Task<void> Sweeper::stop() {
  stopped_ = true;
  alarm_.ring();
  while (running_) co_await ended_.wait(kTimeout);
}

Task<void> Sweeper::run() {
  const Dialect& d = statements_.dialect();
  const std::string expired = fmt::format(
      "DELETE FROM {0} WHERE key IN (SELECT key FROM {0} WHERE {1} <= now() AND {1} > '-infinity' LIMIT {2} FOR UPDATE "
      "SKIP LOCKED)",
      d.table, d.expires, kBatch);
  const std::string orphans = fmt::format(
      "DELETE FROM {0} WHERE (name, value, key) IN (SELECT i.name, i.value, i.key FROM {0} i WHERE NOT EXISTS (SELECT "
      "1 "
      "FROM {1} t WHERE t.key = (i.key{2}) AND t.{3} = i.etag) LIMIT {4} FOR UPDATE SKIP LOCKED)",
      d.index, d.table, d.as_key, d.etag, kBatch);
  const bool cleans = settings_.cleanup_interval.count() > 0;
  const Milliseconds pause = settings_.watch_log ? kWatched : settings_.cleanup_interval;
  SteadyTime next = std::chrono::steady_clock::now() + settings_.cleanup_interval;
  for (int round = 1; !stopped_; ++round) {
    co_await alarm_.wait(pause);
    if (stopped_) break;
    if (settings_.watch_log) {
      co_await repeat(expired);
      if (round % kRoundsUntilForgetting == 0) co_await repeat(forget_changes_sql(settings_));
    }
    if (!cleans || std::chrono::steady_clock::now() < next) continue;
    next = std::chrono::steady_clock::now() + settings_.cleanup_interval;
    if (!co_await take_turn()) continue;
    co_await repeat(expired);
    co_await repeat(orphans);
  }
  running_ = false;
  ended_.ring();
}

Task<bool> Sweeper::take_turn() {
  // Dapr allows 100 ms of jitter.
  const std::string sql = fmt::format(
      "INSERT INTO {0} AS m (key, value) VALUES ('{1}', now()::text) ON CONFLICT (key) DO UPDATE SET value = "
      "now()::text "
      "WHERE extract(epoch FROM now() - m.value::timestamp with time zone) * 1000 > {2}",
      statements_.dialect().metadata, settings_.cleanup_row,
      std::max<Milliseconds::rep>(settings_.cleanup_interval.count() - 100, 0));
  co_return co_await execute(sql) > 0;
}

Task<void> Sweeper::repeat(std::string sql) {
  while (!stopped_ && co_await execute(sql) > 0) {
  }
}

Task<std::uint64_t> Sweeper::execute(std::string sql) {
  const Execution execution{&statements_.of(sql), {}};
  const Answer answer =
      co_await pool_.run({&execution, 1}, std::chrono::steady_clock::now() + kTimeout, Pool::Kind::writing);
  if (answer.refusal && !std::exchange(failing_, true))
    log::warn("holdfast.postgresql", "{}", describe(pool_.place(), "clean up", *answer.refusal).message);
  if (!answer.refusal && !answer.lost) failing_ = false;
  co_return answer.rows.empty() ? 0 : answer.rows.front().touched();
}

}  // namespace holdfast::stores::postgresql
