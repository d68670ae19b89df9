// One HTTP/2 connection to a daemon on the loopback address, for gRPC calls one after the other. Blocking: for
// tests only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/grpc/grpc.h"

namespace holdfast::conformance {

struct GrpcAnswer {
  grpc::Code code = grpc::Code::unknown;
  std::string message;   // grpc-message
  std::string reason;    // of the ErrorInfo
  std::string etag_tag;  // "current_etag" of the ErrorInfo
  std::string operation;  // "operation" of the ErrorInfo
  std::string body;      // the one message
};

class GrpcClient {
 public:
  // Errc::unavailable when nobody listens.
  static Result<std::unique_ptr<GrpcClient>> connect(std::uint16_t port);
  explicit GrpcClient(int fd);
  ~GrpcClient();
  GrpcClient(const GrpcClient&) = delete;
  GrpcClient& operator=(const GrpcClient&) = delete;

  // Errc::unavailable when the connection breaks, Errc::internal when the answer is not gRPC. A status that is not OK
  // is an answer.
  Result<GrpcAnswer> call(std::string_view method, std::string_view message);
  // A call whose answer is a stream: its messages, nothing after the last, and then its status.
  Status begin(std::string_view method, std::string_view message);
  std::optional<std::string> next_message();
  Result<GrpcAnswer> finish();
  // Whoever reads is told that the connection has ended. Any thread.
  void shut_down();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace holdfast::conformance
