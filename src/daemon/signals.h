// SIGINT, SIGTERM and the shutdown API as one condition the main thread waits for. A second request to stop ends the
// process at once, with code 1.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/clock.h"

namespace holdfast::daemon {

// Make it before any other thread: it blocks the signals for all of them.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  // Any thread.
  void request();
  // True once a stop was requested; false after `limit`.
  bool wait_for(Milliseconds limit);
  void wait();

 private:
  void watch();

  std::mutex mutex_;
  std::condition_variable changed_;
  bool requested_ = false;
  bool ended_ = false;
  std::thread watcher_;
};

}  // namespace holdfast::daemon
