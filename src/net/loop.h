// An event loop: one thread's sockets, timers and posted work. Asio stays behind net/asio_loop.h.
#pragma once

#include <memory>
#include <string_view>

#include "base/clock.h"
#include "base/scheduler.h"

namespace holdfast::net {

class Loop final : public Scheduler {
 public:
  Loop();
  ~Loop() override;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs on the calling thread, which becomes the loop's, until stop().
  void run();
  // Any thread. Work posted before it still runs.
  void stop();

  void post(Work work) override;
  // Before others inside the callbacks of what a socket has received.
  void soon(Work work) override;
  TimerId after(std::chrono::milliseconds delay, Work work) override;
  void cancel(TimerId timer) override;
  bool is_current() const override;

  // Loop thread: steady time as of the last half second, for deadlines that need no better; free of charge.
  SteadyTime coarse_now() const;
  // Loop thread: "Date: Sun, 22 Nov 2026 04:49:17 GMT\r\n".
  std::string_view date_line() const;

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace holdfast::net
