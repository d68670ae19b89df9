#include "telemetry/exporters.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/encoding.h"
#include "base/log.h"
#include "wire/grpc/grpc.h"
#include "wire/json/json.h"
#include "wire/protobuf/fields.h"

namespace holdfast::telemetry {

namespace {

constexpr std::uint64_t kKindClient = 3;
constexpr std::uint64_t kStatusError = 2;
constexpr std::string_view kGrpcPath = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
constexpr std::string_view kHttpPath = "/v1/traces";

template <std::size_t N>
std::string_view view(const std::array<unsigned char, N>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), N};
}

std::string key_value(std::string_view key, std::string_view value) {
  std::string any;
  protobuf::append_message(any, 1, value);  // also when empty: the oneof says which kind it is
  std::string pair;
  protobuf::append_bytes(pair, 1, key);
  protobuf::append_message(pair, 2, any);
  return pair;
}

std::string otlp_span(const Span& span) {
  std::string out;
  protobuf::append_bytes(out, 1, view(span.context.trace));
  protobuf::append_bytes(out, 2, view(span.context.span));
  if (span.has_parent) protobuf::append_bytes(out, 4, view(span.parent));
  protobuf::append_bytes(out, 5, span.name);
  protobuf::append_uint(out, 6, kKindClient);
  protobuf::append_fixed64(out, 7, static_cast<std::uint64_t>(span.begin.us) * 1000);
  protobuf::append_fixed64(out, 8, static_cast<std::uint64_t>(span.end.us) * 1000);
  for (const auto& [key, value] : span.attributes) protobuf::append_message(out, 9, key_value(key, value));
  if (span.is_error) {
    std::string status;
    protobuf::append_bytes(status, 2, span.status);
    protobuf::append_uint(status, 3, kStatusError);
    protobuf::append_message(out, 15, status);
  }
  return out;
}

// "https://host:port" of what the Configuration calls an endpoint.
std::string origin_of(const OtlpOptions& options) {
  std::string_view rest = options.endpoint;
  bool secure = options.secure;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!rest.starts_with(scheme)) continue;
    rest.remove_prefix(scheme.size());
    secure = scheme == "https://";
  }
  return fmt::format("{}{}", secure ? "https://" : "http://", rest);
}

class OtlpExporter final : public SpanExporter {
 public:
  OtlpExporter(Resource resource, const OtlpOptions& options, HttpPoster& poster)
      : resource_(std::move(resource)), over_http_(options.over_http), poster_(poster) {
    const std::string origin = origin_of(options);
    const bool has_path = origin.find('/', origin.find("://") + 3) != std::string::npos;
    post_.url = over_http_ ? (has_path ? origin : origin + std::string(kHttpPath)) : origin + std::string(kGrpcPath);
    post_.headers = options.headers;
    post_.headers.emplace_back("Content-Type", over_http_ ? "application/x-protobuf" : "application/grpc");
    if (!over_http_) post_.headers.emplace_back("TE", "trailers");
    post_.http2 = !over_http_;
    if (options.timeout > Milliseconds(0)) post_.timeout = options.timeout;
  }

  std::string_view name() const override { return over_http_ ? "OTLP over HTTP" : "OTLP over gRPC"; }

  Status send(const std::vector<Span>& spans) override {
    post_.body.clear();
    if (over_http_) {
      post_.body = otlp_request(resource_, spans);
    } else {
      grpc::append_frame(post_.body, otlp_request(resource_, spans));
    }
    const auto answer = poster_.send(post_);
    if (!answer) return fail(answer.error());
    if (answer->status / 100 != 2)
      return fail(Errc::unavailable, fmt::format("{} answered {}", post_.url, answer->status));
    if (!over_http_ && answer->grpc_status != "0")
      return fail(Errc::unavailable,
                  fmt::format("{} answered gRPC status {} {}", post_.url, answer->grpc_status, answer->grpc_message));
    return {};
  }

 private:
  const Resource resource_;
  const bool over_http_;
  HttpPoster& poster_;
  Post post_;
};

