// Opening components: once for the process, then a handle with its layers on every loop.
#pragma once

#include <memory>
#include <vector>

#include "daemon/metrics_endpoint.h"
#include "net/loop.h"
#include "service/store_table.h"
#include "state/component.h"

namespace holdfast::daemon {

// Lives on the main thread. The loops are running while it is used.
class Components {
 public:
  Components(const state::Registry& registry, std::vector<net::Loop*> loops,
             std::vector<service::StoreTable*> tables, service::Runtime& runtime, MetricsSources& metrics)
      : registry_(registry),
        loops_(std::move(loops)),
        tables_(std::move(tables)),
        runtime_(runtime),
        metrics_(metrics) {}

  // Opens one state store. The error is Dapr's "[INIT_COMPONENT_FAILURE]: ..." text; nothing is left of it then.
  Status open(const state::Component& component);
  // What v1 metadata lists.
  void publish();
  // Closes every store on its loop. No request may be running.
  void close_all(Milliseconds grace);

 private:
  Status open_on_loop(std::size_t loop, const state::Component& component, const state::StoreType& type,
                      const std::shared_ptr<state::StoreCore>& core, const std::string& key_prefix);

  const state::Registry& registry_;
  std::vector<net::Loop*> loops_;
  std::vector<service::StoreTable*> tables_;
  service::Runtime& runtime_;
  MetricsSources& metrics_;
  std::vector<std::shared_ptr<state::StoreCore>> cores_;  // outlive the handles in the tables
  std::vector<service::ComponentInfo> infos_;
};

}  // namespace holdfast::daemon
