#include "wire/http/http1.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/beast/http/basic_parser.hpp>
#include <charconv>
#include <new>
#include <optional>

#include "base/encoding.h"

namespace holdfast::http {

using namespace std::string_view_literals;

namespace beast = boost::beast::http;
using ErrorCode = boost::system::error_code;

namespace {

// A body in chunks ends with five bytes at least, "0\r\n\r\n".
constexpr std::size_t kLastChunkBytes = 5;
constexpr std::string_view kHeadTooLarge = "the request head is larger than the limit";

// Beast's string_view is its own type in 1.81.
std::string_view view(boost::beast::string_view s) { return {s.data(), s.size()}; }

class Sink final : public beast::basic_parser<true> {
 public:
  Sink(Request& request, std::uint64_t body_max) : request_(request), body_max_(body_max) {}
  int version() const { return version_; }

 private:
  void on_request_impl(beast::verb, boost::beast::string_view method, boost::beast::string_view target, int version,
                       ErrorCode&) override {
    request_.method = http::parse_method(view(method));
    if (request_.method == Method::other) request_.unknown_method = view(method);
    request_.target = view(target);
    version_ = version;
  }
  void on_response_impl(int, boost::beast::string_view, int, ErrorCode&) override {}
  void on_field_impl(beast::field, boost::beast::string_view name, boost::beast::string_view value,
                     ErrorCode&) override {
    request_.headers.add(view(name), view(value));
  }
  void on_header_impl(ErrorCode&) override {}
  void on_body_init_impl(boost::optional<std::uint64_t> const&, ErrorCode&) override {}
  std::size_t on_body_impl(boost::beast::string_view body, ErrorCode& ec) override { return take(body, ec); }
  void on_chunk_header_impl(std::uint64_t, boost::beast::string_view, ErrorCode&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, boost::beast::string_view body, ErrorCode& ec) override {
    return take(body, ec);
  }
  void on_finish_impl(ErrorCode&) override {}

  std::size_t take(boost::beast::string_view body, ErrorCode& ec) {
    if (body_max_ != 0 && request_.body.size() + body.size() > body_max_) {
      ec = beast::error::body_limit;
      return 0;
    }
    request_.body.append(body.data(), body.size());
    return body.size();
  }

  Request& request_;
  std::uint64_t body_max_;
  int version_ = 11;
};

}  // namespace

class Http1Parser::Impl {
 public:
  Impl(Request& request, const Http1Limits& limits) : request_(request), limits_(limits) { renew(); }
  void renew() {
    sink_.emplace(request_, limits_.body_bytes_max);
    sink_->header_limit(limits_.head_bytes_max);
    sink_->body_limit(boost::none);
  }
  Sink& sink() { return *sink_; }

 private:
  Request& request_;
  const Http1Limits& limits_;
  std::optional<Sink> sink_;
};

Http1Parser::Http1Parser(const Http1Limits& limits)
    : limits_(limits), impl_(std::make_unique<Impl>(request_, limits_)) {}
Http1Parser::~Http1Parser() = default;

void Http1Parser::reset() {
  request_.clear();
  state_ = State::head;
  keep_alive_ = true;
  http10_ = false;
  expects_continue_ = false;
  content_length_ = 0;
  head_bytes_ = 0;
  impl_->renew();
}

void Http1Parser::fail_with(int status, std::string text) {
  state_ = State::failed;
  keep_alive_ = false;
  error_status_ = status;
  error_text_ = std::move(text);
}

void Http1Parser::head_done() {
  Sink& sink = impl_->sink();
  state_ = State::body;
  keep_alive_ = sink.keep_alive();
  http10_ = sink.version() == 10;
  expects_continue_ = iequals(request_.headers.find("expect"), "100-continue");
  if (const auto length = sink.content_length()) content_length_ = *length;
  // A length beyond the limit is refused now, not when the body comes: the client may be waiting for our word.
  if (limits_.body_bytes_max != 0 && content_length_ > limits_.body_bytes_max) cut_body();
}

void Http1Parser::cut_body() {
  request_.body.clear();
  request_.body_too_large = true;
  keep_alive_ = false;
  state_ = State::complete;
}

std::size_t Http1Parser::feed(std::string_view bytes) {
  if (state_ == State::complete || state_ == State::failed) return 0;
  Sink& sink = impl_->sink();
  std::size_t used = 0;
  // RFC 9112 2.2: empty lines before a request are skipped; Beast leaves that to its caller.
  while (state_ == State::head && request_.target.empty() && used < bytes.size() &&
         (bytes[used] == '\r' || bytes[used] == '\n'))
    ++used;
  if (used == bytes.size()) return used;
  // Beast takes it for granted that it sees a last chunk whole once it has seen the beginning. Fewer bytes are no end.
  if (state_ == State::body && sink.chunked() && bytes.front() == '0' && bytes.size() < kLastChunkBytes) return 0;
  sink.eager(state_ == State::body);
  ErrorCode ec;
  const std::size_t taken = sink.put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used), ec);
  used += taken;
  if (state_ == State::head) {
    // Beast measures what is left after the request line when that came in a piece of its own; the limit is for both.
    head_bytes_ += taken;
    if (sink.is_header_done() && head_bytes_ > limits_.head_bytes_max) {
      fail_with(431, std::string(kHeadTooLarge));
      return used;
    }
  }
  if (ec == beast::error::need_more) return used;
  if (ec == beast::error::body_limit) {
    cut_body();
    return used;
  }
  if (ec) {
    if (ec == beast::error::header_limit) {
      fail_with(431, std::string(kHeadTooLarge));
    } else if (ec == beast::error::bad_version) {
      fail_with(505, "unsupported HTTP version");
    } else {
      fail_with(400, "malformed HTTP request: " + ec.message());
    }
    return used;
  }
  if (state_ == State::head && sink.is_header_done()) head_done();
  if (state_ == State::body && sink.is_done()) state_ = State::complete;
  return used;
}

