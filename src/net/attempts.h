// What clients of one server have in common: when to try to connect, and what callers are told. Internal to net/.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/scheduler.h"
#include "base/task.h"

namespace holdfast::net {

// The errors that callers get, with who asks and whom in them.
class PeerTexts {
 public:
  // `name` may be empty: component "orders" (state.redis).
  PeerTexts(std::string name, std::string endpoint) : name_(std::move(name)), endpoint_(std::move(endpoint)) {}

  const std::string& endpoint() const { return endpoint_; }
  // "component "orders" (state.redis): ..."
  std::string about(std::string_view text) const;
  // outcome_unknown: a request was sent, and this is why there is no answer.
  Error sent_and(std::string_view why) const;
  // deadline_exceeded: nothing was sent.
  Error late() const;
  Error overloaded(std::size_t requests, std::size_t bytes) const;
  // unavailable: the client is, or was.
  Error closed() const;

 private:
  const std::string name_;
  const std::string endpoint_;
};

// Attempts to connect, one after the other for as long as somebody wants a connection, with pauses that grow while they
// fail. Of one loop.
class Attempts {
 public:
  Attempts(Scheduler& loop, const PeerTexts& texts, Milliseconds backoff_min, Milliseconds backoff_max)
      : loop_(loop), texts_(texts), backoff_min_(backoff_min), backoff_max_(backoff_max) {}
  Attempts(const Attempts&) = delete;
  Attempts& operator=(const Attempts&) = delete;

  // Somebody wants a connection. When that was is known as of the next look(), which costs a look at the clock.
  void ask() { asked_ = true; }
  void look(SteadyTime now) {
    if (std::exchange(asked_, false)) last_asked_ = now;
  }
  SteadyTime last_asked() const { return last_asked_; }
  // Whether somebody has asked within the last ten seconds: a server that comes back is connected to before it is
  // needed.
  bool is_wanted(SteadyTime now);
  // Until somebody asks again.
  void lose_interest();
  // Nobody wants a connection any more: the next one who does starts afresh.
  void forget();

  // Whether the last one has failed: callers fail until one succeeds.
  bool has_failed() const { return has_failed_; }
  std::uint64_t failures() const { return failures_; }
  // With the code that the attempt ended with.
  const Error& last_failure() const { return last_failure_; }
  // As told to a caller, to whom it is a server that cannot be reached.
  Error unreachable() const;
  void fail(const Error& why);
  void succeed();

  // After a connection or an attempt: whether the next one has to wait, and longer than the last.
  void space_out(bool is_no_better);
  bool is_pause_due() const { return backoff_.count() > 0; }
  Task<void> pause();
  void skip_pause();

 private:
  Scheduler& loop_;
  const PeerTexts& texts_;
  const Milliseconds backoff_min_;
  const Milliseconds backoff_max_;

  bool asked_ = false;
  SteadyTime last_asked_;
  bool has_failed_ = false;
  Error last_failure_;
  std::uint64_t failures_ = 0;
  Milliseconds backoff_{0};
  std::coroutine_handle<> paused_;
  Scheduler::TimerId pause_timer_ = 0;
};

}  // namespace holdfast::net
