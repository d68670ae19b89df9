// Coroutines that wait for something to change; each looks whether it was what it waits for. Internal to net/.
#pragma once

#include <coroutine>
#include <utility>
#include <vector>

#include "base/scheduler.h"

namespace holdfast::net {

// co_await it. Of one loop, from which those who wait are resumed.
class Changes {
 public:
  explicit Changes(Scheduler& loop) : loop_(loop) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) { waiting_.push_back(waiter); }
  void await_resume() const noexcept {}
  void notify() {
    for (const auto waiter : std::exchange(waiting_, {})) loop_.post([waiter] { waiter.resume(); });
  }

 private:
  Scheduler& loop_;
  std::vector<std::coroutine_handle<>> waiting_;
};

// Something that goes on by itself, which close() waits for: while it lives, `count` is one more.
class Background {
 public:
  Background(int& count, Changes& changes) : count_(count), changes_(changes) { ++count_; }
  ~Background() {
    --count_;
    changes_.notify();
  }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

 private:
  int& count_;
  Changes& changes_;
};

}  // namespace holdfast::net
