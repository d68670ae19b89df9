// HTTP/1.1 requests from bytes and responses to bytes. I/O-free.
//
// Parsing is Boost.Beast's basic_parser (RFC 9112, strict about framing: Content-Length beside
// Transfer-Encoding, differing lengths and obs-fold tricks are refused); this wrapper keeps only what we use, so
// that a request costs no allocation once a connection's buffers have grown.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "wire/http/message.h"

namespace holdfast::http {

struct Http1Limits {
  std::uint32_t head_bytes_max = 8192;
  std::uint64_t body_bytes_max = 4 << 20;  // 0: no limit
};

// Reads one request after another from a byte stream. Not copyable; one connection's.
class Http1Parser {
 public:
  enum class State : std::uint8_t {
    head,      // the head is not complete
    body,      // the head is complete: request() may be looked at; the body is not
    complete,  // request() is whole
    failed,    // error_status() and error_text(); the connection is of no further use
  };

  explicit Http1Parser(const Http1Limits& limits);
  ~Http1Parser();

  // Takes what it can use from the front of `bytes` and returns how much. Bytes not taken must be offered again,
  // with more behind them. Stops after the head, and after the request, so that callers see both; call again
  // with the rest.
  // A body beyond the limit ends in State::complete with request().body_too_large; keep_alive() is false then.
  std::size_t feed(std::string_view bytes);

  State state() const { return state_; }
  Request& request() { return request_; }
  bool keep_alive() const { return keep_alive_; }
  bool is_http10() const { return http10_; }
  bool expects_continue() const { return expects_continue_; }
  // Content-Length, or 0 when unknown.
  std::uint64_t content_length() const { return content_length_; }
  int error_status() const { return error_status_; }  // 400, 431, 501 or 505
  const std::string& error_text() const { return error_text_; }

  // Ready for the next request on the same connection.
  void reset();

 private:
  class Impl;
  void head_done();
  void cut_body();
  void fail_with(int status, std::string text);

  Http1Limits limits_;
  Request request_;
  State state_ = State::head;
  bool keep_alive_ = true;
  bool http10_ = false;
  bool expects_continue_ = false;
  std::uint64_t content_length_ = 0;
  std::size_t head_bytes_ = 0;
  int error_status_ = 400;
  std::string error_text_;
  std::unique_ptr<Impl> impl_;
};

// Appends the head of a response: its body's length is given, but not the body. `date` is a whole "Date: ...\r\n" line,
// or empty.
void append_http1_head(std::string& out, const Response& response, bool keep_alive, bool http10, std::string_view date);
// The same without a length, for a body that comes in pieces: `chunked`, or until the connection ends, which it does.
void append_http1_stream_head(std::string& out, const Response& response, bool chunked, std::string_view date);
// Makes one piece of a chunked body of bytes, which are not empty, where they are; and its end.
void wrap_http1_chunk(std::string& bytes);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";
// Whether a body follows the head: not with HEAD, nor with a status that has none.
bool has_http1_body(const Response& response, bool head_only);
// Head and body.
void append_http1(std::string& out, const Response& response, bool keep_alive, bool http10, bool head_only,
                  std::string_view date);

}  // namespace holdfast::http
