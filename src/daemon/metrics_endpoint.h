// What is counted, and the Prometheus page that tells it. Every path of its port answers the page, as with daprd.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/histogram.h"
#include "net/handler.h"
#include "service/runtime.h"
#include "service/secrets.h"
#include "state/layers/layers.h"
#include "state/layers/near_cache.h"
#include "telemetry/error_counts.h"
#include "telemetry/server_metrics.h"
#include "telemetry/stats.h"

namespace holdfast::daemon {

// What the page and GET /v2/stats read. Any thread.
class MetricsSources final : public telemetry::StatsSource {
 public:
  // The counts of a store on a loop. The same ones when the store is opened anew.
  std::shared_ptr<state::StoreMetrics> store(const std::string& component, std::size_t loop);
  std::shared_ptr<state::NearCacheCounts> near_cache(const std::string& component, std::size_t loop);
  // Replaces those of an earlier opening.
  void add_resiliency(const std::string& component, std::shared_ptr<const state::SharedResiliency> resiliency);
  // Outlives this.
  void add_server(const telemetry::ServerMetrics& metrics);
  void component_loaded(std::string type);
  void component_failed(std::string type, std::string name, std::string reason);
  void secret_done(std::string_view store, bool bulk, bool success, double elapsed_ms);
  void set_resiliency_names(std::vector<std::string> names);
  telemetry::ErrorCounts& errors() { return errors_; }

  std::string page(const service::Runtime& runtime) const;
  telemetry::Stats read_stats() const override;

 private:
  struct Failure {
    std::string type, name, reason;
    friend auto operator<=>(const Failure&, const Failure&) = default;
  };
  struct SecretSeries {
    std::string store;
    bool bulk = false;
    bool success = false;
    friend auto operator<=>(const SecretSeries&, const SecretSeries&) = default;
  };
  void append_stores(std::string& out, const std::string& labels) const;
  void append_near_caches(std::string& out, const std::string& labels) const;
  void append_secrets(std::string& out, const std::string& labels) const;
  void append_servers(std::string& out, const std::string& app) const;
  void append_components(std::string& out, const std::string& app) const;
  void append_errors(std::string& out, const std::string& app) const;
  void append_resiliency(std::string& out, const std::string& labels) const;

  const SteadyTime began_ = std::chrono::steady_clock::now();
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<std::shared_ptr<state::StoreMetrics>>> stores_;
  std::map<std::string, std::vector<std::shared_ptr<state::NearCacheCounts>>> near_caches_;
  std::map<std::string, std::shared_ptr<const state::SharedResiliency>> resiliency_;
  std::vector<const telemetry::ServerMetrics*> servers_;
  std::map<std::string, std::uint64_t> loaded_;
  std::map<Failure, std::uint64_t> failed_;
  std::map<SecretSeries, Histogram> secrets_;
  std::vector<std::string> resiliency_names_;
  telemetry::ErrorCounts errors_;
};

class MetricsHandler final : public net::Handler {
 public:
  MetricsHandler(const MetricsSources& sources, const service::Runtime& runtime)
      : sources_(sources), runtime_(runtime) {}
  Task<void> handle(http::Request& request, http::Response& response) override;

 private:
  const MetricsSources& sources_;
  const service::Runtime& runtime_;
};

// Counts what the secrets API asks for.
class CountedSecrets final : public service::SecretAccess {
 public:
  CountedSecrets(const service::SecretAccess& inner, MetricsSources& metrics) : inner_(inner), metrics_(metrics) {}
  service::SecretResult<service::Secret> get(std::string_view store, std::string_view key) const override;
  service::SecretResult<service::Secrets> get_all(std::string_view store) const override;

 private:
  const service::SecretAccess& inner_;
  MetricsSources& metrics_;
};

}  // namespace holdfast::daemon
