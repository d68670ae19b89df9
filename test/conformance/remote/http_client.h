// One HTTP/1.1 connection to a daemon on the loopback address. Blocking: for tests only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace holdfast::conformance {

struct HttpRequest {
  std::string method;
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct HttpAnswer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  // The first field of that name, in any case; empty when absent.
  std::string_view header(std::string_view name) const;
};

// A blocking socket that gives up after a while instead of hanging the test; -1 when nobody listens.
int connect_to_loopback(std::uint16_t port);

class HttpClient {
 public:
  // Errc::unavailable when nobody listens.
  static Result<std::unique_ptr<HttpClient>> connect(std::uint16_t port);
  explicit HttpClient(int fd) : fd_(fd) {}
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Errc::unavailable when the connection breaks, Errc::internal when the answer is not HTTP.
  Result<HttpAnswer> send(const HttpRequest& request);
  // Its parts: the head alone, then the body, where its length was said, or its chunks; nothing after the last.
  Result<HttpAnswer> begin(const HttpRequest& request);
  Status read_body(HttpAnswer& answer);
  std::optional<std::string> read_chunk();
  // Whoever reads is told that the connection has ended. Any thread.
  void shut_down();

 private:
  bool write(std::string_view bytes);
  bool read_some();
  Result<HttpAnswer> read_head();

  int fd_;
  std::string in_;
};

}  // namespace holdfast::conformance
