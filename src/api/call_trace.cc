#include "api/call_trace.h"

#include <fmt/format.h>

#include "wire/grpc/grpc.h"

namespace holdfast::api {

namespace {

constexpr std::string_view kTraceBin = "grpc-trace-bin";
constexpr std::size_t kTracestateMax = 512;

// Over gRPC the binary form wins; other clients send the text.
std::optional<telemetry::SpanContext> context_in(const http::Request& request, CallTrace::Protocol protocol) {
  if (protocol == CallTrace::Protocol::grpc) {
    const std::string_view binary = request.headers.find(kTraceBin);
    if (!binary.empty())
      if (const auto bytes = grpc::decode_binary(binary)) return telemetry::parse_trace_bin(*bytes);
  }
  const std::string_view text = request.headers.find("traceparent");
  return text.empty() ? std::nullopt : telemetry::parse_traceparent(text);
}

bool is_state_call(std::string_view full_method) {
  for (const std::string_view name : {"GetState", "SaveState", "DeleteState"})
    if (full_method.ends_with(std::string("/") + std::string(name))) return true;
  return false;
}

// The third segment of a state route; empty for other paths.
std::string_view store_in(std::string_view path) {
  for (const std::string_view prefix : {"/v1.0/state/", "/v1.0-alpha1/state/", "/v2/state/"}) {
    if (!path.starts_with(prefix)) continue;
    path.remove_prefix(prefix.size());
    return path.substr(0, path.find('/'));
  }
  return {};
}

void add_database(CallTrace& trace, std::string_view store, std::string statement) {
  trace.add("db.system", "state");
  trace.add("db.connection_string", "state");
  trace.add("db.name", std::string(store));
  trace.add("db.statement", std::move(statement));
}

}  // namespace

bool has_bad_baggage(const Tracing& tracing, const http::Request& request) {
  if (!tracing.enabled) return false;
  const std::string_view baggage = request.headers.find("baggage");
  return !baggage.empty() && !telemetry::is_baggage(baggage);
}

CallTrace::CallTrace(const Tracing& tracing, const http::Request& request, Protocol protocol)
    : tracing_(tracing), request_(request), protocol_(protocol) {
  if (!tracing.enabled) return;
  parent_ = context_in(request, protocol);
  if (tracing.tracer == nullptr) return;
  span_.emplace();
  span_->context = tracing.tracer->begin(parent_ ? &*parent_ : nullptr);
  if (!span_->context.sampled) return;
  span_->has_parent = parent_.has_value();
  if (parent_) span_->parent = parent_->span;
  span_->begin = Clock::system().wall();
}

void CallTrace::add_headers(http::Response& response) const {
  if (!tracing_.enabled) return;
  const telemetry::SpanContext* const shown = span_ ? &span_->context : parent_ ? &*parent_ : nullptr;
  if (shown != nullptr && protocol_ == Protocol::grpc) {
    response.headers.add(kTraceBin, grpc::encode_binary(telemetry::to_trace_bin(*shown)));
  } else if (shown != nullptr) {
    response.headers.add("Traceparent", telemetry::to_traceparent(*shown));
    const std::string_view state = request_.headers.find("tracestate");
    if (!state.empty() && state.size() <= kTracestateMax) response.headers.add("Tracestate", state);
  }
  const std::string_view baggage = request_.headers.find("baggage");
  if (!baggage.empty()) response.headers.add("Baggage", baggage);
}

void CallTrace::fail(std::string why) {
  span_->is_error = true;
  span_->status = std::move(why);
}

void CallTrace::finish(std::string name) {
  span_->name = std::move(name);
  span_->end = Clock::system().wall();
  tracing_.tracer->end(std::move(*span_));
}

void finish_http_trace(CallTrace& trace, const http::Request& request, std::string_view path,
                       const http::Response& response) {
  const std::string call = fmt::format("{} {}", request.method_text(), path);
  trace.add("dapr.api", call);
  trace.add("dapr.protocol", "http");
  trace.add("dapr.status_code", std::to_string(response.status));
  trace.add("http.request.method", std::string(request.method_text()));
  trace.add("url.full", std::string(path));
  if (const std::string_view host = request.headers.find("host"); !host.empty())
    trace.add("server.address", std::string(host));
  if (const std::string_view store = store_in(path); !store.empty()) add_database(trace, store, call);
  if (response.status >= 400)
    trace.fail(fmt::format("Code({}): {}", response.status, http::reason_phrase(response.status)));
  trace.finish(std::string(path));
}

void finish_grpc_trace(CallTrace& trace, std::string_view full_method, std::string_view store, bool is_error,
                       std::string_view message) {
  trace.add("dapr.api", std::string(full_method));
  trace.add("dapr.protocol", "grpc");
  trace.add("rpc.service", "Dapr");
  if (!store.empty() && is_state_call(full_method)) add_database(trace, store, std::string(full_method));
  if (is_error) trace.fail(std::string(message));
  trace.finish(std::string(full_method));
}

}  // namespace holdfast::api
