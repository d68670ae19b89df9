// One connection after another, for as long as somebody wants one.
#include <fmt/format.h>

#include "base/log.h"
#include "net/pipeline_core.h"

namespace holdfast::net {

namespace {

constexpr std::size_t kReadBytes = 16 << 10;

}  // namespace

Task<void> Pipeline::Core::run() {
  while (is_wanted()) {
    co_await converse();
    if (attempts_.is_pause_due() && is_wanted()) co_await attempts_.pause();
  }
  state_ = State::idle;
  attempts_.forget();
  FinishedCalls finished;
  usual_.fail_all(texts_.closed(), texts_.closed(), finished);  // only when close() could not wait for them
  finished.resume_all();
  running_ = false;
  changes_.notify();
}

bool Pipeline::Core::is_wanted() {
  const SteadyTime now = std::chrono::steady_clock::now();
  if (closing_) return !usual_.empty() && now < close_deadline_;
  const bool is_asked_for = attempts_.is_wanted(now);
  return is_asked_for || !usual_.empty();
}

Task<void> Pipeline::Core::converse() {
  state_ = State::connecting;
  attempt_deadline_ = std::chrono::steady_clock::now() + options_.connect_timeout;
  has_answered_ = false;
  stream_ = std::make_unique<ClientStream>(loop_, options_.endpoint, options_.tls);
  sweep_soon();
  const Status opened = co_await stream_->open(attempt_deadline_);
  if (!opened) {
    end(End::lost, opened.error());
  } else if (!end_) {
    framing_ = options_.framing();
    greet();
    co_await read_replies();
  }
  fail_greeting();
  while (is_greeting_ || flushing_rest_) co_await changes_;
  conclude();
}

void Pipeline::Core::greet() {
  state_ = State::greeting;
  if (!options_.greeting) return on_greeted(Status());
  is_greeting_ = true;
  start(options_.greeting(owner_), [this](Status status) {
    is_greeting_ = false;
    on_greeted(std::move(status));
  });
}

void Pipeline::Core::on_greeted(Status status) {
  changes_.notify();
  if (end_) return;
  if (!status) return end(End::lost, std::move(status.error()));
  state_ = State::up;
  attempts_.succeed();
  post_flush();
}

Task<void> Pipeline::Core::read_replies() {
  while (!end_) {
    in_.shrink();
    const auto room = in_.room(kReadBytes);
    const std::size_t got = co_await stream_->read(room.data(), room.size());
    if (got == 0) end(End::lost, Error(Errc::unavailable, stream_->failure()));
    if (end_) break;
    in_.commit(got);
    heard_ = true;
    dispatch();
    // Here and not in a sweep: the next read goes into this memory.
    if (usual_.empty()) in_.shrink();
    end_if_drained();
  }
}

void Pipeline::Core::dispatch() {
  while (!end_) {
    const std::string_view bytes = in_.view().substr(held_);
    if (bytes.empty()) return;
    const auto size = framing_->scan(bytes);
    if (!size) return end(End::lost, Error(Errc::unavailable, "it broke the protocol: " + size.error().message));
    if (*size == 0) return;
    take_reply(*size);
  }
}

void Pipeline::Core::take_reply(std::size_t size) {
  const std::string_view reply = in_.view().substr(held_, size);
  if (framing_->is_push(reply)) {
    if (options_.on_push) options_.on_push(reply);
    return in_.erase(held_, size);
  }
  // What the Greeting has asked was sent before anything else.
  RequestQueue& queue = first_.is_reply_due() ? first_ : usual_;
  if (!queue.is_reply_due())
    return end(End::lost, Error(Errc::unavailable, "it broke the protocol: it sent a reply that nobody had asked for"));
  has_answered_ |= &queue == &usual_;
  held_ += size;
  if (!queue.count_reply()) return;
  queue.answer(in_.view().substr(0, held_));
  in_.consume(std::exchange(held_, 0));
}

void Pipeline::Core::end(End kind, Error why) {
  if (!stream_ || end_) return;
  end_ = {kind, std::move(why)};
  stream_->close();
}

void Pipeline::Core::end_if_drained() {
  if (closing_ && usual_.empty()) end(End::closed, Error(Errc::unavailable, "the connection was closed"));
}

void Pipeline::Core::fail_greeting() {
  FinishedCalls finished;
  first_.fail_all(end_->why, end_->why, finished);
  finished.resume_all();
}

// Settles everything, and only then lets others hear of it.
void Pipeline::Core::conclude() {
  const Ending ended = std::move(*end_);
  const bool was_up = state_ == State::up;
  const bool is_lost = ended.kind == End::lost || ended.kind == End::silent;
  forget_connection();
  // A server that accepts connections only to close them is no better than one that does not.
  const bool is_no_better = is_lost ? !has_answered_ : ended.kind == End::reset && !was_up;
  attempts_.space_out(is_no_better);
  if (ended.kind == End::idle) attempts_.lose_interest();
  FinishedCalls finished;
  if (is_lost && !was_up) {
    fail_attempt(ended.why, finished);
  } else {
    if (is_lost) log_loss(ended.why);
    const Error if_sent = texts_.sent_and(ended.why.message);
    usual_.fail_sent(if_sent, finished);
    // The kernel of a stuck peer goes on accepting connections: nobody is held up until that has timed out too.
    if (ended.kind == End::silent) fail_attempt(ended.why, finished);
    if (ended.kind == End::closed) usual_.fail_all(if_sent, texts_.closed(), finished);
  }
  changes_.notify();
  if (options_.on_lost && (is_lost || ended.kind == End::reset)) options_.on_lost();
  finished.resume_all();
}

void Pipeline::Core::forget_connection() {
  end_.reset();
  stream_.reset();
  framing_.reset();
  in_.clear();
  in_.shrink();
  held_ = 0;
  state_ = State::connecting;
  attempt_deadline_ = SteadyTime::max();
}

// Nothing was sent.
void Pipeline::Core::fail_attempt(const Error& why, FinishedCalls& finished) {
  attempts_.fail(why);
  const Error to_calls = attempts_.unreachable();
  usual_.fail_all(to_calls, to_calls, finished);
}

// A connection that rested when it was closed, as servers do after a while, is no trouble.
void Pipeline::Core::log_loss(const Error& why) {
  log::write(usual_.is_reply_due() ? log::Level::warning : log::Level::debug, "holdfast.net",
             texts_.about(fmt::format("lost the connection to {}: {}", options_.endpoint.text(), why.message)));
}

}  // namespace holdfast::net