namespace {

// Writes into room that was made for all of it at once: appending piece by piece would ask for room at every piece.
class Cursor {
 public:
  explicit Cursor(char* at) : at_(at) {}
  void text(std::string_view text) { at_ = std::copy(text.begin(), text.end(), at_); }
  void number(std::uint64_t number) { at_ = std::to_chars(at_, at_ + kDigits, number).ptr; }
  char* at() const { return at_; }

  static constexpr std::size_t kDigits = 20;

 private:
  char* at_;
};

// At most how long the head is.
std::size_t head_room(const Response& response, std::string_view reason, std::string_view date) {
  static constexpr std::size_t kRest = 128;  // what is said of every response, numbers included
  return kRest + reason.size() + date.size() + response.content_type.size() + response.headers.lines().size();
}

}  // namespace

bool has_http1_body(const Response& response, bool head_only) {
  return !head_only && response.status != 204 && response.status != 304 && response.status >= 200;
}

void append_http1(std::string& out, const Response& response, bool keep_alive, bool http10, bool head_only,
                  std::string_view date) {
  append_http1_head(out, response, keep_alive, http10, date);
  if (has_http1_body(response, head_only)) out += response.body;
}

void append_http1_head(std::string& out, const Response& response, bool keep_alive, bool http10,
                       std::string_view date) {
  const std::string_view reason = reason_phrase(response.status);
  const std::size_t before = out.size();
  out.resize_and_overwrite(before + head_room(response, reason, date), [&](char* text, std::size_t) {
    Cursor to(text + before);
    to.text("HTTP/1.1 ");
    to.number(static_cast<std::uint64_t>(response.status));
    to.text(" ");
    to.text(reason);
    to.text("\r\n");
    to.text(date);
    to.text(response.headers.lines());
    if (has_http1_body(response, false)) {
      if (!response.content_type.empty()) {
        to.text("Content-Type: ");
        to.text(response.content_type);
        to.text("\r\n");
      }
      to.text("Content-Length: ");
      to.number(response.body.size());
      to.text("\r\n");
    }
    if (!keep_alive || response.close) {
      to.text("Connection: close\r\n");
    } else if (http10) {
      to.text("Connection: keep-alive\r\n");
    }
    to.text("\r\n");
    return static_cast<std::size_t>(to.at() - text);
  });
}

void append_http1_stream_head(std::string& out, const Response& response, bool chunked, std::string_view date) {
  out += fmt::format("HTTP/1.1 {} {}\r\n", response.status, reason_phrase(response.status));
  out += date;
  out += response.headers.lines();
  if (!response.content_type.empty()) out += fmt::format("Content-Type: {}\r\n", response.content_type);
  if (chunked) out += "Transfer-Encoding: chunked\r\n";
  out += "Connection: close\r\n\r\n";
}

void wrap_http1_chunk(std::string& bytes) {
  std::array<char, 18> size;
  char* end = std::to_chars(size.data(), size.data() + size.size(), bytes.size(), 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  bytes.insert(0, size.data(), static_cast<std::size_t>(end - size.data()));
  bytes += "\r\n"sv;
}

}  // namespace holdfast::http
