#include "api/grpc/dispatch.h"

#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>

#include <algorithm>

#include "api/caller.h"
#include "api/grpc/dapr_state.h"
#include "api/grpc/v2_status.h"
#include "wire/protobuf/fields.h"

namespace holdfast::api {

using grpc::Code;

namespace {

constexpr std::string_view kContentType = "application/grpc";
constexpr std::string_view kV2 = "/holdfast.v2.State/";

void set_trailers(http::Response& response, const GrpcStatus& status) {
  response.status = 200;
  response.content_type = kContentType;
  response.has_trailers = true;
  if (status.code == Code::ok) return response.trailers.add_lower("grpc-status", "0");
  response.body.clear();
  response.trailers.add_lower("grpc-status", std::to_string(static_cast<int>(status.code)));
  response.trailers.add_lower("grpc-message", grpc::encode_message(status.message));
  if (!status.details.empty())
    response.trailers.add_lower("grpc-status-details-bin",
                                grpc::encode_details(status.code, status.message, status.details));
}

http::Response status_response(const GrpcStatus& status) {
  http::Response response;
  set_trailers(response, status);
  return response;
}

// Dapr's token failure: an ErrorInfo with the HTTP code and text, the text cut to 63 bytes.
GrpcStatus unauthorized(std::string_view text) {
  GrpcStatus status{Code::unauthenticated, "Unauthorized", {}};
  status.details.push_back(grpc::error_info(
      "Unauthorized", "dapr.io", {{"http.code", "401"}, {"http.error_message", std::string(text.substr(0, 63))}}));
  return status;
}

// The reason of a status's ErrorInfo; empty when it has none.
std::string_view reason_in(const GrpcStatus& status) {
  for (const grpc::Detail& detail : status.details) {
    if (detail.type != "google.rpc.ErrorInfo") continue;
    protobuf::Reader reader(detail.encoded);
    while (reader.next())
      if (reader.field() == 1 && reader.is_bytes()) return reader.bytes();
  }
  return {};
}

// The first field of a state call's message.
std::string store_named_in(std::string_view body) {
  std::string_view message;
  if (grpc::parse_unary(body, message) != grpc::FrameError::none) return {};
  protobuf::Reader reader(message);
  while (reader.next())
    if (reader.field() == 1 && reader.is_bytes()) return std::string(reader.bytes());
  return {};
}

// An API that the Configuration does not allow.
GrpcStatus closed_by_rules() {
  GrpcStatus status{Code::unimplemented, "Not Implemented", {}};
  status.details.push_back(
      grpc::error_info("Not Implemented", "dapr.io",
                       {{"http.code", "501"}, {"http.error_message", "requested endpoint is not available"}}));
  return status;
}

// What a token that is limited to state may not call.
constexpr std::string_view kAdministration[] = {
    "/dapr.proto.runtime.v1.Dapr/GetSecret",
    "/dapr.proto.runtime.v1.Dapr/GetBulkSecret",
    "/dapr.proto.runtime.v1.Dapr/SetMetadata",
    "/dapr.proto.runtime.v1.Dapr/Shutdown",
};
bool is_administration(std::string_view path) {
  return std::ranges::find(kAdministration, path) != std::end(kAdministration);
}

// What a request that is no gRPC request is told. Dapr's server, like every one in Go, blames itself; our API does not.
Code code_of_malformed(std::string_view path) {
  return path.starts_with("/holdfast.") ? Code::invalid_argument : Code::internal;
}

// libprotobuf writes a line of its own to standard error for every malformed string that a client sends. The client is
// told; the log is ours.
void quieten_libprotobuf() { [[maybe_unused]] static const auto before = google::protobuf::SetLogHandler(nullptr); }

// The part between the slashes: "package.Service".
std::string_view service_of(std::string_view path) {
  if (path.starts_with('/')) path.remove_prefix(1);
  return path.substr(0, path.find('/'));
}

}  // namespace

GrpcStatus grpc_status(const ApiError& error) { return {error.grpc, error.message, grpc_details(error)}; }

GrpcFront::GrpcFront(service::Service& service, service::Runtime& runtime, LoopContext& context,
                     std::uint64_t message_bytes_max)
    : service_(service), runtime_(runtime), context_(context), message_bytes_max_(message_bytes_max) {
  quieten_libprotobuf();
  services_.push_back(std::make_unique<DaprState>(service, runtime));
  services_.push_back(make_dapr_secrets(runtime));
  services_.push_back(make_dapr_other(runtime));
  services_.push_back(make_holdfast_v2(service, runtime));
  services_.push_back(make_holdfast_watch(service, runtime, context));
  services_.push_back(make_health(service, runtime));
  services_.push_back(make_reflection());
  for (const auto& one : services_) {
    for (const auto& [path, unary] : one->unary()) methods_.emplace(path, Method{path, &unary, nullptr});
    for (const auto& [path, streaming] : one->streaming()) methods_.emplace(path, Method{path, nullptr, &streaming});
  }
}

GrpcFront::~GrpcFront() = default;

std::vector<std::string> grpc_service_names() {
  return {"dapr.proto.runtime.v1.Dapr", "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection",
          "grpc.reflection.v1alpha.ServerReflection", "holdfast.v2.State"};
}

std::optional<GrpcStatus> GrpcFront::admit(http::Request& head) {
  if (context_.access.asks_for_token()) {
    const std::string_view token = head.headers.find("dapr-api-token");
    if (token.empty()) return unauthorized("missing api token in request metadata");
    auto grant = context_.access.admit(token);
    if (!grant) return unauthorized("authentication error: api token mismatch");
    set_grant(head, std::move(*grant));
  }
  if (!context_.access.serves_method(head.target)) return closed_by_rules();
  if (grant_of(head) != nullptr && is_administration(head.target) && !may_administer(head))
    return grpc_status(permission_denied(not_an_administrator(head)));
  if (has_bad_baggage(context_.tracing, head)) return GrpcStatus{Code::invalid_argument, "invalid baggage header", {}};
  const std::string_view encoding = head.headers.find("grpc-encoding");
  if (!encoding.empty() && encoding != "identity")
    return GrpcStatus{
        Code::unimplemented, fmt::format("grpc: Decompressor is not installed for grpc-encoding \"{}\"", encoding), {}};
  return std::nullopt;
}

GrpcStatus GrpcFront::no_such_method(const http::Request& head) const {
  const std::string_view service = service_of(head.target);
  for (const std::string& known : grpc_service_names())
    if (service == known && service != "dapr.proto.runtime.v1.Dapr")
      return {Code::unimplemented, fmt::format("unknown method for service {}", service), {}};
  if (service == "dapr.proto.runtime.v1.Dapr")
    return {
        Code::unknown, "failed to proxy request: required metadata dapr-callee-app-id or dapr-app-id not found", {}};
  return {Code::unknown, "cannot proxy request: missing dapr-callee-app-id or dapr-app-id metadata", {}};
}

bool GrpcFront::wants_stream(const http::Request& head) {
  const Method* const method = find_method(head.target);
  return method != nullptr && method->streaming != nullptr;
}

http::Response GrpcFront::overloaded(const http::Request& head) {
  GrpcStatus status{Code::unavailable, "too many bytes in flight; try again later", {}};
  // Clients of v2 go by the reason: nothing was applied.
  if (head.target.starts_with(kV2)) status = failure(Error(Errc::overloaded, std::move(status.message)));
  return status_response(status);
}

Task<void> GrpcFront::handle(http::Request& request, http::Response& response) {
  const SteadyTime began = context_.observes() ? std::chrono::steady_clock::now() : SteadyTime();
  const std::size_t request_bytes = request.body.size();
  CallTrace trace(context_.tracing, request, CallTrace::Protocol::grpc);
  const std::string store = trace.is_sampled() ? store_named_in(request.body) : std::string();
  service::Session session;
  const GrpcStatus status = co_await unary(request, response.body, session);
  add_session(request, response, session);
  set_trailers(response, status);
  trace.add_headers(response);
  if (trace.is_sampled()) finish_grpc_trace(trace, request.target, store, status.code != Code::ok, status.message);
  if (context_.observes()) observe(request, status, request_bytes, response.body.size(), began);
}

const GrpcFront::Method* GrpcFront::find_method(std::string_view path) const {
  if (latest_ != nullptr && latest_->path == path) return latest_;
  const auto found = methods_.find(path);
  if (found == methods_.end()) return nullptr;
  latest_ = &found->second;
  return latest_;
}

void GrpcFront::observe(const http::Request& request, const GrpcStatus& status, std::size_t request_bytes,
                        std::size_t response_bytes, SteadyTime began) {
  const double elapsed_ms = milliseconds_since(began);
  const int code = static_cast<int>(status.code);
  // What a client makes up does not become a label.
  if (context_.measures)
    context_.metrics.grpc_done(find_method(request.target) != nullptr ? std::string_view(request.target) : "", code,
                               elapsed_ms, request_bytes, response_bytes);
  if (context_.errors != nullptr && status.code != Code::ok)
    if (const std::string_view reason = reason_in(status); !reason.empty()) context_.errors->add(reason);
  if (context_.call_log.enabled && status.code != Code::unauthenticated)
    log_grpc_call(context_.call_log, request.target, code, response_bytes,
                  Milliseconds(static_cast<std::int64_t>(elapsed_ms)), request.headers.find("user-agent"));
}

Task<void> GrpcFront::handle_stream(http::Request& head, net::BodyStream& stream, http::Response& response) {
  if (auto refused = admit(head)) {
    response = status_response(*refused);
    co_return;
  }
  const Method* const method = find_method(head.target);
  if (method == nullptr || method->streaming == nullptr) {
    response = status_response(no_such_method(head));
    co_return;
  }
  response = status_response(co_await (*method->streaming)(head, stream));
}

Task<GrpcStatus> GrpcFront::unary(http::Request& request, std::string& out, service::Session& session) {
  if (auto refused = admit(request)) co_return std::move(*refused);
  GrpcCall call{request, {}, {}, out};
  const std::size_t announced = request.body.size() >= grpc::kPrefixBytes ? grpc::announced_bytes(request.body) : 0;
  if (request.body_too_large || (message_bytes_max_ != 0 && announced > message_bytes_max_))
    co_return GrpcStatus{
        Code::resource_exhausted,
        fmt::format("grpc: received message larger than max ({} vs. {})", announced, message_bytes_max_),
        {}};
  switch (grpc::parse_unary(request.body, call.message)) {
    case grpc::FrameError::none:
      break;
    case grpc::FrameError::compressed:
      co_return GrpcStatus{Code::unimplemented, "grpc: compressed messages are not supported", {}};
    default:
      co_return GrpcStatus{code_of_malformed(request.target), "grpc: the request body is not exactly one message", {}};
  }
  if (auto begun = begin_session(request, session); !begun)
    co_return GrpcStatus{Code::invalid_argument, begun.error().message, {}};
  call.context = call_context(request, runtime_);
  const std::string_view timeout = request.headers.find("grpc-timeout");
  if (!timeout.empty()) {
    const auto limit = grpc::parse_timeout(timeout);
    if (!limit) co_return GrpcStatus{code_of_malformed(request.target), "malformed grpc-timeout", {}};
    call.context.deadline = service_.clock().steady() + *limit;
    if (*limit <= Milliseconds(0)) co_return GrpcStatus{Code::deadline_exceeded, "context deadline exceeded", {}};
  }
  const Method* const method = find_method(request.target);
  if (method == nullptr || method->unary == nullptr) co_return no_such_method(request);
  const std::size_t frame = grpc::begin_frame(out);
  GrpcStatus status = co_await (*method->unary)(call);
  grpc::end_frame(out, frame);
  if (status.code == Code::ok && message_bytes_max_ != 0 && out.size() - grpc::kPrefixBytes > message_bytes_max_)
    co_return GrpcStatus{Code::resource_exhausted,
                         fmt::format("grpc: trying to send message larger than max ({} vs. {})",
                                     out.size() - grpc::kPrefixBytes, message_bytes_max_),
                         {}};
  co_return status;
}

}  // namespace holdfast::api
