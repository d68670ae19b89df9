// Everything that files say about a sidecar: the Configuration, read once, and the resources directories, read at the
// start and again whenever they change.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/components.h"
#include "config/configuration.h"
#include "config/resiliency.h"
#include "secrets/table.h"
#include "service/runtime.h"

namespace holdfast::daemon {

// One reading of the directories.
struct Reading {
  std::vector<state::Component> stores;
  std::vector<service::ComponentInfo> secret_stores;
  config::Resiliency resiliency;
};

// Lives on the main thread; the secrets may be read from any.
class ResourceReader {
 public:
  struct Options {
    std::string app_id;
    std::vector<std::string> directories;
    std::vector<std::string> configs;
    config::GetEnvironment environment;
  };
  explicit ResourceReader(Options options) : options_(std::move(options)) {}

  // The --config files, with what the environment says of tracing. Warnings are logged.
  Result<config::Configuration> read_configuration();
  // Opens the secret stores too. `changed`: this is not the first reading, so that a document that cannot be parsed
  // fails it, rather than being left out: half a file is no reason to close a store.
  Result<Reading> read(bool changed);
  // Whether a --config file says something else than it did when read_configuration read it.
  bool configuration_changed() const;

  const secrets::SecretTable& secrets() const { return secrets_; }

 private:
  void remove_closed_secret_stores(const config::Resources& resources);
  std::string configuration_text() const;

  const Options options_;
  config::Configuration configuration_;
  std::string configuration_text_;
  secrets::SecretTable secrets_;
  std::vector<state::Component> last_stores_;  // a component that has to wait for its secrets keeps what it had
  std::vector<std::string> last_secret_stores_;
};

}  // namespace holdfast::daemon
