#include "stores/memory/sweeper.h"

#include <algorithm>

#include "stores/memory/core.h"

namespace holdfast::stores::memory {

void Sweeper::join(const std::shared_ptr<Seat>& seat) {
  {
    const std::lock_guard lock(mutex_);
    seats_.push_back(seat);
  }
  if (core_.has_timed_records()) plan();
}

void Sweeper::leave(const std::shared_ptr<Seat>& seat) {
  seat->left = true;
  if (seat->timer != 0) seat->loop.cancel(std::exchange(seat->timer, 0));
  {
    const std::lock_guard lock(mutex_);
    std::erase(seats_, seat);
    if (on_duty_ != seat) return;
    on_duty_ = nullptr;
    planned_ = false;
  }
  if (core_.has_timed_records()) plan();
}

void Sweeper::give_duty() {
  const std::lock_guard lock(mutex_);
  if (seats_.empty() || planned_.exchange(true)) return;
  on_duty_ = seats_.front();
  // Under the mutex: the seat cannot leave, so its loop is there.
  on_duty_->loop.post([this, seat = on_duty_] { run(seat); });
}

void Sweeper::run(const std::shared_ptr<Seat>& seat) {
  if (seat->left) return;
  seat->timer = 0;
  const std::optional<Milliseconds> next = core_.sweep();
  if (!next) {
    planned_ = false;
    // A record written before that store saw a planned sweep and kept quiet.
    if (core_.has_timed_records()) plan();
  } else if (next->count() == 0) {
    seat->loop.post([this, seat] { run(seat); });
  } else {
    seat->timer = seat->loop.after(std::min(*next, kPeriodMax), [this, seat] { run(seat); });
  }
}

}  // namespace holdfast::stores::memory
