// What is sent again and when: the decisions of a call, without I/O and without a clock of its own.
#pragma once

#include <chrono>
#include <optional>

#include "failures.h"
#include "holdfast/client.h"

namespace holdfast::detail {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// What a second sending would do, which decides whether there may be one.
enum class Nature {
  read,
  guarded,  // a write that is refused if it was applied already: its etag is gone then, or its key is there
  write,    // any other: sent again, it might undo what somebody else wrote meanwhile, or count twice
};

// What a failure says of the request that was sent.
enum class Fate {
  final,      // the sidecar has judged it: again would be the same
  untouched,  // nothing was applied, and another time it may be
  lost,       // it may have been applied, and nobody said
};

Fate fate_of(const Error& error);

// The pause after sending number `attempt`, from 1. chance: from 0 to 1.
milliseconds delay_after(const Retry& retry, int attempt, double chance);

// The sendings of one call.
class Attempts {
 public:
  Attempts(Nature nature, Timeout timeout, Retry retry, Clock::time_point now);

  // Begins a sending: how long it may take, at least a millisecond; none: for ever.
  Timeout begin(Clock::time_point now);

  // What follows a failed sending: a pause and another one, or the error that the call ends with.
  struct Next {
    milliseconds pause{0};
    ErrorPtr error = {};
  };
  Next failed(const ErrorPtr& error, Clock::time_point now, double chance);

  // The error that a call ends with whose last failure was this one.
  ErrorPtr ended(const ErrorPtr& error) const;
  // Whether an earlier sending may have been applied: a condition that fails now may have failed by that.
  bool is_lost() const { return is_lost_; }

 private:
  Nature nature_;
  Retry retry_;
  std::optional<Clock::time_point> deadline_;
  int attempt_ = 0;
  bool is_lost_ = false;
};

}  // namespace holdfast::detail
