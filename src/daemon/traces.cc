#include "daemon/traces.h"

#include "telemetry/exporters.h"

namespace holdfast::daemon {

Result<std::unique_ptr<Traces>> Traces::open(const config::TracingSpec& spec, const std::string& app_id,
                                             const config::GetEnvironment& environment) {
  auto traces = std::make_unique<Traces>();
  const double ratio = telemetry::sampling_ratio(spec.sampling_rate);
  traces->enabled_ = spec.sampling_rate.empty() || ratio > 0;
  const bool sends = !spec.zipkin_endpoint.empty() || !spec.otel.endpoint.empty();
  const bool has_rate = !spec.sampling_rate.empty();
  if (!traces->enabled_ || (!sends && !spec.to_stdout && !has_rate)) return traces;
  if (sends) {
    auto poster = telemetry::curl_poster();
    if (!poster) return fail(poster.error());
    traces->poster_ = std::move(*poster);
  }
  const telemetry::Resource resource = telemetry::resource_of(app_id, environment("OTEL_SERVICE_NAME").value_or(""),
                                                              environment("OTEL_RESOURCE_ATTRIBUTES").value_or(""));
  std::vector<std::unique_ptr<telemetry::SpanExporter>> exporters;
  if (!spec.otel.endpoint.empty()) {
    telemetry::OtlpOptions options;
    options.over_http = spec.otel.protocol == "http";
    options.endpoint = spec.otel.endpoint;
    options.secure = spec.otel.is_secure;
    options.headers = spec.otel.headers;
    options.timeout = spec.otel.timeout;
    exporters.push_back(telemetry::otlp_exporter(resource, std::move(options), *traces->poster_));
  }
  if (!spec.zipkin_endpoint.empty())
    exporters.push_back(telemetry::zipkin_exporter(resource, spec.zipkin_endpoint, *traces->poster_));
  if (spec.to_stdout) exporters.push_back(telemetry::log_exporter(resource));
  traces->tracer_ = std::make_unique<telemetry::Tracer>(ratio, std::move(exporters));
  return traces;
}

}  // namespace holdfast::daemon
