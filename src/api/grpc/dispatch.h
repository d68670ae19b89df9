// The gRPC handler of one loop: framing, token, deadline, method table, status.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "api/loop_context.h"
#include "api/v1.h"
#include "net/handler.h"
#include "wire/grpc/grpc.h"

namespace holdfast::api {

// How a call ends.
struct GrpcStatus {
  grpc::Code code = grpc::Code::ok;
  std::string message;
  std::vector<grpc::Detail> details;

  static GrpcStatus ok() { return {}; }
};
GrpcStatus grpc_status(const ApiError& error);

// One unary call. `message` is the request; the answer is appended to `out` behind a frame prefix that is already
// there.
struct GrpcCall {
  http::Request& request;
  std::string_view message;
  service::CallContext context;
  std::string& out;
};

// The methods of one service. Served by path: "/package.Service/Method".
class GrpcService {
 public:
  using Unary = std::function<Task<GrpcStatus>(GrpcCall& call)>;
  using Streaming = std::function<Task<GrpcStatus>(http::Request& head, net::BodyStream& stream)>;

  virtual ~GrpcService() = default;
  const std::map<std::string, Unary, std::less<>>& unary() const { return unary_; }
  const std::map<std::string, Streaming, std::less<>>& streaming() const { return streaming_; }

 protected:
  std::map<std::string, Unary, std::less<>> unary_;
  std::map<std::string, Streaming, std::less<>> streaming_;
};

class GrpcFront final : public net::Handler {
 public:
  GrpcFront(service::Service& service, service::Runtime& runtime, LoopContext& context,
            std::uint64_t message_bytes_max);
  ~GrpcFront() override;

  Task<void> handle(http::Request& request, http::Response& response) override;
  bool wants_stream(const http::Request& head) override;
  Task<void> handle_stream(http::Request& head, net::BodyStream& stream, http::Response& response) override;
  http::Response overloaded(const http::Request& head) override;

 private:
  Task<GrpcStatus> unary(http::Request& request, std::string& out, service::Session& session);
  // Nothing when the call may go on; the request then knows who sent it (caller.h).
  std::optional<GrpcStatus> admit(http::Request& head);
  // Null for a path that names none.
  struct Method;
  const Method* find_method(std::string_view path) const;
  void observe(const http::Request& request, const GrpcStatus& status, std::size_t request_bytes,
               std::size_t response_bytes, SteadyTime began);
  GrpcStatus no_such_method(const http::Request& head) const;

  service::Service& service_;
  service::Runtime& runtime_;
  LoopContext& context_;
  std::uint64_t message_bytes_max_;
  std::vector<std::unique_ptr<GrpcService>> services_;
  // What the services have, by path. Exactly one of the two is there.
  struct Method {
    std::string_view path;
    const GrpcService::Unary* unary = nullptr;
    const GrpcService::Streaming* streaming = nullptr;
  };
  std::unordered_map<std::string_view, Method> methods_;
  mutable const Method* latest_ = nullptr;  // a call asks several times, and calls of one method follow each other
};

// Every service served, for reflection.
std::vector<std::string> grpc_service_names();
// Every method that access rules may close: those of Dapr's service and of ours.
std::vector<std::string> grpc_method_names();

std::unique_ptr<GrpcService> make_dapr_other(service::Runtime& runtime);
std::unique_ptr<GrpcService> make_dapr_secrets(const service::Runtime& runtime);
std::unique_ptr<GrpcService> make_health(service::Service& service, const service::Runtime& runtime);
std::unique_ptr<GrpcService> make_reflection();
std::unique_ptr<GrpcService> make_holdfast_v2(service::Service& service, const service::Runtime& runtime);
std::unique_ptr<GrpcService> make_holdfast_watch(service::Service& service, const service::Runtime& runtime,
                                                 LoopContext& context);

}  // namespace holdfast::api
