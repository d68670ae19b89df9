// Who changes a record in place waits for whoever in this process changes it already: they come one after the other and
// do not undo each other's rounds. Without it, of two loops that go on at the same moment one could lose every time.
//
// Thread-safe. Waiters go on in the order in which they came, each on its own loop, never inside the end of the turn
// before. Outlives every Turn and every waiter.
#pragma once

#include <coroutine>
#include <deque>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/scheduler.h"

namespace holdfast::service {

class KeyTurns {
 public:
  // Held while it is one's turn.
  class Turn {
   public:
    Turn(KeyTurns& turns, std::string key) : turns_(&turns), key_(std::move(key)) {}
    Turn(Turn&& other) noexcept : turns_(std::exchange(other.turns_, nullptr)), key_(std::move(other.key_)) {}
    Turn& operator=(Turn&&) = delete;
    ~Turn() {
      if (turns_ != nullptr) turns_->leave(key_);
    }

   private:
    KeyTurns* turns_;
    std::string key_;
  };

  // `co_await turns.of(key, loop)` on that loop yields the Turn.
  auto of(std::string key, Scheduler& loop) {
    struct Wait {
      KeyTurns& turns;
      std::string key;
      Scheduler& loop;
      bool await_ready() const { return false; }
      bool await_suspend(std::coroutine_handle<> waiter) { return turns.enter(key, {waiter, &loop}); }
      Turn await_resume() { return Turn(turns, std::move(key)); }
    };
    return Wait{*this, std::move(key), loop};
  }

  bool empty() const {
    const std::lock_guard lock(mutex_);
    return held_.empty();
  }

 private:
  struct Waiter {
    std::coroutine_handle<> handle;
    Scheduler* loop;
  };

  // Whether the waiter has to wait. Where it has, it may have gone on before this returns.
  bool enter(const std::string& key, Waiter waiter) {
    const std::lock_guard lock(mutex_);
    const auto [held, is_free] = held_.try_emplace(key);
    if (!is_free) held->second.push_back(waiter);
    return !is_free;
  }

  void leave(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto held = held_.find(key);
    if (held->second.empty()) {
      held_.erase(held);
      return;
    }
    const Waiter next = held->second.front();
    held->second.pop_front();
    next.loop->post([handle = next.handle] { handle.resume(); });
  }

  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::deque<Waiter>> held_;
};

}  // namespace holdfast::service
