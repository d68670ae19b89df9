// A sleep that can be cut short: what a background task waits on between rounds. One loop's, one waiter at a time.
#pragma once

#include <coroutine>
#include <utility>

#include "base/clock.h"
#include "base/scheduler.h"

namespace holdfast {

class Alarm {
 public:
  explicit Alarm(Scheduler& loop) : loop_(loop) {}
  // With nobody waiting.
  ~Alarm() = default;
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  // co_await: goes on after `time`, or a turn of the loop after ring(). A ring() with nobody waiting is kept for the
  // next who waits.
  auto wait(Milliseconds time) {
    struct Awaiter {
      Alarm& alarm;
      Milliseconds time;
      bool await_ready() const noexcept { return std::exchange(alarm.rung_, false); }
      void await_suspend(std::coroutine_handle<> waiter) {
        alarm.waiter_ = waiter;
        alarm.timer_ = alarm.loop_.after(time, [&alarm = alarm] { alarm.go_on(); });
      }
      void await_resume() const noexcept {}
    };
    return Awaiter{*this, time};
  }

  void ring() {
    if (!waiter_) {
      rung_ = true;
    } else if (timer_ != 0) {
      loop_.cancel(std::exchange(timer_, 0));
      loop_.post([this] { go_on(); });
    }
  }

 private:
  void go_on() {
    timer_ = 0;
    std::exchange(waiter_, nullptr).resume();
  }

  Scheduler& loop_;
  std::coroutine_handle<> waiter_ = nullptr;
  Scheduler::TimerId timer_ = 0;  // 0: none, or it is due
  bool rung_ = false;
};

}  // namespace holdfast
