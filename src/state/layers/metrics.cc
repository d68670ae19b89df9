#include <algorithm>
#include <array>

#include "state/layers/forwarding.h"

namespace holdfast::state {
namespace {

constexpr std::array<double, StoreMetrics::kBuckets - 1> kBoundsMs{
    1,   2,   3,   4,   5,   6,   8,   10,  13,  16,  20,   25,   30,   40,    50,    65,    80,
    100, 130, 160, 200, 250, 300, 400, 500, 650, 800, 1000, 2000, 5000, 10000, 20000, 50000, 100000};

// Most calls take less than the first bound, so the search from below is one comparison.
std::size_t bucket_of(std::uint64_t elapsed_ns) {
  std::size_t bucket = 0;
  const double elapsed_ms = static_cast<double>(elapsed_ns) / 1e6;
  while (bucket < kBoundsMs.size() && elapsed_ms > kBoundsMs[bucket]) ++bucket;
  return bucket;
}

// One thread writes: a load and a store, no locked instruction.
void add(std::atomic<std::uint64_t>& counter, std::uint64_t more) {
  counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

class MetricsStore final : public AroundStore<MetricsStore> {
 public:
  MetricsStore(std::unique_ptr<StateStore> inner, std::shared_ptr<StoreMetrics> metrics, const Clock& clock)
      : AroundStore(std::move(inner)), metrics_(std::move(metrics)), clock_(clock) {}

  template <class T>
  Task<T> run(OperationKind kind, const CallContext&, Task<T> call) {
    return measure(kind, std::move(call));
  }

 private:
  template <class T>
  Task<T> measure(OperationKind kind, Task<T> call) {
    const SteadyTime begin = clock_.steady();
    T result = co_await std::move(call);
    const auto elapsed = std::chrono::duration_cast<std::chrono::nanoseconds>(clock_.steady() - begin);
    if (kind == OperationKind::bulk_set) kind = OperationKind::set;  // so Dapr's dashboards count saves
    metrics_->record(kind, error_in(result) == nullptr, static_cast<std::uint64_t>(elapsed.count()));
    co_return std::move(result);
  }

  const std::shared_ptr<StoreMetrics> metrics_;  // shared with the endpoint, which may read it after us
  const Clock& clock_;
};

}  // namespace

std::string_view name_of(OperationKind kind) {
  switch (kind) {
    case OperationKind::get:
      return "get";
    case OperationKind::set:
      return "set";
    case OperationKind::erase:
      return "delete";
    case OperationKind::bulk_get:
      return "bulk_get";
    case OperationKind::bulk_set:
      return "bulk_set";
    case OperationKind::bulk_delete:
      return "bulk_delete";
    case OperationKind::transaction:
      return "transaction";
    case OperationKind::list:
      return "list";
    case OperationKind::keys_like:
      return "keys_like";
    case OperationKind::delete_prefix:
      return "delete_prefix";
    case OperationKind::query:
      return "query";
    case OperationKind::watch:
      return "watch";
    case OperationKind::ping:
      return "ping";
  }
  return "";
}

std::span<const double> StoreMetrics::latency_bucket_bounds_ms() { return kBoundsMs; }

void StoreMetrics::record(OperationKind kind, bool success, std::uint64_t elapsed_ns) {
  Series& series = series_[static_cast<std::size_t>(kind)][success ? 1 : 0];
  add(series.count, 1);
  add(series.sum_ns, elapsed_ns);
  add(series.buckets[bucket_of(elapsed_ns)], 1);
}

const StoreMetrics::Series& StoreMetrics::series(OperationKind kind, bool success) const {
  return series_[static_cast<std::size_t>(kind)][success ? 1 : 0];
}

std::unique_ptr<StateStore> with_metrics(std::unique_ptr<StateStore> store, std::shared_ptr<StoreMetrics> metrics,
                                         const Clock& clock) {
  return std::make_unique<MetricsStore>(std::move(store), std::move(metrics), clock);
}

}  // namespace holdfast::state
