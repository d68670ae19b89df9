// What the APIs tell about this process: identity, loaded components, extended metadata, readiness, and the ask
// to shut down. Shared by all loops; every member is thread-safe.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "service/secrets.h"

namespace holdfast::service {

struct ComponentInfo {
  std::string name;
  std::string type;
  std::string version;
  std::vector<std::string> capabilities;
};

// How the application's health is looked at; shown in the metadata.
struct AppHealth {
  std::string path;
  std::int64_t interval_seconds = 0;
  std::int64_t timeout_ms = 0;
  std::int64_t threshold = 0;
};

class Runtime {
 public:
  // Set before the loops run, constant after.
  std::string app_id;
  std::string name_space;
  std::string version = HOLDFAST_VERSION;
  std::string app_protocol = "http";
  std::string app_channel_address = "127.0.0.1";
  int app_port = 0;
  int app_max_concurrency = 0;
  std::optional<AppHealth> app_health;
  bool asks_for_token = false;               // an API token, or a file of them, is configured
  std::function<void(bool force)> shutdown;  // thread-safe
  const SecretAccess* secrets = nullptr;     // null: there are no secret stores. Outlives the loops

  // healthz/outbound: components are loaded and the ports are open. healthz: also the application answers.
  std::atomic<bool> outbound_ready{false};
  std::atomic<bool> ready{false};

  void set_components(std::vector<ComponentInfo> components);
  std::vector<ComponentInfo> components() const;
  void set_features(std::vector<std::string> enabled);
  std::vector<std::string> features() const;
  void set_resiliencies(std::vector<std::string> names);
  std::vector<std::string> resiliencies() const;
  void set_extended(std::string key, std::string value);
  std::map<std::string, std::string> extended() const;  // always has daprRuntimeVersion

 private:
  mutable std::mutex mutex_;
  std::vector<ComponentInfo> components_;
  std::vector<std::string> features_;
  std::vector<std::string> resiliencies_;
  std::map<std::string, std::string> extended_;
};

}  // namespace holdfast::service
