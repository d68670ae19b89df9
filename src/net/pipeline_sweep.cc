// What a Pipeline does by the clock, in one timer: nobody's request sets one of its own.
#include <fmt/format.h>

#include "net/pipeline_core.h"

namespace holdfast::net {

namespace {
constexpr Milliseconds kSweep{20};
}

void Pipeline::Core::sweep_soon() {
  if (sweep_is_soon_) return;
  if (sweep_timer_ != 0) loop_.cancel(sweep_timer_);
  sweep_is_soon_ = true;
  last_sweep_ = std::chrono::steady_clock::now();
  sweep_after(kSweep);
}

void Pipeline::Core::sweep_after(Milliseconds delay) {
  sweep_timer_ = loop_.after(delay, [this] {
    sweep_timer_ = 0;
    sweep();
  });
}

void Pipeline::Core::sweep() {
  sweep_is_soon_ = false;
  const SteadyTime now = std::chrono::steady_clock::now();
  attempts_.look(now);
  FinishedCalls finished;
  expire_calls(now, finished);
  if (state_ != State::up && now >= attempt_deadline_)
    end(End::lost,
        Error(Errc::unavailable, fmt::format("no connection within {} ms", options_.connect_timeout.count())));
  watch_silence(now);
  if (closing_ && now >= close_deadline_) end(End::closed, Error(Errc::unavailable, "the connection was closed"));
  end_if_drained();
  if (connecting_ > 0) changes_.notify();
  plan_next_sweep(now);
  finished.resume_all();
}

void Pipeline::Core::expire_calls(SteadyTime now, FinishedCalls& finished) {
  if (!first_.may_be_late(now) && !usual_.may_be_late(now)) return;
  const Error if_sent = texts_.sent_and("the time was up");
  const Error if_not = texts_.late();
  first_.expire(now, if_sent, if_not, finished);
  usual_.expire(now, if_sent, if_not, finished);
}

// Silence is counted in sweeps, each of which counts for a bounded time: when this process was stopped for a while,
// replies lie in the socket and the peer is not to blame. Nor is it while it takes a huge request.
void Pipeline::Core::watch_silence(SteadyTime now) {
  const auto passed = std::chrono::duration_cast<Milliseconds>(now - std::exchange(last_sweep_, now));
  const RequestQueue& queue = first_.is_reply_due() ? first_ : usual_;
  const bool takes_more = queue.is_oldest_on_its_way() && queue.sent_bytes() != last_sent_;
  last_sent_ = queue.sent_bytes();
  if (std::exchange(heard_, false) || takes_more || !queue.is_reply_due()) {
    silent_for_ = Milliseconds(0);
  } else {
    silent_for_ += std::min(passed, kSweep * 5);
    if (silent_for_ >= options_.reply_timeout)
      end(End::silent, Error(Errc::unavailable, fmt::format("no reply for {} ms", silent_for_.count())));
  }
}

void Pipeline::Core::plan_next_sweep(SteadyTime now) {
  const bool is_busy = !first_.empty() || !usual_.empty() || connecting_ > 0 || (closing_ && running_) ||
                       state_ == State::connecting || state_ == State::greeting;
  if (is_busy) return sweep_soon();
  usual_.shrink();
  if (state_ != State::up || options_.idle_close.count() == 0) return;
  const auto idle_for = std::chrono::floor<Milliseconds>(now - attempts_.last_asked());
  if (idle_for >= options_.idle_close) return end(End::idle, Error(Errc::unavailable, "nobody used it"));
  sweep_after(options_.idle_close - idle_for);
}

}  // namespace holdfast::net
