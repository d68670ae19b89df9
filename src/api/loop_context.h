// What the HTTP and gRPC fronts of one loop share beside the service: who may call, and what is told of the calls.
#pragma once

#include <chrono>

#include "api/access.h"
#include "api/call_log.h"
#include "api/call_trace.h"
#include "telemetry/error_counts.h"
#include "telemetry/server_metrics.h"
#include "telemetry/stats.h"

namespace holdfast::api {

// Set up before the loop runs; Access alone changes later, on the loop.
struct LoopContext {
  Access access;
  bool measures = true;                      // --enable-metrics
  telemetry::ErrorCounts* errors = nullptr;  // null: not counted
  telemetry::HttpLabels labels;
  telemetry::ServerMetrics metrics;
  const telemetry::StatsSource* stats = nullptr;  // of all loops together, with `metrics` among it
  CallLog call_log;
  Tracing tracing;
  std::vector<std::string> allowed_origins;  // CORS; empty: off; "*": all

  bool observes() const { return measures || call_log.enabled || errors != nullptr; }
};

}  // namespace holdfast::api
