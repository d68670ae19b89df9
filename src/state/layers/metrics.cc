#include "state/layers/forwarding.h"

namespace holdfast::state {
namespace {

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
    T&& result = co_await std::move(call);  // stands in the frame of `call`, which ours holds
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
    case OperationKind::find:
      return "find";
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

std::unique_ptr<StateStore> with_metrics(std::unique_ptr<StateStore> store, std::shared_ptr<StoreMetrics> metrics,
                                         const Clock& clock) {
  return std::make_unique<MetricsStore>(std::move(store), std::move(metrics), clock);
}

}  // namespace holdfast::state
