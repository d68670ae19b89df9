// The components that are open, and making them what the files say: at the start, and again whenever the files change.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/components.h"
#include "daemon/metrics_endpoint.h"
#include "net/loop.h"
#include "service/store_table.h"
#include "state/component.h"
#include "state/layers/layers.h"
#include "state/layers/near_cache.h"

namespace holdfast::daemon {

class OpenHandles;

// Errc::unsupported for fields that promise what this version does not do: better no store than events dropped or
// plaintext kept.
Status refuse_what_is_not_built(const state::Component& component);

// Lives on the main thread. The loops are running while it is used.
//
// A component that has changed is opened anew before the old one is let go: requests that run finish on the old, the
// next ones begin on the new, and none finds nothing. What is let go is closed when its last request has ended.
class Components {
 public:
  // The resiliency policies of a store; asked for each one that is wanted.
  using PolicyOf = std::function<state::ResiliencyPolicy(const std::string& store)>;

  Components(const state::Registry& registry, std::vector<net::Loop*> loops, std::vector<service::StoreTable*> tables,
             service::Runtime& runtime, MetricsSources& metrics);
  ~Components();

  // Makes `wanted` what is open. The first component that cannot be opened ends it with Dapr's
  // "[INIT_COMPONENT_FAILURE]: ..." text, unless that one says ignoreErrors: then it is left out, or, where only its
  // database is missing, tried again by tick(). A component that fails to change stays as it was.
  enum class Failures : std::uint8_t { end_it, keep_going };  // keep_going: as if every component said ignoreErrors
  Status apply(const std::vector<state::Component>& wanted, const PolicyOf& policy_of, Failures failures);

  // Tries what is still connecting and lets go of what is closed. Call it again at next_tick().
  void tick(SteadyTime now);
  SteadyTime next_tick(SteadyTime now) const;

  // Listed before the stores in v1 metadata.
  void set_secret_stores(std::vector<service::ComponentInfo> infos) { secret_stores_ = std::move(infos); }
  // What v1 metadata lists.
  void publish();
  // Closes every store on its loop. No request may be running.
  void close_all(Milliseconds grace);

 private:
  struct Store {
    state::Component component;
    const state::StoreType* type = nullptr;
    state::ResiliencyPolicy policy;
    std::string key_prefix;
    std::optional<state::NearCacheSettings> near_cache;
    std::shared_ptr<state::StoreCore> core;  // null while it is still connecting
    std::shared_ptr<OpenHandles> handles;
    std::string pending_reason;
    SteadyTime try_at{};
    Milliseconds backoff{0};
  };

  Store* find(std::string_view name);
  Status open_or_change(const state::Component& component, const state::ResiliencyPolicy& policy);
  // What can be said of a component without asking its database.
  Result<Store> examine(const state::Component& component, const state::ResiliencyPolicy& policy);
  Status connect(Store& store);
  Status place_handles(Store& store);
  Status open_entries(const Store& store, std::vector<std::unique_ptr<service::StoreEntry>>& entries);
  void abandon(const Store& store, std::vector<std::unique_ptr<service::StoreEntry>> entries);
  std::unique_ptr<service::StoreEntry> entry_of(const Store& store) const;
  void place(const Store& store, std::vector<std::unique_ptr<service::StoreEntry>> entries);
  void place_pending(Store& store, const Error& why);
  void remove_all_but(const std::vector<state::Component>& wanted);
  void withdraw(Store& store);
  void retire(Store& store);
  std::unexpected<Error> failed(const state::Component& component, const Error& cause, std::string_view stage);

  const state::Registry& registry_;
  std::vector<net::Loop*> loops_;
  std::vector<service::StoreTable*> tables_;
  service::Runtime& runtime_;
  MetricsSources& metrics_;
  std::vector<Store> stores_;                          // in the order of loading
  std::vector<std::shared_ptr<OpenHandles>> retired_;  // being closed; their cores live until then
  std::vector<service::ComponentInfo> secret_stores_;
};

}  // namespace holdfast::daemon
