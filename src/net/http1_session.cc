// HTTP/1.1 on one connection: requests are read as they come, answered in order, and the answers to everything
// that arrived together leave in one write.
#include "base/encoding.h"
#include "net/connection.h"
#include "net/http1_stream.h"
#include "wire/http/http1.h"

namespace holdfast::net {
namespace {

using State = http::Http1Parser::State;

constexpr std::size_t kFirstRead = 8 * 1024;
constexpr std::size_t kBodyRead = 12 * 1024;
// With the reads above, a connection costs about 32 KiB before the budget is asked.
constexpr std::int64_t kFreeBytes = 12 * 1024;
constexpr std::int64_t kChargeStep = 64 * 1024;
constexpr std::size_t kFlushAt = 64 * 1024;

// A body may take this long, and a second more for each 16 KiB announced.
Milliseconds body_time(std::uint64_t announced) {
  return std::chrono::seconds(30 + static_cast<std::int64_t>(std::min<std::uint64_t>(announced >> 14, 3600)));
}

// Whether the first line could be HTTP's at all; a peer that speaks something else is hung up on, not answered.
bool speaks_http(std::string_view received) {
  return received.substr(0, received.find('\n')).find(" HTTP/") != std::string_view::npos;
}

class Session {
 public:
  Session(Connection& connection, std::string received)
      : connection_(connection),
        parser_({connection.options().head_bytes_max, connection.options().body_bytes_max}),
        in_(std::move(received)),
        charge_(connection.budget(), kFreeBytes, kChargeStep) {}

  Task<void> run();

 private:
  enum class Next { read, stream, finish };
  Task<Next> consume();
  Task<bool> answer(http::Response* ready = nullptr);
  Task<bool> stream_answer();
  Task<bool> begin_stream();
  Task<bool> end_stream(Http1Stream& stream, http::Response& response);
  Task<bool> send_large(std::string_view body);
  Task<bool> flush();
  Task<void> refuse(int status, std::string_view text);
  Task<bool> send_continue();
  Task<bool> upgrade();
  bool wants_upgrade();
  Task<bool> read_more();
  void append(const http::Response& response);

