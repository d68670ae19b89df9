#include "telemetry/tracer.h"

#include <cmath>
#include <limits>

#include "base/encoding.h"
#include "base/log.h"
#include "base/number.h"

namespace holdfast::telemetry {

namespace {

constexpr std::string_view kScope = "holdfast.tracing";
constexpr double kDefaultRatio = 0.0001;
// A collector that is away is complained about this often.
constexpr std::chrono::seconds kComplaintPause{60};

std::uint64_t threshold_of(double ratio) {
  if (ratio >= 1) return std::numeric_limits<std::uint64_t>::max();
  return static_cast<std::uint64_t>(std::ldexp(std::max(ratio, 0.0), 64));
}

// By the trace's id, so that all who see it decide alike.
std::uint64_t number_of(const TraceId& trace) {
  std::uint64_t number = 0;
  for (std::size_t i = 8; i < trace.size(); ++i) number = number << 8 | trace[i];
  return number;
}

}  // namespace

Resource resource_of(std::string_view app_id, std::string_view otel_service_name, std::string_view otel_attributes) {
  Resource resource;
  resource.service_name = app_id;
  while (!otel_attributes.empty()) {
    const std::string_view pair = take_part(otel_attributes, ',');
    const std::size_t equals = pair.find('=');
    if (equals != std::string_view::npos) {
      const std::string name(trim(pair.substr(0, equals)));
      const auto value = percent_decode(trim(pair.substr(equals + 1)), Plus::literal);
      if (value && name == "service.name") {
        resource.service_name = *value;
      } else if (value && !name.empty()) {
        resource.attributes.emplace_back(name, *value);
      }
    }
  }
  if (!otel_service_name.empty()) resource.service_name = otel_service_name;
  return resource;
}

double sampling_ratio(std::string_view rate) {
  rate = trim(rate);
  double ratio = 0;
  if (!read_number(rate, ratio) || !(ratio >= 0)) return kDefaultRatio;
  return std::min(ratio, 1.0);
}

Tracer::Tracer(double ratio, std::vector<std::unique_ptr<SpanExporter>> exporters)
    : threshold_(threshold_of(ratio)), exporters_(std::move(exporters)), quiet_until_(exporters_.size()) {
  if (!exporters_.empty()) thread_ = std::thread([this] { run(); });
}

Tracer::~Tracer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

SpanContext Tracer::begin(const SpanContext* parent) const {
  SpanContext context = child_of(parent, false);
  context.sampled = parent != nullptr ? parent->sampled : threshold_ > 0 && number_of(context.trace) <= threshold_;
  return context;
}

void Tracer::end(Span span) {
  if (exporters_.empty()) return;
  const std::lock_guard lock(mutex_);
  if (queue_.size() >= kQueueMax) {
    ++dropped_;
    return;
  }
  queue_.push_back(std::move(span));
  if (queue_.size() == kBatchMax) wake_.notify_all();
}

std::uint64_t Tracer::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

void Tracer::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_ || !queue_.empty()) {
    wake_.wait_for(lock, kBatchTime, [this] { return stopping_ || queue_.size() >= kBatchMax; });
    if (queue_.empty()) continue;
    const auto count = static_cast<std::ptrdiff_t>(std::min(queue_.size(), kBatchMax));
    std::vector<Span> batch(std::make_move_iterator(queue_.begin()), std::make_move_iterator(queue_.begin() + count));
    queue_.erase(queue_.begin(), queue_.begin() + count);
    lock.unlock();
    send(batch);
    lock.lock();
  }
}

void Tracer::send(const std::vector<Span>& batch) {
  for (std::size_t i = 0; i < exporters_.size(); ++i) {
    const auto sent = exporters_[i]->send(batch);
    const SteadyTime now = std::chrono::steady_clock::now();
    if (sent || now < quiet_until_[i]) continue;
    quiet_until_[i] = now + kComplaintPause;
    log::warn(kScope, "{} spans are lost: {}: {}", batch.size(), exporters_[i]->name(), sent.error().message);
  }
}

}  // namespace holdfast::telemetry
