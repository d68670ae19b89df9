// What code without sockets may ask of an event loop: run this on the loop, run that later.
// net::Loop is the real one; test/support/manual_loop.h is one whose time a test moves.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "base/task.h"

namespace holdfast {

class Scheduler {
 public:
  using Work = std::move_only_function<void()>;
  using TimerId = std::uint64_t;  // 0 is never a timer

  virtual ~Scheduler() = default;

  // Any thread. Runs `work` on the loop, after the current callback; never inside the call.
  virtual void post(Work work) = 0;

  // Loop thread only. Runs `work` once the callback has ended that runs now, before others that are ready, where the loop
  // can; else as post() does. Cheaper than post(), after which a loop looks for what else has happened; but what waits in
  // the same turn and could be done together with it is not yet there.
  virtual void soon(Work work) { post(std::move(work)); }

  // Loop thread only. `work` runs on the loop once, not before `delay` has passed.
  virtual TimerId after(std::chrono::milliseconds delay, Work work) = 0;
  // Loop thread only. A timer that already fired is ignored.
  virtual void cancel(TimerId timer) = 0;

  // Whether the caller runs on this loop.
  virtual bool is_current() const = 0;
};

// Loop thread only: continues on the loop after `delay`.
Task<void> sleep_for(Scheduler& loop, std::chrono::milliseconds delay);

// Any thread: continues on the loop.
class resume_on {
 public:
  explicit resume_on(Scheduler& loop) : loop_(loop) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    loop_.post([waiter] { waiter.resume(); });
  }
  void await_resume() const noexcept {}

 private:
  Scheduler& loop_;
};

}  // namespace holdfast
