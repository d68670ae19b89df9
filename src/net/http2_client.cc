#include "net/http2_client.h"

#include <fmt/format.h>

#include "net/http2_client_core.h"
#include "net/tls.h"

namespace holdfast::net {

namespace {
constexpr std::size_t kStreamQueueMax = 1 << 20;  // of one stream's request, not sent yet
}

Http2Client::Http2Client(Loop& loop, Http2ClientOptions options)
    : core_(std::make_unique<Core>(loop, std::move(options))) {}
Http2Client::~Http2Client() = default;

Http2Client::Call Http2Client::call(const Http2Request& request, SteadyTime deadline) {
  return {*core_, core_->add(request, false, deadline)};
}
std::unique_ptr<Http2ClientStream> Http2Client::open(const Http2Request& request) {
  return std::make_unique<Http2ClientStream>(*core_, core_->add(request, true, SteadyTime::max()));
}
bool Http2Client::is_connected() const { return core_->is_connected(); }
std::size_t Http2Client::in_flight() const { return core_->in_flight(); }
Task<Status> Http2Client::connect(SteadyTime deadline) { return core_->connect(deadline); }
Task<void> Http2Client::close(SteadyTime deadline) { return core_->close(deadline); }
void Http2Client::reset(std::string reason) { core_->reset(std::move(reason)); }

Http2Client::Call::~Call() { core_.let_go(exchange_); }
bool Http2Client::Call::await_ready() const noexcept { return exchange_.is_done; }
void Http2Client::Call::await_suspend(std::coroutine_handle<> waiter) noexcept { exchange_.waiter = waiter; }
Status Http2Client::Call::await_resume() noexcept { return std::move(exchange_.result); }
Http2Answer& Http2Client::Call::answer() noexcept { return exchange_.answer; }

Http2ClientStream::~Http2ClientStream() { core_.let_go(exchange_); }
bool Http2ClientStream::write(std::string_view bytes) { return core_.write(exchange_, bytes); }
void Http2ClientStream::end_writing() { core_.end_writing(exchange_); }
void Http2ClientStream::cancel() { core_.cancel(exchange_); }
const Http2Answer& Http2ClientStream::answer() const { return exchange_.answer; }

bool Http2ClientStream::Read::await_ready() const noexcept {
  return exchange_.is_done || !exchange_.answer.body.empty();
}
void Http2ClientStream::Read::await_suspend(std::coroutine_handle<> waiter) noexcept {
  assert(!exchange_.waiter);
  exchange_.waiter = waiter;
}
Result<std::string> Http2ClientStream::Read::await_resume() {
  if (!exchange_.answer.body.empty()) return core_.take_body(exchange_);
  if (!exchange_.result) return fail(exchange_.result.error());
  return std::string();
}

Http2Client::Core::Core(Loop& loop, Http2ClientOptions options)
    : loop_(loop),
      options_(std::move(options)),
      texts_(options_.name, options_.endpoint.text()),
      attempts_(loop, texts_, options_.backoff_min, options_.backoff_max),
      changes_(loop),
      ping_pause_(options_.ping_pause),
      stream_silence_(options_.stream_silence) {
  assert(!options_.tls || options_.tls->alpn() == "h2");
}

Http2Client::Core::~Core() { assert(!running_ && background_ == 0 && sweep_timer_ == 0); }

bool Http2Client::Core::is_connected() const {
  return current_ && current_->is_up && !current_->ending && !current_->session.is_leaving();
}

std::optional<Error> Http2Client::Core::refusal(std::size_t bytes, SteadyTime deadline) const {
  if (closing_) return texts_.closed();
  if (attempts_.has_failed()) return attempts_.unreachable();
  if (deadline <= loop_.coarse_now()) return texts_.late();
  const std::size_t requests = exchanges_.calls() + exchanges_.streams();
  if (requests == 0) return std::nullopt;
  if (requests >= options_.requests_max || exchanges_.bytes() + bytes > options_.bytes_max)
    return texts_.overloaded(requests, exchanges_.bytes());
  return std::nullopt;
}

Http2Exchange& Http2Client::Core::add(const Http2Request& request, bool is_stream, SteadyTime deadline) {
  attempts_.ask();
  if (auto refused = refusal(Http2Exchanges::bytes_of(request), deadline)) {
    Http2Exchange& exchange = exchanges_.make({}, is_stream);
    exchanges_.finish(exchange, fail(std::move(*refused)));
    return exchange;
  }
  Http2Exchange& exchange = exchanges_.make(request, is_stream);
  exchange.deadline = deadline;
  exchange.is_waiting = true;
  waiting_.push_back(exchange);
  earliest_deadline_ = std::min(earliest_deadline_, deadline);
  if (is_connected()) {
    post_flush();
  } else {
    want_connection();
  }
  sweep_soon();
  return exchange;
}

// Started from the loop, because connecting may fail at once and callers would hear of it inside their call.
void Http2Client::Core::want_connection() {
  attempts_.ask();
  if (std::exchange(running_, true)) return;
  loop_.post([this] { start(run()); });
}

Task<Status> Http2Client::Core::connect(SteadyTime deadline) {
  const Background here(background_, changes_);
  if (is_connected()) co_return Status();
  if (closing_) co_return fail(texts_.closed());
  want_connection();
  attempts_.skip_pause();
  ++connecting_;
  sweep_soon();
  const std::uint64_t failures = attempts_.failures();
  while (!is_connected() && !closing_ && attempts_.failures() == failures &&
         std::chrono::steady_clock::now() < deadline)
    co_await changes_;
  --connecting_;
  if (is_connected()) co_return Status();
  if (closing_) co_return fail(texts_.closed());
  if (attempts_.failures() != failures) co_return fail(attempts_.last_failure());
  co_return fail(Errc::deadline_exceeded,
                 texts_.about(fmt::format("the time was up before {} was connected to", texts_.endpoint())));
}

Task<void> Http2Client::Core::close(SteadyTime deadline) {
  closing_ = true;
  close_deadline_ = std::min(close_deadline_, deadline);
  changes_.notify();
  attempts_.skip_pause();
  end_streams(texts_.closed());
  end_if_drained();
  if (running_ || background_ > 0) sweep_soon();
  while (running_ || background_ > 0) co_await changes_;
  if (sweep_timer_ != 0) loop_.cancel(std::exchange(sweep_timer_, 0));
  sweep_is_soon_ = false;
}

void Http2Client::Core::reset(std::string reason) {
  if (current_) current_->end(End::reset, Error(Errc::unavailable, std::move(reason)));
}

void Http2Client::Core::post_flush() {
  if (std::exchange(flush_posted_, true)) return;
  ++background_;
  loop_.post([this] {
    flush_posted_ = false;
    flush();
    --background_;
    if (closing_) changes_.notify();
  });
}

void Http2Client::Core::flush() {
  for_each_connection([this](Http2Connection& connection) { flush(connection); });
  end_if_drained();
  exchanges_.resume_all();
}

void Http2Client::Core::flush(Http2Connection& connection) {
  if (!connection.is_open || connection.ending || connection.is_flushing_rest) return;
  do {
    submit_waiting(connection);
    if (!connection.send()) {
      if (connection.socket.can_write()) start(flush_rest(connection));
      return;
    }
  } while (&connection == current_.get() && !waiting_.empty() && connection.session.has_room());
  if (const std::string& why = connection.session.failure(); !why.empty())
    connection.end(End::lost, Error(Errc::unavailable, why));
}

void Http2Client::Core::submit_waiting(Http2Connection& connection) {
  if (&connection != current_.get()) return;
  while (!waiting_.empty() && connection.session.has_room()) {
    Http2Exchange& exchange = *waiting_.first();
    waiting_.erase(exchange);
    exchange.is_waiting = false;
    connection.session.submit(exchange);
  }
}

Task<void> Http2Client::Core::flush_rest(Http2Connection& connection) {
  const Background here(background_, changes_);
  connection.is_flushing_rest = true;
  while (!connection.ending && connection.socket.can_write()) {
    co_await connection.socket.writable();
    if (connection.ending || connection.send()) break;
  }
  connection.is_flushing_rest = false;
  post_flush();  // what came meanwhile
}

// Nobody is to answer it any more.
void Http2Client::Core::take_out(Http2Exchange& exchange, Status result) {
  exchanges_.finish(exchange, std::move(result));
  if (exchange.session != nullptr) {
    exchange.session->cancel(exchange);
  } else if (std::exchange(exchange.is_waiting, false)) {
    waiting_.erase(exchange);
    exchanges_.leave(exchange);
    return;
  }
  post_flush();
}

void Http2Client::Core::fail_waiting(const Error& why) {
  while (!waiting_.empty()) {
    Http2Exchange& exchange = *waiting_.first();
    waiting_.erase(exchange);
    exchange.is_waiting = false;
    exchanges_.finish(exchange, fail(why));
    exchanges_.leave(exchange);
  }
}

void Http2Client::Core::end_streams(const Error& why) {
  for (Http2Exchange* exchange = waiting_.first(); exchange != nullptr;) {
    Http2Exchange* const next = exchange->next;
    if (exchange->is_stream) take_out(*exchange, fail(why));
    exchange = next;
  }
  for_each_connection([&](Http2Connection& connection) { connection.session.cancel_streams(why); });
  post_flush();  // which resumes those who read them
}

void Http2Client::Core::let_go(Http2Exchange& exchange) {
  if (!exchange.is_done) take_out(exchange, fail(Errc::unavailable, "nobody waits for it any more"));
  exchanges_.let_go(exchange);
}

void Http2Client::Core::cancel(Http2Exchange& exchange) {
  if (exchange.is_done) return;
  take_out(exchange, fail(Errc::unavailable, texts_.about("the stream was cancelled")));
  post_flush();
}

bool Http2Client::Core::write(Http2Exchange& exchange, std::string_view bytes) {
  if (exchange.is_done || exchange.out_ended) return false;
  const std::size_t unsent = exchange.out.size() - exchange.out_at;
  if (unsent > 0 && unsent + bytes.size() > kStreamQueueMax) return false;
  exchange.out.erase(0, std::exchange(exchange.out_at, 0));
  exchange.out += bytes;
  if (exchange.session != nullptr) {
    exchange.session->resume(exchange);
    post_flush();
  }
  return true;
}

void Http2Client::Core::end_writing(Http2Exchange& exchange) {
  if (std::exchange(exchange.out_ended, true) || exchange.session == nullptr) return;
  exchange.session->resume(exchange);
  post_flush();
}

std::string Http2Client::Core::take_body(Http2Exchange& exchange) {
  std::string body = std::exchange(exchange.answer.body, {});
  if (exchange.session != nullptr && !exchange.is_done) {
    exchange.session->consume(exchange, body.size());
    if (exchange.session->has_output()) post_flush();
  }
  return body;
}

}  // namespace holdfast::net
