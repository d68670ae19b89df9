#include "net/http2_client_session.h"

#include <fmt/format.h>

#include <new>

#include "net/http2_memory.h"
#include "net/http2_session.h"

namespace holdfast::net {

namespace {

// A stream's window bounds what a reader that is slow makes us hold. The connection's is opened as soon as something
// has come, so that one such reader holds up nobody else.
constexpr std::uint32_t kStreamWindow = 1 << 20;
constexpr std::int32_t kConnectionWindow = 16 << 20;
constexpr std::size_t kHeadBytesMax = 64 << 10;
// A second. Generous: servers in Go measure the line with a PING for each piece of data they read.
constexpr std::uint32_t kControlMax = 100'000;
// Answers to those that the server has not taken yet; more than those to one read of ours.
constexpr std::size_t kAnswersMax = 4096;

nghttp2_option* session_options() {
  nghttp2_option* made = nullptr;
  nghttp2_option_new(&made);
  nghttp2_option_set_no_auto_window_update(made, 1);
  nghttp2_option_set_max_outbound_ack(made, kAnswersMax);
  nghttp2_option_set_max_reserved_remote_streams(made, 0);
  return made;
}

std::string authority_of(const Http2ClientOptions& options) {
  if (!options.authority.empty()) return options.authority;
  return options.endpoint.unix_path.empty() ? options.endpoint.text() : "localhost";
}

bool is_http1(std::string_view bytes) { return bytes.starts_with("HTTP/1."); }

}  // namespace

Http2ClientSession::Http2ClientSession(const Http2ClientOptions& options, const PeerTexts& texts,
                                       Http2Exchanges& exchanges)
    : options_(options), texts_(texts), exchanges_(exchanges), authority_(authority_of(options)) {
  static nghttp2_option* const session = session_options();
  if (nghttp2_session_client_new3(&h2_, http2_client_callbacks(), this, session, http2_memory()) != 0)
    throw std::bad_alloc();
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kHeadBytesMax},
  };
  nghttp2_submit_settings(h2_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(h2_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
}

Http2ClientSession::~Http2ClientSession() {
  assert(open_.empty());
  nghttp2_session_del(h2_);
}

void Http2ClientSession::receive(std::string_view bytes, SteadyTime now) {
  if (!failure_.empty()) return;
  now_ = now;
  const ssize_t used = nghttp2_session_mem_recv(h2_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  if (consumed_ > 0) nghttp2_session_consume_connection(h2_, std::exchange(consumed_, 0));
  if (!is_ready_ && !failure_.empty() && is_http1(bytes)) failure_ += ": it answers in HTTP/1.1";
  if (used >= 0 || !failure_.empty()) return;
  failure_ = used == NGHTTP2_ERR_FLOODED ? "it sends more PING or SETTINGS frames than it reads answers"
                                         : nghttp2_strerror(static_cast<int>(used));
}

void Http2ClientSession::take_output(std::string& out, std::size_t enough) {
  while (out.size() < enough) {
    const std::uint8_t* data = nullptr;
    const ssize_t bytes = nghttp2_session_mem_send(h2_, &data);
    if (bytes < 0 && failure_.empty()) failure_ = nghttp2_strerror(static_cast<int>(bytes));
    if (bytes <= 0) return;
    out.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(bytes));
  }
}

bool Http2ClientSession::is_leaving() const {
  return is_ready_ && (has_goaway_ || nghttp2_session_get_next_stream_id(h2_) > INT32_MAX);
}

bool Http2ClientSession::has_room() const {
  return is_ready_ && failure_.empty() && nghttp2_session_check_request_allowed(h2_) != 0 &&
         open_.size() < nghttp2_session_get_remote_settings(h2_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

void Http2ClientSession::submit(Http2Exchange& exchange) {
  fields_.clear();
  fields_.push_back(http2_field(":method", exchange.method));
  fields_.push_back(http2_field(":scheme", options_.tls ? std::string_view("https") : std::string_view("http")));
  fields_.push_back(http2_field(":authority", authority_));
  append_fields(fields_, exchange.head);
  nghttp2_data_provider body{};
  body.source.ptr = &exchange;
  body.read_callback = http2_read_request;
  const bool has_body = !exchange.out.empty() || !exchange.out_ended;
  const std::int32_t id =
      nghttp2_submit_request(h2_, nullptr, fields_.data(), fields_.size(), has_body ? &body : nullptr, &exchange);
  if (id < 0) throw std::bad_alloc();  // has_room() has seen to the other reasons
  exchange.id = id;
  exchange.session = this;
  open_.push_back(exchange);
  if (exchange.is_stream) ++open_streams_;
}

void Http2ClientSession::remove(Http2Exchange& exchange) {
  open_.erase(exchange);
  if (exchange.is_stream) --open_streams_;
}

void Http2ClientSession::resume(Http2Exchange& exchange) {
  if (std::exchange(exchange.is_deferred, false)) nghttp2_session_resume_data(h2_, exchange.id);
}

void Http2ClientSession::consume(Http2Exchange& exchange, std::size_t bytes) {
  if (!exchange.has_ended) nghttp2_session_consume_stream(h2_, exchange.id, bytes);
}

void Http2ClientSession::cancel(Http2Exchange& exchange) {
  nghttp2_submit_rst_stream(h2_, NGHTTP2_FLAG_NONE, exchange.id, NGHTTP2_CANCEL);
}

void Http2ClientSession::cancel_streams(const Error& why) {
  for (Http2Exchange* exchange = open_.first(); exchange != nullptr; exchange = exchange->next) {
    if (!exchange->is_stream || exchange->is_done) continue;
    exchanges_.finish(*exchange, fail(why));
    cancel(*exchange);
  }
}

void Http2ClientSession::ping() {
  is_ping_due_ = true;
  nghttp2_submit_ping(h2_, NGHTTP2_FLAG_NONE, nullptr);
}

void Http2ClientSession::say_goodbye() { nghttp2_session_terminate_session(h2_, NGHTTP2_NO_ERROR); }

void Http2ClientSession::give_up(const Error& if_sent, Http2ExchangeList& unsent) {
  while (!open_.empty()) {
    Http2Exchange& exchange = *open_.first();
    remove(exchange);
    if (exchange.is_sent || exchange.is_done) {
      exchanges_.finish(exchange, fail(if_sent));
      exchanges_.leave(exchange);
    } else {
      exchange.session = nullptr;
      exchange.is_deferred = false;
      exchange.is_waiting = true;
      unsent.push_back(exchange);
    }
  }
}

void Http2ClientSession::take_field(Http2Exchange& exchange, bool is_trailer, std::string_view name,
                                    std::string_view value) {
  if (exchange.is_done) return;
  exchange.head_bytes += name.size() + value.size() + 32;  // RFC 9113 6.5.2
  if (exchange.head_bytes > kHeadBytesMax)
    return break_off(exchange, fmt::format("the fields of its answer are larger than {} bytes", kHeadBytesMax));
  if (name == ":status") return take_status(exchange, value);
  (is_trailer ? exchange.answer.trailers : exchange.answer.headers).add_lower(name, value);
}

// nghttp2 has seen to it that it is three digits.
void Http2ClientSession::take_status(Http2Exchange& exchange, std::string_view value) {
  int status = 0;
  for (const char c : value) status = status * 10 + (c - '0');
  exchange.answer.status = status;
  if (status < 200)
    break_off(exchange, fmt::format("it broke the protocol: it sent status {}, which nobody had asked for", status));
}

void Http2ClientSession::take_body(Http2Exchange& exchange, std::string_view bytes, bool is_last) {
  consumed_ += bytes.size();
  if (exchange.is_done) return;
  std::string& body = exchange.answer.body;
  if (exchange.is_stream) {
    // nghttp2 only sets out to reset the stream, which takes as long as the server likes.
    if (body.size() + bytes.size() > kStreamWindow)
      return break_off(exchange, "it broke the protocol: it sent more than it may");
    body += bytes;
    return exchanges_.wake(exchange);
  }
  if (body.size() + bytes.size() > options_.reply_bytes_max)
    return break_off(exchange, fmt::format("the answer is larger than {} bytes", options_.reply_bytes_max));
  if (exchanges_.reply_bytes() + bytes.size() > options_.replies_bytes_max)
    return break_off(exchange, fmt::format("answers of more than {} bytes are coming in", options_.replies_bytes_max));
  body += bytes;
  exchanges_.hold(bytes.size());
  if (!is_last) nghttp2_session_consume_stream(h2_, exchange.id, bytes.size());
}

void Http2ClientSession::take_goaway(const nghttp2_goaway& frame) {
  has_goaway_ = true;
  if (frame.error_code == NGHTTP2_NO_ERROR) return;
  was_told_to_calm_down_ |= frame.error_code == NGHTTP2_ENHANCE_YOUR_CALM;
  farewell_ = nghttp2_http2_strerror(frame.error_code);
  static constexpr std::size_t kWords = 200;
  std::string words(reinterpret_cast<const char*>(frame.opaque_data), std::min(frame.opaque_data_len, kWords));
  std::erase_if(words, [](char c) { return c < 0x20 || c > 0x7e; });
  if (!words.empty()) farewell_ += ": " + words;
}

// Before our side has ended, too: the server wants to hear no more of the request (RFC 9113 8.1).
void Http2ClientSession::answer_ended(Http2Exchange& exchange) {
  exchange.has_ended = true;
  has_answered_ = true;
  if (nghttp2_session_get_stream_local_close(h2_, exchange.id) == 0)
    nghttp2_submit_rst_stream(h2_, NGHTTP2_FLAG_NONE, exchange.id, NGHTTP2_NO_ERROR);
}

void Http2ClientSession::stream_closed(Http2Exchange& exchange, std::uint32_t error_code) {
  remove(exchange);
  if (exchange.has_ended) {
    exchanges_.finish(exchange, Status());
  } else if (error_code == NGHTTP2_REFUSED_STREAM || !exchange.is_sent) {
    exchanges_.finish(exchange,
                      fail(Errc::unavailable,
                           texts_.about(fmt::format("{} did not process the request and says so{}", texts_.endpoint(),
                                                    farewell_.empty() ? "" : ": " + farewell_))));
  } else {
    const char* const code = nghttp2_http2_strerror(error_code);
    exchanges_.finish(exchange,
                      fail(texts_.sent_and(fmt::format(
                          "{}: {}", exchange.was_reset ? "it reset the stream" : "it broke the protocol", code))));
  }
  exchanges_.leave(exchange);
}

void Http2ClientSession::break_off(Http2Exchange& exchange, std::string_view why) {
  if (exchange.is_done) return;
  exchanges_.finish(exchange, fail(texts_.sent_and(why)));
  cancel(exchange);
}

void Http2ClientSession::count_control_frame() {
  if (now_ - second_ >= std::chrono::seconds(1)) {
    second_ = now_;
    control_ = 0;
  }
  if (++control_ <= kControlMax || !failure_.empty()) return;
  failure_ = fmt::format("it sent more than {} PING and SETTINGS frames within a second", kControlMax);
  nghttp2_session_terminate_session(h2_, NGHTTP2_ENHANCE_YOUR_CALM);
}

}  // namespace holdfast::net
