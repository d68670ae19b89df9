// One HTTP POST and its answer, for exporters on their own thread. Blocks.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace holdfast::telemetry {

struct Post {
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool http2 = false;  // with prior knowledge where there is no TLS: gRPC
  Milliseconds timeout{10'000};
};

struct PostAnswer {
  int status = 0;
  std::string grpc_status;  // header or trailer; empty: none
  std::string grpc_message;
};

class HttpPoster {
 public:
  virtual ~HttpPoster() = default;
  // Errc::unavailable when there was no answer.
  virtual Result<PostAnswer> send(const Post& post) = 0;
};

// By libcurl, which is opened when it is first asked for: only who exports spans pays for it.
// Errc::unsupported when the library is not installed; the text says which package has it.
Result<std::unique_ptr<HttpPoster>> curl_poster();

}  // namespace holdfast::telemetry
