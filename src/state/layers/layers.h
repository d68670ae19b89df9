// Behaviour that all stores share, as stores that wrap a store. The daemon builds the stack, in this order from
// the caller: metrics, tracing, retry(breaker(timeout)), the store. Each layer lives on its store's loop.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "state/store.h"

namespace holdfast::state {

// Operation names as Dapr's metrics spell them.
enum class OperationKind : std::uint8_t {
  get, set, erase, bulk_get, bulk_set, bulk_delete, transaction, list, keys_like, delete_prefix, query, watch, ping
};
std::string_view name_of(OperationKind kind);  // "get", "set", "delete", "bulk_get", ...
inline constexpr std::size_t kOperationKinds = 13;

// Counts and latency histograms of one store on one loop: written by that loop with relaxed atomics, read by the
// metrics endpoint from any thread. Buckets are Dapr's, in milliseconds.
class StoreMetrics {
 public:
  static std::span<const double> latency_bucket_bounds_ms();
  static constexpr std::size_t kBuckets = 35;  // bounds + overflow

  struct Series {
    std::atomic<std::uint64_t> count{0};
    std::atomic<std::uint64_t> sum_ns{0};
    std::atomic<std::uint64_t> buckets[kBuckets]{};
  };
  // Loop thread only.
  void record(OperationKind kind, bool success, std::uint64_t elapsed_ns);
  const Series& series(OperationKind kind, bool success) const;

 private:
  Series series_[kOperationKinds][2];
};

// Bulk calls count once, as in Dapr (a bulk save is a "set").
std::unique_ptr<StateStore> with_metrics(std::unique_ptr<StateStore> store, std::shared_ptr<StoreMetrics> metrics,
                                         const Clock& clock);

// Told of every store call: what a tracer needs for one span. begin() returns a token that end() gets back.
class TraceHook {
 public:
  virtual ~TraceHook() = default;
  virtual std::uint64_t begin(OperationKind kind, const CallContext& context) = 0;
  virtual void end(std::uint64_t token, const Error* error) = 0;
};
// `hook` outlives the store.
std::unique_ptr<StateStore> with_tracing(std::unique_ptr<StateStore> store, TraceHook& hook);

struct RetryPolicy {
  bool exponential = false;
  Milliseconds interval{5000};       // constant
  Milliseconds initial{500};         // exponential: x1.5, jitter +-50%
  Milliseconds interval_max{60000};
  Milliseconds elapsed_max{15 * 60 * 1000};  // exponential only
  std::int64_t retries_max = -1;     // -1: until the deadline or cancellation
  bool operator==(const RetryPolicy&) const = default;
};

struct BreakerPolicy {
  std::uint32_t consecutive_failures_max = 5;  // trips when more than this many fail in a row
  std::uint32_t half_open_max = 1;             // calls let through while half open
  Milliseconds interval{0};                    // closed: counts are reset this often; 0: never
  Milliseconds open_time{60000};
  bool operator==(const BreakerPolicy&) const = default;
};

struct ResiliencyPolicy {
  std::optional<Milliseconds> timeout;  // per attempt
  std::optional<RetryPolicy> retry;
  std::optional<BreakerPolicy> breaker;
  bool operator==(const ResiliencyPolicy&) const = default;
};

// retry(breaker(timeout)). Etag failures, bad requests and unsupported calls are never retried; writes whose
// outcome is unknown are not either. An open breaker answers Errc::unavailable "circuit breaker is open" at
// once. Bulk calls retry only the items that failed. The timeout shortens the attempt's deadline: the store
// keeps its promise to finish, so nobody's buffers die early.
std::unique_ptr<StateStore> with_resiliency(std::unique_ptr<StateStore> store, ResiliencyPolicy policy,
                                            Scheduler& loop, const Clock& clock);

}  // namespace holdfast::state
