// The Prometheus page. Every path answers it, as with daprd.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "net/handler.h"
#include "service/runtime.h"
#include "state/layers/layers.h"

namespace holdfast::daemon {

// What the page reads. add() while components load, from any thread.
class MetricsSources {
 public:
  void add_store(std::string component, std::shared_ptr<state::StoreMetrics> metrics);
  void component_loaded(std::string type);
  void component_failed(std::string type, std::string name, std::string reason);
  std::string page(const service::Runtime& runtime) const;

 private:
  struct Store {
    std::string component;
    std::vector<std::shared_ptr<state::StoreMetrics>> loops;
  };
  struct Failure {
    std::string type, name, reason;
  };
  void append_stores(std::string& out, const std::string& labels) const;
  void append_components(std::string& out, const service::Runtime& runtime) const;

  mutable std::mutex mutex_;
  std::vector<Store> stores_;
  std::vector<std::string> loaded_;
  std::vector<Failure> failed_;
};

class MetricsHandler final : public net::Handler {
 public:
  MetricsHandler(const MetricsSources& sources, const service::Runtime& runtime)
      : sources_(sources), runtime_(runtime) {}
  Task<http::Response> handle(http::Request& request) override;

 private:
  const MetricsSources& sources_;
  const service::Runtime& runtime_;
};

}  // namespace holdfast::daemon
