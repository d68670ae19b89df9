#include "base/scheduler.h"

namespace holdfast {
namespace {

struct SleepAwaiter {
  Scheduler& loop;
  std::chrono::milliseconds delay;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    loop.after(delay, [waiter] { waiter.resume(); });
  }
  void await_resume() const noexcept {}
};

}  // namespace

Task<void> sleep_for(Scheduler& loop, std::chrono::milliseconds delay) {
  co_await SleepAwaiter{loop, delay};
}

}  // namespace holdfast
