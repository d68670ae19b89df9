// One YAML document as a component, before secrets and templates are filled in. Internal to the folder.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
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

// What Dapr looks at before a component's type: the part of it up to the first dot that is a building block.
enum class Category : std::uint8_t { unknown, state, secret_store, other };
Category category_of(std::string_view type);
// The other building blocks, each with its dot: "pubsub.".
std::span<const std::string_view> other_categories();

// The versions of Dapr's documents that are read: its own files say v1alpha1, much course material says v1.
std::span<const std::string_view> api_versions();

// Why a component cannot have that name; nothing when it can.
std::optional<std::string> objection_to_name(std::string_view name);

// A variable that no component is ever given: the tokens, and Dapr's own.
bool is_reserved_variable(std::string_view name);

// The variable's value, or `fallback` when it is unset or empty.
std::string environment_or(const GetEnvironment& environment, const std::string& name, std::string fallback);

// Nothing when the document of `file` is no component, or none that can be used; why goes to `warnings`.
std::optional<Draft> read_document(const YamlDocument& document, const std::string& file, const LoadOptions& options,
                                   std::vector<std::string>& warnings);

}  // namespace holdfast::config
