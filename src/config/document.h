// One YAML document as a component, before secrets and templates are filled in. Internal to the folder.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/components.h"
#include "config/yaml.h"

namespace holdfast::config {

struct Draft {
  state::Component component;
  std::string name_space;
  std::vector<SecretReference> secrets;
};

struct Place {
  std::string file;
  int line = 0;
};
// "orders.yaml:12"
std::string at(const Place& place);

// The variable's value, or `fallback` when it is unset or empty.
std::string environment_or(const GetEnvironment& environment, const std::string& name, std::string fallback);

// Nothing when the document of `file` is no component, or none that can be used; why goes to `warnings`.
std::optional<Draft> read_document(const YamlDocument& document, const std::string& file, const LoadOptions& options,
                                   std::vector<std::string>& warnings);

}  // namespace holdfast::config
