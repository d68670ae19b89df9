// A Scheduler on the calling thread for tests of code that needs a loop but no sockets, and a clock that the
// test moves. run() drives the loop until the task is done; other threads may post to it meanwhile.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/scheduler.h"

namespace holdfast::test {

// Wall and steady time move together, only by advance(). Thread-safe.
class ManualClock final : public Clock {
 public:
  WallTime wall() const override {
    const std::lock_guard lock(mutex_);
    return wall_;
  }
  SteadyTime steady() const override {
    const std::lock_guard lock(mutex_);
    return steady_;
  }
  void advance(Milliseconds by) {
    const std::lock_guard lock(mutex_);
    wall_.us += by.count() * 1000;
    steady_ += by;
  }

 private:
  mutable std::mutex mutex_;
  WallTime wall_{1'790'000'000'000'000};
  SteadyTime steady_{std::chrono::hours(1)};
};

class TestLoop final : public Scheduler {
 public:
  void post(Work work) override {
    // Notified under the lock: the loop may be gone as soon as the work was taken.
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(work));
    ready_.notify_one();
  }
  TimerId after(Milliseconds delay, Work work) override {
    const TimerId id = ++last_timer_;
    timers_.emplace(std::pair(std::chrono::steady_clock::now() + delay, id), std::move(work));
    return id;
  }
  void cancel(TimerId timer) override {
    std::erase_if(timers_, [timer](const auto& entry) { return entry.first.second == timer; });
  }
  bool is_current() const override { return std::this_thread::get_id() == owner_; }

  // Runs posted work and due timers until `done()`. Throws after a minute: a test that hangs is a failure.
  template <class Done>
  void run_until(Done done) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!done()) {
      std::vector<Work> batch;
      {
        std::unique_lock lock(mutex_);
        if (posted_.empty()) {
          auto wake = give_up;
          if (!timers_.empty()) wake = std::min(wake, timers_.begin()->first.first);
          ready_.wait_until(lock, wake, [this] { return !posted_.empty(); });
        }
        batch.swap(posted_);
      }
      for (auto& work : batch) work();
      const auto now = std::chrono::steady_clock::now();
      while (!timers_.empty() && timers_.begin()->first.first <= now) {
        Work work = std::move(timers_.begin()->second);
        timers_.erase(timers_.begin());
        work();
      }
      if (now > give_up) throw std::runtime_error("TestLoop: the task did not finish within a minute");
    }
  }

  template <class T>
  T run(Task<T> task) {
    std::optional<T> result;
    start(std::move(task), [&result](T value) { result.emplace(std::move(value)); });
    run_until([&result] { return result.has_value(); });
    return std::move(*result);
  }
  void run(Task<void> task) {
    bool done = false;
    start(std::move(task), [&done] { done = true; });
    run_until([&done] { return done; });
  }

 private:
  std::thread::id owner_ = std::this_thread::get_id();
  std::mutex mutex_;
  std::condition_variable ready_;
  std::vector<Work> posted_;
  std::map<std::pair<SteadyTime, TimerId>, Work> timers_;
  TimerId last_timer_ = 0;
};

}  // namespace holdfast::test
