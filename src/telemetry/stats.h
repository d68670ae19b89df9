// What the metrics page counts, as values: for GET /v2/stats, which a page of the sidecar's own can read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/histogram.h"

namespace holdfast::telemetry {

// Latencies in milliseconds, in the buckets of latency_bounds_ms().
struct CallStats {
  HistogramSum succeeded;
  HistogramSum failed;
};

struct OperationStats {
  std::string_view operation;  // a literal
  CallStats calls;
};

struct StoreStats {
  std::string name;
  std::vector<OperationStats> operations;  // those that were called
};

// A component that could not be loaded, or not at once.
struct FailedComponent {
  std::string name;
  std::string type;
  std::string stage;  // "creation", "init"
  std::uint64_t count = 0;
};

struct Stats {
  double uptime_seconds = 0;
  std::uint64_t resident_bytes = 0;
  double cpu_seconds = 0;
  std::vector<StoreStats> stores;
  CallStats http;  // without GET /v2/stats: who watches does not see himself
  CallStats grpc;
  std::vector<FailedComponent> failed_components;
};

class StatsSource {
 public:
  virtual ~StatsSource() = default;
  // Any thread.
  virtual Stats read_stats() const = 0;
};

}  // namespace holdfast::telemetry
