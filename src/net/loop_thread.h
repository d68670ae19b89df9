// A loop on a thread of its own, for as long as it lives.
#pragma once

#include <thread>

#include "net/loop.h"

namespace holdfast::net {

class LoopThread {
 public:
  LoopThread() : thread_([this] { loop_.run(); }) {}
  ~LoopThread() { stop(); }
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

  Loop& loop() { return loop_; }
  // Nothing runs on the loop any more; what waits there stays as it is.
  void stop() {
    if (!thread_.joinable()) return;
    loop_.stop();
    thread_.join();
  }

 private:
  Loop loop_;
  std::thread thread_;
};

}  // namespace holdfast::net
