// The loaded secret stores by name: where components get their secrets while they load, and what the secrets API
// reads. Thread-safe; a reader that holds a store keeps it alive while it is replaced.
#pragma once

#include <map>
#include <memory>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <vector>

#include "config/components.h"
#include "config/configuration.h"
#include "secrets/store.h"
#include "service/secrets.h"

namespace holdfast::secrets {

class SecretTable final : public config::SecretResolver, public service::SecretAccess {
 public:
  explicit SecretTable(Variables variables = process_variables()) : variables_(std::move(variables)) {}

  // Opens the store and puts it in the place of one of that name. On failure an older one stays. The error is Dapr's
  // "process component NAME error: [...]" text.
  Status open(const state::Component& component) override;
  void remove(std::string_view name);
  void set_scopes(std::vector<config::SecretScope> scopes);

  bool configured() const;  // whether any store is loaded
  bool has_store(std::string_view name) const override;
  // As metadata lists them; none when there is no such store.
  std::vector<std::string> capabilities(std::string_view name) const;

  // One value for a component, whatever the scopes say.
  Result<std::string> fetch(const config::SecretReference& reference) override;

  // For the secrets API.
  service::SecretResult<Secret> get(std::string_view store, std::string_view key) const override;
  service::SecretResult<Secrets> get_all(std::string_view store) const override;

 private:
  std::shared_ptr<const SecretStore> find(std::string_view name) const;  // takes the lock
  bool allows(std::string_view store, std::string_view key) const;       // takes the lock

  const Variables variables_;
  mutable std::shared_mutex mutex_;  // guards what follows
  std::map<std::string, std::shared_ptr<const SecretStore>, std::less<>> stores_;
  std::vector<config::SecretScope> scopes_;
};

}  // namespace holdfast::secrets
