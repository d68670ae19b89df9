// One connection after another, for as long as somebody wants one.
#include <fmt/format.h>

#include "base/log.h"
#include "net/http2_client_core.h"

namespace holdfast::net {

namespace {

constexpr std::size_t kReadBytes = 16 << 10;
constexpr std::size_t kFlushAt = 128 << 10;
// A server that asks us to move on again and again, while calls on the connections before are not answered.
constexpr std::size_t kLeavingMax = 8;
constexpr Milliseconds kCalmest = std::chrono::minutes(5);

}  // namespace

Http2Connection::Http2Connection(Loop& loop, const Http2ClientOptions& options, const PeerTexts& texts,
                                 Http2Exchanges& exchanges)
    : socket(loop, options.endpoint, options.tls),
      session(options, texts, exchanges),
      in(std::make_unique_for_overwrite<char[]>(kReadBytes)) {}

bool Http2Connection::send() {
  if (socket.has_backlog()) socket.write_now({});
  for (;;) {
    if (out_at == out.size()) {
      out.clear();
      out_at = 0;
      session.take_output(out, kFlushAt);
      if (out.empty()) return !socket.has_backlog();
    }
    const std::size_t sent = socket.write_now(std::string_view(out).substr(out_at));
    out_at += sent;
    written += sent;
    if (out_at < out.size() || socket.has_backlog()) return false;
  }
}

void Http2Connection::end(End kind, Error why) {
  if (ending) return;
  ending = {kind, std::move(why)};
  if (kind == End::closed && is_open && !is_flushing_rest) {
    session.say_goodbye();
    send();
  }
  socket.close();
}

std::string Http2Connection::reason() const {
  std::string why = socket.failure();
  if (!session.farewell().empty()) why += fmt::format(" and said {}", session.farewell());
  if (!is_up) why += ", before it had said that it speaks HTTP/2";
  return why;
}

Task<void> Http2Client::Core::run() {
  while (is_wanted()) {
    co_await converse();
    if (attempts_.is_pause_due() && is_wanted()) co_await attempts_.pause();
  }
  attempts_.forget();
  fail_waiting(texts_.closed());  // only when close() could not wait for them
  exchanges_.resume_all();
  running_ = false;
  changes_.notify();
}

bool Http2Client::Core::is_wanted() {
  const SteadyTime now = std::chrono::steady_clock::now();
  if (closing_) return !waiting_.empty() && now < close_deadline_;
  const bool is_asked_for = attempts_.is_wanted(now);
  return is_asked_for || !waiting_.empty();
}

Task<void> Http2Client::Core::converse() {
  attempt_deadline_ = std::chrono::steady_clock::now() + options_.connect_timeout;
  current_ = std::make_unique<Http2Connection>(loop_, options_, texts_, exchanges_);
  sweep_soon();
  co_await open();
  co_await read(*current_);
  if (!current_->ending) co_return leave();
  while (current_->is_flushing_rest) co_await changes_;
  conclude();
}

Task<void> Http2Client::Core::open() {
  Http2Connection& connection = *current_;
  Status opened = co_await connection.socket.open(attempt_deadline_);
  if (opened) opened = check_protocol();
  if (!opened) connection.end(End::lost, std::move(opened.error()));
  if (connection.ending) co_return;
  connection.is_open = true;
  post_flush();  // the preface
}

Status Http2Client::Core::check_protocol() const {
  const std::string_view chosen = current_->socket.protocol();
  if (chosen.empty() || chosen == "h2") return Status();
  return fail(Errc::unavailable, fmt::format("TLS: it chose to speak \"{}\" and not HTTP/2", chosen));
}

// Until the connection has ended or, when it is the one that takes calls, takes none any more.
Task<void> Http2Client::Core::read(Http2Connection& connection) {
  while (!connection.ending) {
    const std::size_t got = co_await connection.socket.read(connection.in.get(), kReadBytes);
    if (got == 0) connection.end(End::lost, Error(Errc::unavailable, connection.reason()));
    if (connection.ending) co_return;
    receive(connection, {connection.in.get(), got});
    if (&connection == current_.get() && !connection.ending && connection.session.is_leaving()) co_return;
  }
}

void Http2Client::Core::receive(Http2Connection& connection, std::string_view bytes) {
  connection.has_heard = true;
  Http2ClientSession& session = connection.session;
  session.receive(bytes, loop_.coarse_now());
  if (session.is_failing() && !connection.is_flushing_rest) connection.send();  // the server is told, too
  if (!session.failure().empty()) {
    connection.end(End::lost, Error(Errc::unavailable, session.failure()));
  } else if (!connection.is_up && session.is_ready()) {
    connection.is_up = true;
    attempts_.succeed();
    changes_.notify();
  }
  if (session.has_output() || !waiting_.empty()) post_flush();
  end_if_drained();
  exchanges_.resume_all();
}

// Of connections that take no calls any more, those that have no more to answer.
void Http2Client::Core::end_if_drained() {
  const auto end = [](Http2Connection& connection) {
    connection.end(End::closed, Error(Errc::unavailable, "the connection was closed"));
  };
  for (const auto& connection : leaving_)
    if (connection->session.open().empty()) end(*connection);
  if (closing_ && exchanges_.calls() == 0) for_each_connection(end);
}

// The server wants us to move to another connection.
void Http2Client::Core::leave() {
  Http2Connection& connection = *current_;
  attempts_.space_out(!connection.session.has_answered());
  calm_down(connection);
  leaving_.push_back(std::move(current_));
  attempt_deadline_ = SteadyTime::max();
  const std::string& farewell = connection.session.farewell();
  connection.session.cancel_streams(
      Error(Errc::unavailable, texts_.about(fmt::format("{} asked us to make another connection{}{}", texts_.endpoint(),
                                                        farewell.empty() ? "" : ": ", farewell))));
  if (leaving_.size() > kLeavingMax)
    leaving_.front()->end(End::lost, Error(Errc::unavailable, "it asked us to make another connection too often"));
  post_flush();
  start(drain(connection));
}

Task<void> Http2Client::Core::drain(Http2Connection& connection) {
  const Background here(background_, changes_);
  co_await read(connection);
  while (connection.is_flushing_rest) co_await changes_;
  forget_drained(connection);
}

void Http2Client::Core::forget_drained(Http2Connection& connection) {
  if (connection.ending->kind != End::closed) log_loss(connection);
  give_up(connection);
  std::erase_if(leaving_, [&](const auto& one) { return one.get() == &connection; });
  exchanges_.resume_all();
}

// Settles everything, and only then lets others hear of it.
void Http2Client::Core::conclude() {
  const std::unique_ptr<Http2Connection> connection = std::move(current_);
  attempt_deadline_ = SteadyTime::max();
  const auto& [kind, why] = *connection->ending;
  const bool was_up = connection->is_up;
  const bool is_lost = kind == End::lost || kind == End::silent;
  // A server that accepts connections only to close them is no better than one that does not.
  attempts_.space_out(is_lost ? !connection->session.has_answered() : kind == End::reset && !was_up);
  calm_down(*connection);
  if (is_lost && was_up) log_loss(*connection);
  give_up(*connection);
  // The kernel of a stuck peer goes on accepting connections: nobody is held up until that has timed out too.
  if (is_lost && (!was_up || kind == End::silent)) fail_attempt(why);
  if (kind == End::closed) fail_waiting(texts_.closed());
  changes_.notify();
  if (options_.on_lost && (is_lost || kind == End::reset)) options_.on_lost();
  exchanges_.resume_all();
}

// What was not sent goes first on the next connection.
void Http2Client::Core::give_up(Http2Connection& connection) {
  Http2ExchangeList unsent;
  connection.session.give_up(texts_.sent_and(connection.ending->why.message), unsent);
  Http2ExchangeList later = std::exchange(waiting_, unsent);
  while (!later.empty()) {
    Http2Exchange& exchange = *later.first();
    later.erase(exchange);
    waiting_.push_back(exchange);
  }
}

void Http2Client::Core::fail_attempt(const Error& why) {
  attempts_.fail(why);
  fail_waiting(attempts_.unreachable());
}

// A connection that rested when it was closed, as servers do after a while, is no trouble.
void Http2Client::Core::log_loss(const Http2Connection& connection) {
  log::write(
      connection.session.open().empty() ? log::Level::debug : log::Level::warning, "holdfast.net",
      texts_.about(fmt::format("lost the connection to {}: {}", texts_.endpoint(), connection.ending->why.message)));
}

void Http2Client::Core::calm_down(const Http2Connection& connection) {
  if (!connection.session.was_told_to_calm_down()) return;
  ping_pause_ = std::max(ping_pause_, std::min(ping_pause_ * 2, kCalmest));
  stream_silence_ = std::max(stream_silence_, std::min(stream_silence_ * 2, kCalmest));
}

}  // namespace holdfast::net
