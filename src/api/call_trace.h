// The trace of one API call: what came with the request, the span that is made of it, what the answer says of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "telemetry/tracer.h"
#include "wire/http/message.h"

namespace holdfast::api {

// How calls are traced; the same for all loops.
struct Tracing {
  // False (samplingRate "0"): traceparent, tracestate and baggage are left alone.
  bool enabled = true;
  // Null: no spans are made, and what came with a request goes back with its answer.
  telemetry::Tracer* tracer = nullptr;
};

// Whether a baggage header came that cannot be read.
bool has_bad_baggage(const Tracing& tracing, const http::Request& request);

class CallTrace {
 public:
  enum class Protocol : std::uint8_t { http, grpc };

  // Nothing is copied: `request` outlives this.
  CallTrace(const Tracing& tracing, const http::Request& request, Protocol protocol);

  // traceparent (gRPC: grpc-trace-bin), tracestate and baggage of the answer.
  void add_headers(http::Response& response) const;

  bool is_sampled() const { return span_ && span_->context.sampled; }
  void add(std::string name, std::string value) { span_->attributes.emplace_back(std::move(name), std::move(value)); }
  void fail(std::string why);
  // Hands the span over; only when it is sampled.
  void finish(std::string name);

 private:
  const Tracing& tracing_;
  const http::Request& request_;
  const Protocol protocol_;
  std::optional<telemetry::SpanContext> parent_;
  std::optional<telemetry::Span> span_;
};

// The attributes that Dapr gives a span, and its end.
void finish_http_trace(CallTrace& trace, const http::Request& request, std::string_view path,
                       const http::Response& response);
// `store` may be empty.
void finish_grpc_trace(CallTrace& trace, std::string_view full_method, std::string_view store, bool is_error,
                       std::string_view message);

}  // namespace holdfast::api
