#include "telemetry/server_metrics.h"

#include <algorithm>

namespace holdfast::telemetry {

namespace {

std::size_t hash_of(std::string_view method, std::string_view path, int status) {
  return std::hash<std::string_view>()(path) + 31 * std::hash<std::string_view>()(method) +
         static_cast<std::size_t>(status) * 0x9e3779b97f4a7c15ULL;
}

}  // namespace

ServerMetrics::Table::~Table() {
  for (auto& slot : slots_) delete slot.load(std::memory_order_relaxed);
}

bool ServerMetrics::Series::is(std::string_view wanted_method, std::string_view wanted_path, int wanted_status) const {
  return status == wanted_status && path == wanted_path && method == wanted_method;
}

ServerMetrics::Series& ServerMetrics::Table::at(std::string_view method, std::string_view path, int status) {
  // Calls come in runs of a kind.
  if (last_ == nullptr || !last_->is(method, path, status)) last_ = &look_up(method, path, status);
  return *last_;
}

ServerMetrics::Series& ServerMetrics::Table::look_up(std::string_view method, std::string_view path, int status) {
  for (std::size_t i = hash_of(method, path, status);; ++i) {
    std::atomic<Series*>& slot = slots_[i % kSlots];
    Series* const found = slot.load(std::memory_order_relaxed);
    if (found == nullptr) {
      // The overflow series are few: one for each method and status.
      if (used_ >= kSeriesMax && !path.empty()) return look_up(method, "", status);
      auto made = std::make_unique<Series>();
      made->method = method;
      made->path = path;
      made->status = status;
      ++used_;
      slot.store(made.get(), std::memory_order_release);
      return *made.release();
    }
    if (found->is(method, path, status)) return *found;
  }
}

void ServerMetrics::Table::each(const std::function<void(const Series&)>& visit) const {
  for (const auto& slot : slots_)
    if (const Series* const series = slot.load(std::memory_order_acquire)) visit(*series);
}

void ServerMetrics::http_done(std::string_view method, std::string_view path, int status, double latency_ms,
                              std::size_t request_bytes, std::size_t response_bytes) {
  http_.at(method, path, status).latency.record(latency_bounds_ms(), latency_ms);
  http_request_bytes_.record(size_bounds(), static_cast<double>(request_bytes));
  http_response_bytes_.record(size_bounds(), static_cast<double>(response_bytes));
}

void ServerMetrics::grpc_done(std::string_view full_method, int code, double latency_ms, std::size_t request_bytes,
                              std::size_t response_bytes) {
  grpc_.at("", full_method, code).latency.record(latency_bounds_ms(), latency_ms);
  grpc_request_bytes_.record(size_bounds(), static_cast<double>(request_bytes));
  grpc_response_bytes_.record(size_bounds(), static_cast<double>(response_bytes));
}

namespace {

// Routes whose third segment names a component, and those that are shown whole.
constexpr std::array<std::string_view, 6> kWithName{"/v1.0/state/",         "/v1.0-alpha1/state/", "/v1.0/secrets/",
                                                    "/v2/state/", "/v1.0/publish/",      "/v1.0/bindings/"};
constexpr std::array<std::string_view, 9> kWhole{"/v1.0/healthz",
                                                 "/v1.0/healthz/outbound",
                                                 "/v1.0/metadata",
                                                 "/v1.0/shutdown",
                                                 "/v2/health",
                                                 "/v2/stores",
                                                 "/v2/stats",
                                                 "/openapi.json",
                                                 "/"};

// Segment by segment; "{name}" takes any one.
bool matches(std::string_view pattern, std::string_view path) {
  while (!pattern.empty() && !path.empty()) {
    const std::size_t pattern_end = std::min(pattern.find('/', 1), pattern.size());
    const std::size_t path_end = std::min(path.find('/', 1), path.size());
    const std::string_view wanted = pattern.substr(0, pattern_end);
    const bool takes_any = wanted.starts_with("/{") && wanted.ends_with('}');
    if (!takes_any && wanted != path.substr(0, path_end)) return false;
    pattern.remove_prefix(pattern_end);
    path.remove_prefix(path_end);
  }
  return pattern.empty() && path.empty();
}

}  // namespace

std::string_view HttpLabels::path_of(std::string_view path) const {
  for (const std::string& pattern : patterns)
    if (matches(pattern, path)) return pattern;
  if (!this->path) return "";
  for (const std::string_view prefix : kWithName) {
    if (!path.starts_with(prefix)) continue;
    return path.substr(0, path.find('/', prefix.size()));
  }
  if (std::ranges::find(kWhole, path) != kWhole.end()) return path;
  if (path.starts_with("/v1.0/metadata/")) return "/v1.0/metadata";
  if (path == "/dashboard" || path.starts_with("/dashboard/")) return "/dashboard";
  return "";
}

}  // namespace holdfast::telemetry
