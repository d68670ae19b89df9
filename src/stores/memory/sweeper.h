// Takes expired records out, on one loop at a time.
//
// While any record has a time, the loop that has the duty looks at least every kPeriodMax: the wall
// clock may jump, so one long timer would not do. With no such record nothing is armed and the
// process sleeps.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "base/scheduler.h"

namespace holdfast::stores::memory {

class MemoryCore;

class Sweeper {
 public:
  static constexpr std::chrono::milliseconds kPeriodMax{100};

  // A loop that may be given the duty. Its fields are its loop's.
  struct Seat {
    explicit Seat(Scheduler& the_loop) : loop(the_loop) {}
    Scheduler& loop;
    Scheduler::TimerId timer = 0;
    bool left = false;
  };

  explicit Sweeper(MemoryCore& core) : core_(core) {}

  // On the seat's loop.
  void join(const std::shared_ptr<Seat>& seat);
  // On the seat's loop; hands the duty to another seat. Nothing of the sweeper runs there
  // afterwards.
  void leave(const std::shared_ptr<Seat>& seat);

  // Any thread: a record with a time was written.
  void plan() {
    if (!planned_.load()) give_duty();
  }

 private:
  void give_duty();
  void run(const std::shared_ptr<Seat>& seat);

  MemoryCore& core_;
  std::atomic<bool> planned_{false};  // some seat has a sweep posted or timed
  std::mutex mutex_;
  std::vector<std::shared_ptr<Seat>> seats_;
  std::shared_ptr<Seat> on_duty_;
};

}  // namespace holdfast::stores::memory
