#include "state/layers/forwarding.h"

namespace holdfast::state {
namespace {

class TracingStore final : public AroundStore<TracingStore> {
 public:
  TracingStore(std::unique_ptr<StateStore> inner, TraceHook& hook) : AroundStore(std::move(inner)), hook_(hook) {}

  // A coroutine of its own, so that the span begins when the call does and not when its task is
  // made.
  template <class T>
  Task<T> run(OperationKind kind, CallContext context, Task<T> call) {
    const std::uint64_t token = hook_.begin(kind, context);
    T result = co_await std::move(call);
    hook_.end(token, error_in(result));
    co_return std::move(result);
  }

 private:
  TraceHook& hook_;
};

}  // namespace

std::unique_ptr<StateStore> with_tracing(std::unique_ptr<StateStore> store, TraceHook& hook) {
  return std::make_unique<TracingStore>(std::move(store), hook);
}

}  // namespace holdfast::state
