// PostgreSQL behind the sidecar, beside a client by hand and beside the sidecar's own memory.
//
// Other than Redis it works with many processes and takes most of the CPU. On one core with it, a sidecar would take
// from the database what a client by hand leaves it; so the database has a core of its own here, as if it were on
// another machine, and the sidecar shares that of the load.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/report.h"

namespace holdfast::bench {

struct PostgresqlPlan {
  // Of a sidecar on these two ports that reads its components from `folder`. It has one loop: two on one core would
  // measure how they wake each other.
  std::function<std::vector<std::string>(int http, int grpc, const std::string& folder)> command;
  int database_core = 0;
  int load_core = 0;  // where the caller runs
  std::string workspace;
  double seconds = 0;  // a row
};

// Adds the rows and the bars of PostgreSQL; where its programs are not there, says so and adds nothing.
void measure_postgresql(const PostgresqlPlan& plan, Report& report);

}  // namespace holdfast::bench