// Zipkin's server keeps names in lower case, and a tag once.
std::string zipkin_span(const Resource& resource, const Span& span) {
  std::string out = "{";
  json::append_member(out, "traceId", hex_encode(view(span.context.trace)));
  json::append_member(out, "id", hex_encode(view(span.context.span)));
  if (span.has_parent) json::append_member(out, "parentId", hex_encode(view(span.parent)));
  json::append_member(out, "name", to_lower(span.name));
  json::append_member(out, "kind", "CLIENT");
  out += fmt::format(R"(,"timestamp":{},"duration":{},"localEndpoint":{{)", span.begin.us,
                     std::max<std::int64_t>(span.end.us - span.begin.us, 1));
  json::append_member(out, "serviceName", resource.service_name);
  out += R"(},"tags":{)";
  std::map<std::string_view, std::string_view> tags;
  for (const auto& [name, value] : resource.attributes) tags[name] = value;
  for (const auto& [name, value] : span.attributes) tags[name] = value;
  if (span.is_error) tags["error"] = span.status;
  for (const auto& [name, value] : tags) json::append_member(out, name, value);
  return out + "}}";
}

class ZipkinExporter final : public SpanExporter {
 public:
  ZipkinExporter(Resource resource, std::string url, HttpPoster& poster)
      : resource_(std::move(resource)), poster_(poster) {
    post_.url = std::move(url);
    post_.headers.emplace_back("Content-Type", "application/json");
  }
  std::string_view name() const override { return "Zipkin"; }
  Status send(const std::vector<Span>& spans) override {
    post_.body = zipkin_request(resource_, spans);
    const auto answer = poster_.send(post_);
    if (!answer) return fail(answer.error());
    if (answer->status / 100 == 2) return {};
    return fail(Errc::unavailable, fmt::format("{} answered {}", post_.url, answer->status));
  }

 private:
  const Resource resource_;
  HttpPoster& poster_;
  Post post_;
};

class LogExporter final : public SpanExporter {
 public:
  explicit LogExporter(Resource resource) : resource_(std::move(resource)) {}
  std::string_view name() const override { return "the log"; }
  Status send(const std::vector<Span>& spans) override {
    for (const Span& span : spans) log::info("holdfast.tracing", "span {}", zipkin_span(resource_, span));
    return {};
  }

 private:
  const Resource resource_;
};

}  // namespace

std::string otlp_request(const Resource& resource, const std::vector<Span>& spans) {
  std::string described;
  protobuf::append_message(described, 1, key_value("service.name", resource.service_name));
  for (const auto& [name, value] : resource.attributes) protobuf::append_message(described, 1, key_value(name, value));
  std::string scope;
  protobuf::append_bytes(scope, 1, "holdfast");
  protobuf::append_bytes(scope, 2, HOLDFAST_VERSION);
  std::string scope_spans;
  protobuf::append_message(scope_spans, 1, scope);
  for (const Span& span : spans) protobuf::append_message(scope_spans, 2, otlp_span(span));
  std::string resource_spans;
  protobuf::append_message(resource_spans, 1, described);
  protobuf::append_message(resource_spans, 2, scope_spans);
  std::string request;
  protobuf::append_message(request, 1, resource_spans);
  return request;
}

std::string zipkin_request(const Resource& resource, const std::vector<Span>& spans) {
  std::string out = "[";
  for (const Span& span : spans) {
    if (out.size() > 1) out += ',';
    out += zipkin_span(resource, span);
  }
  return out + "]";
}

std::unique_ptr<SpanExporter> otlp_exporter(Resource resource, OtlpOptions options, HttpPoster& poster) {
  return std::make_unique<OtlpExporter>(std::move(resource), options, poster);
}

std::unique_ptr<SpanExporter> zipkin_exporter(Resource resource, std::string url, HttpPoster& poster) {
  return std::make_unique<ZipkinExporter>(std::move(resource), std::move(url), poster);
}

std::unique_ptr<SpanExporter> log_exporter(Resource resource) {
  return std::make_unique<LogExporter>(std::move(resource));
}

}  // namespace holdfast::telemetry
