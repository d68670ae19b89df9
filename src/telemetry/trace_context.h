// W3C Trace Context and Baggage, and gRPC's binary form of the former, as functions.
// Sources: w3.org/TR/trace-context, w3.org/TR/baggage, and the OpenCensus binary format that gRPC uses.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::telemetry {

using TraceId = std::array<unsigned char, 16>;
using SpanId = std::array<unsigned char, 8>;

struct SpanContext {
  TraceId trace{};
  SpanId span{};
  bool sampled = false;

  friend bool operator==(const SpanContext&, const SpanContext&) = default;
};

// A new span: of `parent`'s trace, or of a new one.
SpanContext child_of(const SpanContext* parent, bool sampled);

// "00-<32 hex>-<16 hex>-<2 hex>". Nothing for what is no valid traceparent of version 00, or of a later one in the
// same form; all-zero ids are invalid.
std::optional<SpanContext> parse_traceparent(std::string_view text);
std::string to_traceparent(const SpanContext& context);

// grpc-trace-bin: 29 bytes.
std::optional<SpanContext> parse_trace_bin(std::string_view bytes);
std::string to_trace_bin(const SpanContext& context);

// Whether the value of a baggage header keeps the standard's form: name=value;property, ... At most 8192 bytes and
// 64 members.
bool is_baggage(std::string_view text);

}  // namespace holdfast::telemetry
