// What can happen to a running sidecar, as one condition that the main thread waits for: SIGINT, SIGTERM and the
// shutdown API (stop), SIGHUP (restart), a watched file (changed). A second request to stop by a signal ends the
// process at once, with code 1.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "base/clock.h"

namespace holdfast::daemon {

// Make it before any other thread: it blocks the signals for all of them. Every member may be called on any thread.
class Events {
 public:
  struct Happened {
    bool stop = false;
    bool restart = false;
    bool files_changed = false;
    bool any() const { return stop || restart || files_changed; }
  };

  Events();
  ~Events();
  void request_stop();
  void request_restart();
  void files_changed();
  // Until something has happened, or `until`. A stop stays; the others are taken by the caller.
  Happened wait(SteadyTime until);
  // True once a stop was requested; false after `limit`.
  bool wait_for_stop(Milliseconds limit);

 private:
  void watch();
  void note(bool Happened::* what);

  std::mutex mutex_;
  std::condition_variable changed_;
  Happened happened_;
  bool ended_ = false;
  std::thread watcher_;
};

}  // namespace holdfast::daemon
