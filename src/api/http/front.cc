#include "api/http/front.h"

#include "api/caller.h"
#include "api/http/browser_guard.h"
#include "api/http/cors.h"
#include "api/http/problem.h"
#include "api/http/responses.h"

namespace holdfast::api {

namespace {

bool is_grpc(const http::Request& request) {
  return request.is_http2 && request.headers.find("content-type").starts_with("application/grpc");
}

// A path without what clean_path removes; most have nothing of that and are not copied.
class CleanPath {
 public:
  explicit CleanPath(std::string_view path) : path_(path) {
    if (!needs_cleaning(path)) return;
    cleaned_ = clean_path(path);
    path_ = cleaned_;
  }
  std::string_view path() const { return path_; }

 private:
  static bool needs_cleaning(std::string_view path) {
    for (std::size_t at = path.find('/'); at != std::string_view::npos; at = path.find('/', at + 1)) {
      if (at + 1 == path.size()) return at > 0;
      if (path[at + 1] == '/' || path[at + 1] == '.') return true;
    }
    return false;
  }
  std::string cleaned_;
  std::string_view path_;
};

bool is_health(const http::Request& request, std::string_view path) {
  return request.method == http::Method::get && (path == "/v1.0/healthz" || path == "/v1.0/healthz/outbound");
}

// Of {"errorCode":"C",...}; empty for other bodies.
std::string_view error_code_in(std::string_view body) {
  static constexpr std::string_view kHead = R"({"errorCode":")";
  if (!body.starts_with(kHead)) return {};
  body.remove_prefix(kHead.size());
  return body.substr(0, body.find('"'));
}

http::Response bad_token() {
  http::Response response = text_response(401, "invalid api token\n");
  response.headers.add("X-Content-Type-Options", "nosniff");
  return response;
}

}  // namespace

HttpFront::HttpFront(service::Service& service, service::Runtime& runtime, LoopContext& context, net::Handler& grpc,
                     const Pages* dashboard)
    : context_(context), grpc_(grpc), v1_(service, runtime), v2_(service, runtime, context), dashboard_(dashboard) {}

bool HttpFront::wants_stream(const http::Request& head) {
  return is_grpc(head) ? grpc_.wants_stream(head) : V2Routes::is_watch(head);
}

Task<void> HttpFront::handle_stream(http::Request& head, net::BodyStream& stream, http::Response& response) {
  return is_grpc(head) ? grpc_.handle_stream(head, stream, response) : watch(head, stream, response);
}

// Told of as a request where it was refused. One that flowed has no length and no latency.
Task<void> HttpFront::watch(http::Request& request, net::BodyStream& stream, http::Response& response) {
  const SteadyTime began = std::chrono::steady_clock::now();
  begin_watch(request, stream, response);
  if (response.status == 200) co_await v2_.watch(request, stream, response);
  if (response.status == 200) co_return;
  add_cors_headers(context_.allowed_origins, request, response);
  if (context_.observes()) observe(request, Target::split(request.target).raw_path, 0, response, began);
}

// Makes the refusal of `response`, or leaves it 200. Not inlined, so that what it makes does not become a part of the
// watch's frame, which lasts.
[[gnu::noinline]] void HttpFront::begin_watch(http::Request& request, net::BodyStream& stream,
                                              http::Response& response) {
  auto refused = refusal(request, Target::split(request.target).raw_path);
  if (!refused) refused = refusal_of_page(request);
  if (refused) {
    response = std::move(*refused);
    return;
  }
  http::Response head;
  add_cors_headers(context_.allowed_origins, request, head);
  stream.head_fields() = head.headers;
}

http::Response HttpFront::overloaded(const http::Request& head) {
  return is_grpc(head) ? grpc_.overloaded(head) : net::Handler::overloaded(head);
}

Task<void> HttpFront::handle(http::Request& request, http::Response& response) {
  if (is_grpc(request)) return grpc_.handle(request, response);
  return route(request, response);
}

