// The HTTP handler of one loop: recognises gRPC, checks the token, routes. /v1.0 is Dapr's API (v1_routes),
// /v2 ours (v2_routes).
#pragma once

#include <memory>

#include "api/http/v1_routes.h"
#include "api/http/v2_routes.h"
#include "net/handler.h"

namespace holdfast::api {

class HttpFront final : public net::Handler {
 public:
  // `grpc` gets requests with a gRPC content type; it outlives this, as do the others.
  HttpFront(service::Service& service, service::Runtime& runtime, net::Handler& grpc);

  Task<http::Response> handle(http::Request& request) override;
  bool wants_stream(const http::Request& head) override;
  Task<http::Response> handle_stream(http::Request& head, net::BodyStream& stream) override;
  http::Response overloaded(const http::Request& head) override;

 private:
  Task<http::Response> route(http::Request& request);

  service::Runtime& runtime_;
  net::Handler& grpc_;
  V1Routes v1_;
  V2Routes v2_;
};

}  // namespace holdfast::api
