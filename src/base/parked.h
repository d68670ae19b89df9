// co_await Parked{place}: waits until somebody takes the handle out of `place` and resumes it. For one who waits.
#pragma once

#include <coroutine>

namespace holdfast {

struct Parked {
  std::coroutine_handle<>& place;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) const noexcept { place = waiter; }
  void await_resume() const noexcept {}
};

}  // namespace holdfast
