// Behaviour that all stores share, as stores that wrap a store. The daemon builds the stack, in this order from
// the caller: metrics, tracing, the near cache (near_cache.h), retry(breaker(timeout)), the store. Each layer lives on
// its store's loop.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/histogram.h"
#include "state/store.h"

namespace holdfast::state {

// Operation names as Dapr's metrics spell them.
enum class OperationKind : std::uint8_t {
  get,
  set,
  erase,
  bulk_get,
  bulk_set,
  bulk_delete,
  transaction,
  list,
  find,
  keys_like,
  delete_prefix,
  query,
  watch,
  ping
};
std::string_view name_of(OperationKind kind);  // "get", "set", "delete", "bulk_get", ...
inline constexpr std::size_t kOperationKinds = 14;

// Latency histograms of one store on one loop, which alone writes them; the metrics endpoint reads from any thread.
class StoreMetrics {
 public:
  // Loop thread only.
  void record(OperationKind kind, bool success, std::uint64_t elapsed_ns) {
    series_[static_cast<std::size_t>(kind)][success ? 1 : 0].record(latency_bounds_ms(),
                                                                    static_cast<double>(elapsed_ns) / 1e6);
  }
  const Histogram& series(OperationKind kind, bool success) const {
    return series_[static_cast<std::size_t>(kind)][success ? 1 : 0];
  }

 private:
  Histogram series_[kOperationKinds][2];
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

  bool empty() const { return !timeout && !retry && !breaker; }
  bool operator==(const ResiliencyPolicy&) const = default;
};

// What the loops of one store share: the policies, one breaker, as Dapr has one for a component, and the counts that
// the metrics tell. Thread-safe.
class SharedResiliency {
 public:
  enum class BreakerState : std::uint8_t { closed, open, half_open };

  explicit SharedResiliency(ResiliencyPolicy policy) : policy_(policy) {}

  const ResiliencyPolicy& policy() const { return policy_; }

  // A pass to hand to report(), or Dapr's word for why the breaker refuses the call: "circuit breaker is open", or "too
  // many requests" while it lets only a few through to see. Without a breaker there always is a pass.
  std::expected<std::uint64_t, std::string_view> admit(SteadyTime now);
  // Every error is a failure, also a refused etag, as in Dapr.
  void report(std::uint64_t pass, bool success, SteadyTime now);
  BreakerState breaker_state() const;

  struct Counts {
    std::atomic<std::uint64_t> calls{0};     // attempts that a policy guarded
    std::atomic<std::uint64_t> timeouts{0};  // attempts that ran out of their time
    std::atomic<std::uint64_t> retries{0};
    std::atomic<std::uint64_t> trips{0};     // times that the breaker opened
  };
  Counts counts;

 private:
  void enter(BreakerState state, SteadyTime now);

  const ResiliencyPolicy policy_;
  mutable std::mutex mutex_;
  BreakerState state_ = BreakerState::closed;
  std::uint64_t era_ = 0;
  SteadyTime until_ = SteadyTime::min();
  std::uint32_t admitted_ = 0;
  std::uint32_t failures_in_row_ = 0;
  std::uint32_t successes_ = 0;
};

// retry(breaker(timeout)). Etag failures, bad requests and unsupported calls are never retried; writes whose
// outcome is unknown are not either. A breaker that refuses answers Errc::unavailable at once. Bulk calls retry only the items that failed. The timeout shortens the attempt's deadline: the store
// keeps its promise to finish, so nobody's buffers die early.
std::unique_ptr<StateStore> with_resiliency(std::unique_ptr<StateStore> store, std::shared_ptr<SharedResiliency> shared,
                                            Scheduler& loop, const Clock& clock);

}  // namespace holdfast::state