std::optional<http::Response> HttpFront::refusal(http::Request& request, std::string_view path) {
  if (has_bad_baggage(context_.tracing, request)) return text_response(400, "invalid baggage header\n");
  if (context_.access.asks_for_token() && !is_health(request, path)) {
    auto grant = context_.access.admit(request.headers.find("dapr-api-token"));
    if (!grant) return bad_token();
    set_grant(request, std::move(*grant));
  }
  if (!context_.access.serves(path) && !is_health(request, path)) return unknown_route();
  return std::nullopt;
}

// The dashboard brings browsers here, so that v2, which it reads, is as careful as it is. v1 stays as Dapr's.
std::optional<http::Response> HttpFront::refusal_of_page(const http::Request& request) const {
  if (context_.allowed_origins.empty())
    if (auto refused = refuse_cross_site(request)) return refused;
  if (dashboard_ != nullptr && !context_.access.asks_for_token()) return refuse_foreign_host(request);
  return std::nullopt;
}

Task<http::Response> HttpFront::answer(http::Request& request, const Target& target, std::string_view path,
                                       service::Session& session) {
  if (dashboard_ != nullptr && dashboard_->has(path)) return ready(dashboard_->answer(request, path));
  if (auto refused = refusal(request, path)) return ready(std::move(*refused));
  if (auto begun = begin_session(request, session); !begun)
    return ready(target.raw_path.starts_with("/v2/")
                     ? problem(begun.error(), request.target)
                     : plain_error(400, "ERR_MALFORMED_REQUEST", begun.error().message));
  // v2 keys keep their slashes and dots, so v2 looks at the path as it was sent.
  if (target.raw_path.starts_with("/v2/") || target.raw_path == "/openapi.json") {
    if (auto refused = refusal_of_page(request)) return ready(std::move(*refused));
    return v2_.handle(request, target);
  }
  return v1_.handle(request, path, target.query);
}

Task<void> HttpFront::route(http::Request& request, http::Response& response) {
  const SteadyTime began = context_.observes() ? std::chrono::steady_clock::now() : SteadyTime();
  const std::size_t request_bytes = request.body.size();
  const Target target = Target::split(request.target);
  const CleanPath cleaned(target.raw_path);
  const std::string_view path = cleaned.path();
  if (auto preflight = cors_preflight(context_.allowed_origins, request)) {
    response = std::move(*preflight);
    co_return;
  }
  CallTrace trace(context_.tracing, request, CallTrace::Protocol::http);
  service::Session session;
  response = co_await answer(request, target, path, session);
  add_session(request, response, session);
  if (!is_health(request, path)) {
    trace.add_headers(response);
    if (trace.is_sampled()) finish_http_trace(trace, request, path, response);
  }
  add_cors_headers(context_.allowed_origins, request, response);
  if (context_.observes()) observe(request, path, request_bytes, response, began);
}

void HttpFront::observe(const http::Request& request, std::string_view path, std::size_t request_bytes,
                        const http::Response& response, SteadyTime began) {
  const double elapsed_ms = milliseconds_since(began);
  if (context_.measures)
    context_.metrics.http_done(context_.labels.verb ? name_of(request.method) : "", context_.labels.path_of(path),
                               response.status, elapsed_ms, request_bytes, response.body.size());
  if (context_.errors != nullptr && response.status >= 400)
    if (const std::string_view code = error_code_in(response.body); !code.empty()) context_.errors->add(code);
  if (context_.call_log.enabled && response.status != 401)
    log_http_call(context_.call_log, request, path, response, Milliseconds(static_cast<std::int64_t>(elapsed_ms)));
}

Task<void> PublicFront::handle(http::Request& request, http::Response& response) {
  const Target target = Target::split(request.target);
  const CleanPath cleaned(target.raw_path);
  const std::string_view path = cleaned.path();
  const bool is_metadata = request.method == http::Method::get && path == "/v1.0/metadata";
  if (is_health(request, path) || (is_metadata && context_.access.serves(path)))
    response = co_await v1_.handle(request, path, target.query);
  else
    response = unknown_route();
}

}  // namespace holdfast::api
