// Spans of API calls, sampled and handed to exporters in batches by a thread of its own.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "telemetry/trace_context.h"

namespace holdfast::telemetry {

using Attributes = std::vector<std::pair<std::string, std::string>>;

struct Span {
  SpanContext context;
  SpanId parent{};
  bool has_parent = false;
  std::string name;
  WallTime begin;
  WallTime end;
  Attributes attributes;
  bool is_error = false;
  std::string status;  // why, with is_error
};

// Where spans go. Called on the tracer's thread only; may block for as long as its own time limit says.
class SpanExporter {
 public:
  virtual ~SpanExporter() = default;
  virtual std::string_view name() const = 0;
  virtual Status send(const std::vector<Span>& spans) = 0;
};

// What the spans say of this process.
struct Resource {
  std::string service_name;
  Attributes attributes;  // beside the name
};
// The app id, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES ("name=value,...") say otherwise.
Resource resource_of(std::string_view app_id, std::string_view otel_service_name, std::string_view otel_attributes);

// The ratio of spec.tracing.samplingRate: Dapr's default, one in ten thousand, when it is empty or no number.
double sampling_ratio(std::string_view rate);

// Thread-safe. What the exporters cannot take in time is dropped and counted: tracing never slows a call.
class Tracer {
 public:
  static constexpr std::size_t kQueueMax = 4096;
  static constexpr std::size_t kBatchMax = 512;
  static constexpr Milliseconds kBatchTime{1000};

  Tracer(double ratio, std::vector<std::unique_ptr<SpanExporter>> exporters);
  // Sends what is queued, once.
  ~Tracer();

  // A span for a call that came with `parent` (null: none): sampled as the parent was, else by the ratio.
  SpanContext begin(const SpanContext* parent) const;
  // Of a sampled span.
  void end(Span span);
  std::uint64_t dropped() const;

 private:
  void run();
  void send(const std::vector<Span>& batch);

  const std::uint64_t threshold_;  // of 2^64: a trace whose last eight bytes are below it is sampled
  const std::vector<std::unique_ptr<SpanExporter>> exporters_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Span> queue_;
  std::uint64_t dropped_ = 0;
  bool stopping_ = false;
  std::vector<SteadyTime> quiet_until_;  // of each exporter's complaints
  std::thread thread_;
};

}  // namespace holdfast::telemetry
