// The exporters: OTLP over gRPC and HTTP, Zipkin, and the log. What each sends is a pure function here.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "telemetry/http_poster.h"
#include "telemetry/tracer.h"

namespace holdfast::telemetry {

// opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest, encoded.
// Source: opentelemetry/proto/trace/v1/trace.proto of opentelemetry-proto 1.x.
std::string otlp_request(const Resource& resource, const std::vector<Span>& spans);
// Zipkin's API v2: a JSON array. Source: zipkin.io/zipkin-api.
std::string zipkin_request(const Resource& resource, const std::vector<Span>& spans);

struct OtlpOptions {
  bool over_http = false;
  std::string endpoint;  // "host:port", with or without a scheme; over HTTP also with a path in place of /v1/traces
  bool secure = true;
  std::vector<std::pair<std::string, std::string>> headers;  // never logged
  Milliseconds timeout{10'000};
};
// `poster` outlives the exporter.
std::unique_ptr<SpanExporter> otlp_exporter(Resource resource, OtlpOptions options, HttpPoster& poster);
// `url` is Zipkin's whole address: http://localhost:9411/api/v2/spans.
std::unique_ptr<SpanExporter> zipkin_exporter(Resource resource, std::string url, HttpPoster& poster);
std::unique_ptr<SpanExporter> log_exporter(Resource resource);

}  // namespace holdfast::telemetry
