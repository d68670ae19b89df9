#include "api/http/front.h"

#include "api/auth.h"
#include "api/http/responses.h"
#include "base/log.h"

namespace holdfast::api {

namespace {

bool is_grpc(const http::Request& request) {
  return request.is_http2 && request.headers.find("content-type").starts_with("application/grpc");
}

bool needs_cleaning(std::string_view path) {
  return path.find("//") != std::string_view::npos || path.find("/.") != std::string_view::npos ||
         (path.size() > 1 && path.ends_with('/'));
}

bool is_health(const http::Request& request, std::string_view path) {
  return request.method == http::Method::get && (path == "/v1.0/healthz" || path == "/v1.0/healthz/outbound");
}

http::Response bad_token() {
  http::Response response = text_response(401, "invalid api token\n");
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  return response;
}

}  // namespace

HttpFront::HttpFront(service::Service& service, service::Runtime& runtime, net::Handler& grpc)
    : runtime_(runtime), grpc_(grpc), v1_(service, runtime), v2_(service, runtime) {}

bool HttpFront::wants_stream(const http::Request& head) { return is_grpc(head) && grpc_.wants_stream(head); }

Task<http::Response> HttpFront::handle_stream(http::Request& head, net::BodyStream& stream) {
  return grpc_.handle_stream(head, stream);
}

http::Response HttpFront::overloaded(const http::Request& head) {
  return is_grpc(head) ? grpc_.overloaded(head) : net::Handler::overloaded(head);
}

Task<http::Response> HttpFront::handle(http::Request& request) {
  if (is_grpc(request)) return grpc_.handle(request);
  return route(request);
}

Task<http::Response> HttpFront::route(http::Request& request) {
  const Target target = Target::split(request.target);
  std::string cleaned;
  std::string_view path = target.raw_path;
  if (needs_cleaning(path)) {
    cleaned = clean_path(path);
    path = cleaned;
  }
  if (!runtime_.api_tokens.empty() && !is_health(request, path) &&
      !token_accepted(runtime_.api_tokens, request.headers.find("dapr-api-token")))
    co_return bad_token();
  // v2 keys keep their slashes and dots, so v2 looks at the path as it was sent.
  if (target.raw_path.starts_with("/v2/") || target.raw_path == "/openapi.json")
    co_return co_await v2_.handle(request, target);
  http::Response response = co_await v1_.handle(request, path, target.query);
  const std::string_view traceparent = request.headers.find("traceparent");
  if (!traceparent.empty()) response.headers.emplace_back("Traceparent", traceparent);
  co_return response;
}

}  // namespace holdfast::api
