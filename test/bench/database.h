// A database behind the sidecar, beside a client by hand and beside the sidecar's own memory.
//
// Other than Redis such a database works with many threads or processes and takes most of the CPU. On one core with it,
// a sidecar would take from the database what a client by hand leaves it; so the database has a core of its own here,
// as if it were on another machine, and the sidecar shares that of the load.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "bench/measure.h"
#include "bench/process.h"
#include "bench/report.h"
#include "bench/workload.h"

namespace holdfast::bench {

struct DatabasePlan {
  // Of a sidecar on these two ports that reads its components from `folder`. It has one loop: two on one core would
  // measure how they wake each other.
  std::function<std::vector<std::string>(int http, int grpc, const std::string& folder)> command;
  int database_core = 0;
  int load_core = 0;  // where the caller runs
  std::string workspace;
  double seconds = 0;  // a row
};

// A client of the database that does what the sidecar does for spread_operations_on().
struct ByHand {
  std::string server, protocol;  // of its rows
  std::string name;              // of its bars: "a pipelined client"
  // Its CPU and the database's.
  std::function<Measured(const std::string& operation, int in_flight, double seconds)> run;
};

struct Database {
  std::string name;                 // "PostgreSQL"
  std::vector<std::string> stores;  // components: the first is compared, the others have rows
  std::string components;           // YAML documents of the stores
  pid_t pid = 0;                    // its CPU is that of its tree
};

// Ratios of a comparison at 32 in flight; 0: a figure without a bar.
struct DatabaseBars {
  double rate = 0;      // at least, over the client's
  double together = 0;  // CPU over that in memory and that of the client
  double memory = 0;    // CPU over that in memory
  double client = 0;    // CPU over the client's
};

// Starts the database's process or processes on their core, in the workspace, on the file system of the build, where a
// disk is; the caller is on its own again behind it.
template <class Start>
auto start_on_its_core(const DatabasePlan& plan, Start start) {
  setenv("TMPDIR", plan.workspace.c_str(), 1);
  pin_to(plan.database_core);
  auto server = start();
  pin_to(plan.load_core);
  return server;
}

class DatabaseComparison {
 public:
  // Starts the sidecar, and writes what all operations read. The others outlive it.
  DatabaseComparison(const DatabasePlan& plan, Database database, ByHand by_hand, Report& report);

  int port(const std::string& protocol) const { return sidecar_.port(protocol); }
  const SpreadOperation& operation(const std::string& name) const {
    return operations_.at(database_.stores.front()).at(name);
  }

  // All operations through the sidecar, and get, save and bulk-get-100 of the client by hand.
  void add_rows();
  void compare(const std::string& protocol, const std::string& operation, const DatabaseBars& bars);
  // How long one takes whom nobody disturbs.
  void compare_bulk(const std::string& protocol);

 private:
  Measured through(const std::string& protocol, const SpreadOperation& operation, int in_flight, double seconds) const {
    return measure_operation(sidecar_.pid(), database_.pid, {"127.0.0.1", port(protocol), in_flight, seconds}, protocol,
                             operation);
  }
  void add(const std::string& protocol, const std::string& store, const SpreadOperation& operation, int in_flight);
  void bar(std::string name, double value, std::string unit, double limit, bool at_least = false) {
    report_.facts.push_back({std::move(name), value, std::move(unit), limit, at_least});
  }

  const DatabasePlan& plan_;
  const Database database_;
  const ByHand by_hand_;
  Report& report_;
  SidecarProcess sidecar_;
  std::map<std::string, std::map<std::string, SpreadOperation>> operations_;  // by store and name
};

}  // namespace holdfast::bench
