// Tracing as the Configuration and the environment want it.
#pragma once

#include <memory>
#include <string>

#include "api/call_trace.h"
#include "config/components.h"
#include "config/configuration.h"
#include "telemetry/http_poster.h"

namespace holdfast::daemon {

// Outlives the loops. Its end sends what is queued.
class Traces {
 public:
  // Without an exporter and without a rate no spans are made. Errc::unsupported when exporters need a library that is
  // not installed.
  static Result<std::unique_ptr<Traces>> open(const config::TracingSpec& spec, const std::string& app_id,
                                              const config::GetEnvironment& environment);
  api::Tracing tracing() const { return {enabled_, tracer_.get()}; }

 private:
  bool enabled_ = true;
  std::unique_ptr<telemetry::HttpPoster> poster_;  // outlives the tracer, whose exporters use it
  std::unique_ptr<telemetry::Tracer> tracer_;
};

}  // namespace holdfast::daemon
