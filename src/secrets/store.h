// The contract of a secret store, and the row with which a kind of store registers.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "service/secrets.h"
#include "state/component.h"

namespace holdfast::secrets {

using service::Secret;
using service::Secrets;

// Everything was read when the store was opened: calls come from any thread and do not block.
class SecretStore {
 public:
  virtual ~SecretStore() = default;
  // Errc::not_found with Dapr's text where the store knows what it has.
  virtual Result<Secret> get(std::string_view name) const = 0;
  virtual Result<Secrets> all() const = 0;
  // As Dapr declares them in metadata.
  virtual std::vector<std::string> capabilities() const { return {}; }
};

// The variables of the environment that stores may read, by name.
using Variables = std::map<std::string, std::string, std::less<>>;
Variables process_variables();

struct SecretStoreType {
  std::string_view type;  // "secretstores.local.file"
  std::string_view summary;
  std::span<const state::Setting> settings;
  // Reads everything; may block (start-up, reload). Errors name the component, the field, the file and what to do.
  Result<std::unique_ptr<SecretStore>> (*open)(const state::Component& component, const Variables& variables);
};

// Every type there is.
std::span<const SecretStoreType* const> types();
// Type and version in any case; the versions are "", v0 and v1. Null when there is none.
const SecretStoreType* find_type(std::string_view type, std::string_view version);

}  // namespace holdfast::secrets
