// Whether a descriptor that somebody else reads and writes, a vendor's client library, can be read or written now.
#pragma once

#include <coroutine>
#include <memory>

#include "net/loop.h"

namespace holdfast::net {

// Of one loop, and used on its thread only. The descriptor belongs to its owner, who closes it after this is gone.
class Readiness {
 public:
  enum class Way : unsigned char { read, write };

  Readiness(Loop& loop, int descriptor);
  // With nobody waiting.
  ~Readiness();
  Readiness(const Readiness&) = delete;
  Readiness& operator=(const Readiness&) = delete;

  // co_await: true once the descriptor is ready that way, or has failed, which its owner finds out by using it; false
  // after cancel(). One waiter a way.
  auto wait(Way way) {
    struct Awaiter {
      Readiness& readiness;
      Way way;
      bool ready = false;
      bool await_ready() const noexcept { return false; }
      void await_suspend(std::coroutine_handle<> waiter) { readiness.begin_wait(way, waiter, ready); }
      bool await_resume() const noexcept { return ready; }
    };
    return Awaiter{*this, way};
  }

  // Whoever waits goes on soon, not inside this call.
  void cancel();

 private:
  void begin_wait(Way way, std::coroutine_handle<> waiter, bool& ready);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace holdfast::net
