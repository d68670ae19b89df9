// The HTTP handler of one loop: recognises gRPC, checks the token, routes, and counts. /v1.0 is Dapr's API (v1_routes),
// /v2 ours (v2_routes).
#pragma once

#include <memory>
#include <optional>

#include "api/http/pages.h"
#include "api/http/v1_routes.h"
#include "api/http/v2_routes.h"
#include "api/loop_context.h"
#include "net/handler.h"

namespace holdfast::api {

class HttpFront final : public net::Handler {
 public:
  // `grpc` gets requests with a gRPC content type; it outlives this, as do the others. `dashboard` may be null: there
  // is none.
  HttpFront(service::Service& service, service::Runtime& runtime, LoopContext& context, net::Handler& grpc,
            const Pages* dashboard = nullptr);

  Task<void> handle(http::Request& request, http::Response& response) override;
  bool wants_stream(const http::Request& head) override;
  Task<void> handle_stream(http::Request& head, net::BodyStream& stream, http::Response& response) override;
  http::Response overloaded(const http::Request& head) override;

 private:
  Task<void> watch(http::Request& request, net::BodyStream& stream, http::Response& response);
  void begin_watch(http::Request& request, net::BodyStream& stream, http::Response& response);
  Task<void> route(http::Request& request, http::Response& response);
  Task<http::Response> answer(http::Request& request, const Target& target, std::string_view path,
                              service::Session& session);
  // Nothing when the call may go on; the request then knows who sent it (caller.h).
  std::optional<http::Response> refusal(http::Request& request, std::string_view path);
  std::optional<http::Response> refusal_of_page(const http::Request& request) const;
  void observe(const http::Request& request, std::string_view path, std::size_t request_bytes,
               const http::Response& response, SteadyTime began);

  LoopContext& context_;
  net::Handler& grpc_;
  V1Routes v1_;
  V2Routes v2_;
  const Pages* dashboard_;
};

// Health and metadata only, to everyone, without a token: for the port that a platform's probes look at
// (--dapr-public-port).
class PublicFront final : public net::Handler {
 public:
  PublicFront(service::Service& service, service::Runtime& runtime, LoopContext& context)
      : context_(context), v1_(service, runtime) {}

  Task<void> handle(http::Request& request, http::Response& response) override;

 private:
  LoopContext& context_;
  V1Routes v1_;
};

}  // namespace holdfast::api
