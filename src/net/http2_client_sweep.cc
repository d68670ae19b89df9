// What an Http2Client does by the clock, in one timer: nobody's request sets one of its own.
#include <fmt/format.h>

#include "net/http2_client_core.h"

namespace holdfast::net {

namespace {

constexpr Milliseconds kSweep{20};
constexpr Milliseconds kStreamSweep{1000};  // while nothing but long streams is open
// A sweep that comes late counts for little more than one in time: when this process was stopped for a while, answers
// lie in the socket and the peer is not to blame.
constexpr Milliseconds kLate = kSweep * 4;

}  // namespace

void Http2Client::Core::sweep_soon() {
  if (sweep_is_soon_) return;
  if (sweep_timer_ != 0) loop_.cancel(sweep_timer_);
  sweep_is_soon_ = true;
  last_sweep_ = std::chrono::steady_clock::now();
  sweep_after(kSweep);
}

void Http2Client::Core::sweep_after(Milliseconds delay) {
  sweep_timer_ = loop_.after(delay, [this] {
    sweep_timer_ = 0;
    sweep();
  });
}

void Http2Client::Core::sweep() {
  const SteadyTime now = std::chrono::steady_clock::now();
  const Milliseconds pace = std::exchange(sweep_is_soon_, false) ? kSweep : kStreamSweep;
  const auto since_last = std::chrono::duration_cast<Milliseconds>(now - std::exchange(last_sweep_, now));
  const Milliseconds passed = std::min(since_last, pace + kLate);
  attempts_.look(now);
  expire(now);
  end_late_attempt(now);
  for_each_connection([&](Http2Connection& connection) { watch_silence(connection, passed, now); });
  if (closing_ && now >= close_deadline_)
    for_each_connection([](Http2Connection& connection) {
      connection.end(End::closed, Error(Errc::unavailable, "the connection was closed"));
    });
  end_if_drained();
  if (connecting_ > 0) changes_.notify();
  plan_next_sweep();
  exchanges_.resume_all();
}

void Http2Client::Core::expire(SteadyTime now) {
  if (now < earliest_deadline_) return;
  earliest_deadline_ = SteadyTime::max();
  expire_waiting(now);
  for_each_connection([&](Http2Connection& connection) { expire_open(connection, now); });
}

void Http2Client::Core::expire_waiting(SteadyTime now) {
  for (Http2Exchange* exchange = waiting_.first(); exchange != nullptr;) {
    Http2Exchange& one = *std::exchange(exchange, exchange->next);
    if (one.deadline <= now) {
      take_out(one, fail(texts_.late()));
    } else {
      earliest_deadline_ = std::min(earliest_deadline_, one.deadline);
    }
  }
}

void Http2Client::Core::expire_open(Http2Connection& connection, SteadyTime now) {
  for (Http2Exchange* exchange = connection.session.open().first(); exchange != nullptr; exchange = exchange->next) {
    if (exchange->is_done) continue;
    if (exchange->deadline <= now) {
      take_out(*exchange, fail(exchange->is_sent ? texts_.sent_and("the time was up") : texts_.late()));
    } else {
      earliest_deadline_ = std::min(earliest_deadline_, exchange->deadline);
    }
  }
}

void Http2Client::Core::end_late_attempt(SteadyTime now) {
  if (!current_ || current_->is_up || now < attempt_deadline_) return;
  const auto limit = options_.connect_timeout.count();
  current_->end(End::lost,
                Error(Errc::unavailable, current_->is_open
                                             ? fmt::format("it did not say within {} ms that it speaks HTTP/2", limit)
                                             : fmt::format("no connection within {} ms", limit)));
}

// A server that says nothing is asked whether it is there, and given up when it does not say so. Nor is it silent while
// it takes a huge request.
void Http2Client::Core::watch_silence(Http2Connection& connection, Milliseconds passed, SteadyTime now) {
  const bool takes_more = connection.is_flushing_rest && connection.written != connection.last_written;
  connection.last_written = connection.written;
  const bool is_quiet = connection.is_up && !connection.ending && !connection.session.open().empty();
  if (std::exchange(connection.has_heard, false) || takes_more || !is_quiet) {
    connection.silent_for = connection.ping_unanswered_for = Milliseconds(0);
    return;
  }
  connection.silent_for += passed;
  if (connection.session.is_ping_due()) {
    connection.ping_unanswered_for += passed;
    if (connection.ping_unanswered_for >= options_.reply_timeout)
      connection.end(End::silent,
                     Error(Errc::unavailable, fmt::format("no reply for {} ms", connection.silent_for.count())));
    return;
  }
  const Milliseconds limit = connection.session.open_calls() > 0 ? options_.reply_timeout : stream_silence_;
  if (connection.silent_for < limit || now - connection.last_ping < ping_pause_) return;
  connection.last_ping = now;
  connection.session.ping();
  post_flush();
}

void Http2Client::Core::plan_next_sweep() {
  const bool is_connecting = running_ && (!current_ || !current_->is_up);
  const bool is_asking = current_ && current_->session.is_ping_due();
  if (exchanges_.calls() > 0 || !waiting_.empty() || !leaving_.empty() || connecting_ > 0 || is_connecting ||
      is_asking || (closing_ && running_))
    return sweep_soon();
  if (current_ && current_->out.empty()) current_->out = {};
  if (exchanges_.streams() > 0) sweep_after(kStreamSweep);
}

}  // namespace holdfast::net
