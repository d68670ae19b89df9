// One load, and what it cost the processes that served it.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "bench/load.h"
#include "bench/process.h"
#include "bench/report.h"
#include "bench/workload.h"

namespace holdfast::bench {

// A comparison is made in turns, and the middle one of the ratios counts: what else the machine does falls on both.
inline constexpr int kTurns = 9;
inline constexpr double kTurnSeconds = 0.5;

struct Measured {
  LoadResult load;
  double cpu_us = 0;
  double backend_us = 0;  // of the database's processes
};

// `backend` 0: there is none.
template <class Run>
Measured measure(pid_t pid, pid_t backend, Run run) {
  const double before = cpu_seconds(pid);
  const double backend_before = backend != 0 ? cpu_seconds_of_tree(backend) : 0;
  Measured measured{run(), 0, 0};
  if (measured.load.requests == 0) return measured;
  const double requests = static_cast<double>(measured.load.requests);
  measured.cpu_us = (cpu_seconds(pid) - before) * 1e6 / requests;
  if (backend != 0) measured.backend_us = (cpu_seconds_of_tree(backend) - backend_before) * 1e6 / requests;
  return measured;
}

inline Measured measure_operation(pid_t pid, pid_t backend, const Load& load, const std::string& protocol,
                                  const Operation& operation) {
  return measure(pid, backend, [&] {
    return protocol == "http" ? run_http(load, operation.http)
                              : run_grpc(load, operation.grpc_path, operation.grpc_message);
  });
}

inline Measured measure_operation(pid_t pid, pid_t backend, const Load& load, const std::string& protocol,
                                  const SpreadOperation& operation) {
  return measure(pid, backend, [&] {
    return protocol == "http" ? run_http(load, operation.http)
                              : run_grpc(load, operation.grpc_path, operation.grpc_messages);
  });
}

inline Row row_of(const std::string& server, const std::string& protocol, const std::string& store,
                  const std::string& operation, int in_flight, Measured measured) {
  Row row{.server = server,
          .protocol = protocol,
          .store = store,
          .operation = operation,
          .in_flight = in_flight,
          .per_second = measured.load.per_second(),
          .p50_us = measured.load.percentile_us(0.5),
          .p99_us = measured.load.percentile_us(0.99),
          .cpu_us = measured.cpu_us,
          .backend_us = measured.backend_us,
          .errors = measured.load.errors};
  std::cerr << fmt::format("  {:<9} {} {} {} x{}: {:.0f}/s, {:.2f} us", server, protocol, store, operation, in_flight,
                           row.per_second, row.cpu_us);
  std::cerr << (row.backend_us > 0 ? fmt::format(", {:.2f} us in the database\n", row.backend_us) : "\n");
  return row;
}

// What stands in the middle; `of` says of what, for those who watch.
inline double middle(std::vector<double> values, const std::string& of) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  std::cerr << fmt::format("  {} in turns: {:.2f} to {:.2f}, middle {:.2f}\n", of, values.front(), values.back(),
                           values[values.size() / 2]);
  return values[values.size() / 2];
}

}  // namespace holdfast::bench