  Connection& connection_;
  http::Http1Parser parser_;
  std::string in_;
  std::size_t at_ = 0;  // what of in_ has been parsed
  std::string out_;
  Charge charge_;
  bool head_begun_ = false;  // the next request's first byte has come, and its head is on the clock
  bool saw_head_ = false;
  bool answered_any_ = false;
};

Task<void> Session::run() {
  connection_.set_idle(false);
  for (;;) {
    const Next next = co_await consume();
    if (next == Next::finish) co_return;
    if (next == Next::stream) {
      // From here, where the coroutines that have read the request are gone: it may be long.
      if (!co_await stream_answer()) co_return;
      continue;
    }
    if (!out_.empty() && !co_await flush()) co_return;
    if (!co_await read_more()) co_return;
  }
}

// Takes all that in_ holds; returns when more bytes are needed, an answer comes in pieces, or the connection is done.
Task<Session::Next> Session::consume() {
  for (;;) {
    const std::size_t used = parser_.feed(std::string_view(in_).substr(at_));
    at_ += used;
    if (parser_.state() == State::failed) {
      if (!answered_any_ && parser_.request().target.empty() && !speaks_http(in_)) co_return Next::finish;
      co_await refuse(parser_.error_status(), parser_.error_text());
      co_return Next::finish;
    }
    if (parser_.state() == State::body && !saw_head_) {
      saw_head_ = true;
      connection_.expect_within(body_time(parser_.content_length()));
      if (parser_.expects_continue() && at_ == in_.size() && !co_await send_continue()) co_return Next::finish;
    }
    if (parser_.state() == State::body && !charge_.cover(parser_.request().body.size())) {
      append(connection_.handler().overloaded(parser_.request()));
      if (co_await flush()) co_await connection_.linger();
      co_return Next::finish;
    }
    if (parser_.state() == State::complete) {
      if (connection_.handler().wants_stream(parser_.request())) co_return Next::stream;
      if (!co_await answer()) co_return Next::finish;
      continue;
    }
    if (used == 0) co_return Next::read;
  }
}

void Session::append(const http::Response& response) {
  http::append_http1(out_, response, false, parser_.is_http10(), false, connection_.loop().date_line());
}

// Answers the request that is complete, with what is `ready` if there is anything. False when the connection is done.
Task<bool> Session::answer(http::Response* ready) {
  http::Request& request = parser_.request();
  http::Response made;
  http::Response& response = ready == nullptr ? made : *ready;
  if (ready == nullptr) {
    if (wants_upgrade() && co_await upgrade()) co_return false;
    connection_.expect_nothing();
    request.peer = connection_.peer();
    try {
      co_await connection_.handler().handle(request, response);
    } catch (const std::exception& e) {
      answer_failure(response, e);
    }
  }
  if (!charge_.cover(request.body.size() + response.body.size() + out_.size()))
    response = connection_.handler().overloaded(request);
  const bool keep = parser_.keep_alive() && !response.close && !connection_.draining();
  http::append_http1_head(out_, response, keep, parser_.is_http10(), connection_.loop().date_line());
  if (http::has_http1_body(response, request.method == http::Method::head)) {
    if (response.body.size() < kFlushAt) {
      out_ += response.body;
    } else if (!co_await send_large(response.body)) {
      co_return false;
    }
  }
  const bool cut_body = request.body_too_large;
  answered_any_ = true;
  parser_.reset();
  saw_head_ = false;
  head_begun_ = false;
  if (!keep) {
    if (co_await flush() && (cut_body || at_ < in_.size())) co_await connection_.linger();
    co_return false;
  }
  if (out_.size() >= kFlushAt) co_return co_await flush();
  co_return true;
}

// Leaves as little as it can: the answer may take days. False when the connection is done. Not inlined, so that the
// frames of what it calls do not become a part of the frame that lasts.
[[gnu::noinline]] Task<bool> Session::begin_stream() {
  if (wants_upgrade() && co_await upgrade()) co_return false;
  connection_.expect_nothing();
  if (!out_.empty() && !co_await flush()) co_return false;
  parser_.request().peer = connection_.peer();
  parser_.request().headers.shrink();
  if (at_ == in_.size()) {
    std::string().swap(in_);
    std::string().swap(out_);
    at_ = 0;
  }
  co_return true;
}

// An answer that comes in pieces, behind which the connection is done; or else in one. False when it is done.
Task<bool> Session::stream_answer() {
  if (!co_await begin_stream()) co_return false;
  http::Request& request = parser_.request();
  http::Response response;
  Cancellation cancel;
  request.cancel = &cancel;
  Http1Stream stream(connection_, request, !parser_.is_http10(), cancel);
  try {
    co_await connection_.handler().handle_stream(request, stream, response);
  } catch (const std::exception& e) {
    answer_failure(response, e);
  }
  request.cancel = nullptr;
  co_return co_await end_stream(stream, response);
}

[[gnu::noinline]] Task<bool> Session::end_stream(Http1Stream& stream, http::Response& response) {
  if (!stream.has_begun()) co_return co_await answer(&response);
  co_await stream.finish();
  co_return false;
}

// A large body is sent from where it is: copying it would double what a slow reader holds.
Task<bool> Session::send_large(std::string_view body) {
  if (!co_await connection_.write_all(out_)) co_return false;
  out_.clear();
  if (!co_await connection_.write_all(body)) co_return false;
  charge_.release();  // nothing is left for flush() to do, which else gives it back
  co_return true;
}

Task<bool> Session::flush() {
  bool failed = false;
  const std::size_t sent = connection_.write_now(out_, failed);
  bool ok = !failed;
  if (ok && (sent < out_.size() || connection_.has_backlog()))
    ok = co_await connection_.write_all(std::string_view(out_).substr(sent));
  out_.clear();
  if (out_.capacity() > 2 * kFlushAt) out_.shrink_to_fit();
  charge_.release();
  co_return ok;
}

Task<void> Session::refuse(int status, std::string_view text) {
  http::Response response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::string(text) + "\n";
  response.close = true;
  append(response);
  if (co_await flush()) co_await connection_.linger();
}

Task<bool> Session::send_continue() {
  out_ += "HTTP/1.1 100 Continue\r\n\r\n";
  co_return co_await flush();
}

bool Session::wants_upgrade() {
  const http::HeaderBlock& headers = parser_.request().headers;
  return connection_.options().h2 && !parser_.request().body_too_large && headers.has("http2-settings") &&
         iequals(headers.find("upgrade"), "h2c");
}

// True when the connection was handed over (and has ended by now).
Task<bool> Session::upgrade() {
  auto settings = base64url_decode(parser_.request().headers.find("http2-settings"));
  if (!settings) co_return false;
  out_ += "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
  if (!co_await flush()) co_return true;
  std::string rest = in_.substr(at_);
  co_await serve_http2_upgraded(connection_, std::move(rest), std::move(parser_.request()), std::move(*settings));
  co_return true;
}

Task<bool> Session::read_more() {
  in_.erase(0, at_);
  at_ = 0;
  const bool in_body = parser_.state() == State::body;
  const bool between = parser_.state() == State::head && in_.empty() && parser_.request().target.empty();
  if (between) {
    if (connection_.draining()) co_return false;
    connection_.expect_within(connection_.options().idle_timeout);
  } else if (!in_body) {
    if (connection_.draining()) co_return false;
    // Also for a head that began in the packet of the request before.
    if (!head_begun_) connection_.expect_within(connection_.options().header_timeout);
    head_begun_ = true;
  }
  connection_.set_idle(between);
  const std::size_t kept = in_.size();
  const std::size_t room = in_body ? kBodyRead : kFirstRead;
  in_.resize_and_overwrite(kept + room, [](char*, std::size_t n) { return n; });
  Transfer got;
  if (connection_.is_tls()) {
    got = co_await connection_.read(in_.data() + kept, room);
  } else {  // without a coroutine of its own
    got = co_await read_some(connection_.socket(), in_.data() + kept, room);
  }
  in_.resize(kept + got.bytes);
  connection_.set_idle(false);
  if (got.error) co_return false;
  if (between) connection_.expect_within(connection_.options().header_timeout);
  head_begun_ = true;
  if (!in_body && in_.capacity() > 4 * kBodyRead) in_.shrink_to_fit();
  co_return true;
}

}  // namespace

Task<void> serve_http1(Connection& connection, std::string received) {
  Session session(connection, std::move(received));
  co_await session.run();
}

}  // namespace holdfast::net
