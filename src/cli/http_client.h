// One HTTP request to a sidecar and its whole answer. Blocking, a connection each: for the command line only.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace holdfast::cli {

struct HttpRequest {
  std::string method = "GET";
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

struct HttpResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  // The first field of that name, in any case; empty when absent.
  std::string_view header(std::string_view name) const;
};

// Where a sidecar answers.
struct Address {
  std::string host;
  std::string port;
};
// "http://127.0.0.1:3500", "http://[::1]:3500/", "localhost:3500". Without a port: 80, as HTTP has it.
Result<Address> parse_address(std::string_view text);

inline constexpr std::chrono::seconds kAnswerTime{30};      // for connecting, and again for the answer, unless told
inline constexpr std::uint64_t kAnswerBytesMax = 1u << 30;  // of one body

// Errc::unavailable names the address and says why.
Result<HttpResponse> send(const Address& address, const HttpRequest& request,
                          std::chrono::milliseconds limit = kAnswerTime);

}  // namespace holdfast::cli
