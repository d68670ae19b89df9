// Who changes a record in place waits for whoever changes it already: on one loop they come one after the other and do
// not undo each other's rounds.
//
// One loop's; not thread-safe. Waiters go on in the order in which they came, inside the leave() of the one before, and
// never on top of each other's stack.
#pragma once

#include <coroutine>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>

namespace holdfast::service {

class KeyTurns {
 public:
  // Held while it is one's turn. Must not outlive the KeyTurns.
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

  // `co_await turns.of(key)` yields the Turn.
  auto of(std::string key) {
    struct Wait {
      KeyTurns& turns;
      std::string key;
      bool await_ready() { return turns.held_.try_emplace(key).second; }
      void await_suspend(std::coroutine_handle<> waiter) { turns.held_.at(key).waiters.push_back(waiter); }
      Turn await_resume() { return Turn(turns, std::move(key)); }
    };
    return Wait{*this, std::move(key)};
  }

  bool empty() const { return held_.empty(); }

 private:
  struct Held {
    std::deque<std::coroutine_handle<>> waiters;
    bool is_passing_on = false;
    bool is_free = false;  // the one who had the turn left while it was being passed on
  };

  void leave(const std::string& key) {
    Held& held = held_.at(key);
    held.is_free = true;
    if (held.is_passing_on) return;
    held.is_passing_on = true;
    while (held.is_free && !held.waiters.empty()) {
      held.is_free = false;
      const std::coroutine_handle<> next = held.waiters.front();
      held.waiters.pop_front();
      next.resume();
    }
    held.is_passing_on = false;
    if (held.is_free) held_.erase(key);
  }

  std::unordered_map<std::string, Held> held_;
};

}  // namespace holdfast::service
