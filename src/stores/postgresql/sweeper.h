// Removes what has expired, and what records that are gone have left. One for all loops of a component; several
// sidecars share the work.
#pragma once

#include <string>

#include "base/alarm.h"
#include "stores/postgresql/pool.h"
#include "stores/postgresql/statements.h"

namespace holdfast::stores::postgresql {

// Of one loop.
class Sweeper {
 public:
  // All outlive it.
  Sweeper(net::Loop& loop, Pool& pool, Statements& statements, const PostgresqlSettings& settings);

  void start();
  // Ends it; the pool has to be open still.
  Task<void> stop();

 private:
  Task<void> run();
  // Dapr's rule: one sidecar an interval, by a row that all look at.
  Task<bool> take_turn();
  // Statement after statement until one touches nothing.
  Task<void> repeat(std::string sql);
  Task<std::uint64_t> execute(std::string sql);

  Pool& pool_;
  Statements& statements_;
  const PostgresqlSettings& settings_;
  Alarm alarm_;
  Alarm ended_;
  bool running_ = false;
  bool stopped_ = false;
  bool failing_ = false;  // and it was said
};

}  // namespace holdfast::stores::postgresql
