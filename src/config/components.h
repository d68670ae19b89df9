// Component files: what Dapr's disk loader takes from the resources directories, with the same choices about
// what is skipped, what is fatal and what is left for later.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "config/resources.h"
#include "state/component.h"

namespace holdfast::config {

// A variable of the environment, or nothing when it is not set.
using GetEnvironment = std::function<std::optional<std::string>(const std::string& name)>;
GetEnvironment process_environment();

// A property whose value a secret store has.
struct SecretReference {
  std::string property;
  std::string store;  // auth.secretStore
  std::string name;
  std::string key;  // the secret's name when the file gives none
};

// Where secrets come from. Called while loading, on the loading thread; may block.
class SecretResolver {
 public:
  virtual ~SecretResolver() = default;
  // Once for every secret store component, in order, before any fetch.
  virtual Status open(const state::Component& store) = 0;
  virtual bool has_store(std::string_view name) const = 0;
  virtual Result<std::string> fetch(const SecretReference& reference) = 0;
};

struct LoadOptions {
  std::string app_id;
  // spec.components.deny of the Configuration (component_denied); null: none is denied.
  std::function<bool(std::string_view type, std::string_view version)> is_denied;
  GetEnvironment environment = process_environment();
  SecretResolver* secrets = nullptr;  // null: there are no secret stores
  std::function<std::string()> make_uuid = uuid_v4;
};

// Waits for a secret store that is not there. Dapr calls the component neither broken nor present.
struct ParkedComponent {
  state::Component component;  // without the properties that are secrets
  std::string secret_store;
};

struct Resources {
  std::vector<state::Component> secret_stores;  // to be opened first, in this order
  std::vector<state::Component> state_stores;   // then these, in this order
  std::vector<ParkedComponent> parked;
  std::vector<state::Component> others;  // of Dapr's other building blocks; a warning names each
  std::vector<std::string> warnings;     // to be logged; each begins with the file and line
};

// The Component documents. Those that cannot be used are skipped with a warning, and so is every document that does not
// parse; errors are what Dapr dies of: two components of one name, a type of no known category, {podName} without
// POD_NAME (the last two not for a component with ignoreErrors).
Result<Resources> load_resources(const ResourceFiles& files, const LoadOptions& options);
// Reads the directories too (read_resource_files).
Result<Resources> load_resources(const std::vector<std::string>& directories, const LoadOptions& options);

// "orders (state.sqlite/v1)", as Dapr's messages name a component.
std::string log_name(const state::Component& component);
// Dapr's words for a component that cannot be made, or not be opened: "process component NAME error:
// [INIT_COMPONENT_FAILURE]: initialization error occurred for NAME (TYPE/VERSION): why".
Error creation_failure(const state::Component& component, const Error& why);
Error init_failure(const state::Component& component, const Error& why);

}  // namespace holdfast::config
