#include "config/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace holdfast::config {
namespace {

constexpr std::array<std::string_view, 2> kApiVersions{"dapr.io/v1alpha1", "dapr.io/v1"};

std::string to_upper(std::string_view text) {
  std::string upper;
  for (const char c : text) upper += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return upper;
}

// What Dapr never hands to a component, and, where an allow-list is set, what it does not name.
bool may_read_variable(const GetEnvironment& environment, std::string_view name) {
  if (is_reserved_variable(name)) return false;
  const std::string allowed = environment_or(environment, "DAPR_ENV_KEYS", "");
  return allowed.empty() || (" " + allowed + " ").find(" " + to_upper(name) + " ") != std::string::npos;
}

// Turns one document into a draft. What is wrong with it goes to `warnings`.
class DocumentReader {
 public:
  DocumentReader(const LoadOptions& options, std::vector<std::string>& warnings, std::string file)
      : options_(options), warnings_(warnings), file_(std::move(file)) {}

  // Nothing when the document is no component, or none that can be used.
  std::optional<Draft> read(const YamlDocument& document) {
    const auto root = parse_yaml(document);
    if (!root) {
      warnings_.push_back(fmt::format("{}:{}; this document is skipped", file_, root.error().message));
      return std::nullopt;
    }
    if (root->kind == YamlNode::Kind::null) return std::nullopt;
    if (!root->is_mapping()) return skip(*root, "it is not a mapping of names to values");
    if (to_text((*root)["kind"]) != "Component") return std::nullopt;
    const std::string api_version = to_text((*root)["apiVersion"]);
    if (std::find(kApiVersions.begin(), kApiVersions.end(), api_version) == kApiVersions.end())
      return skip(*root, fmt::format("its apiVersion is \"{}\" and not dapr.io/v1alpha1", api_version));
    const std::string name = to_text((*root)["metadata"]["name"]);
    if (const auto why = objection_to_name(name)) return skip(*root, *why);
    return read_component(*root, name);
  }

 private:
  std::nullopt_t skip(const YamlNode& node, std::string_view why) {
    warn(node, fmt::format("this document is skipped: {}", why));
    return std::nullopt;
  }
  void warn(const YamlNode& node, std::string_view text) {
    warnings_.push_back(fmt::format("{}: {}", at({file_, node.line}), text));
  }

  std::optional<Draft> read_component(const YamlNode& root, const std::string& name) {
    Draft draft;
    draft.name_space = to_text(root["metadata"]["namespace"]);
    state::Component& component = draft.component;
    component.name = name;
    component.file = file_;
    component.line = root.line;
    const YamlNode& spec = root["spec"];
    component.type = to_text(spec["type"]);
    component.version = to_text(spec["version"]);
    component.ignore_errors = state::truthy(to_text(spec["ignoreErrors"]));
    read_init_timeout(spec["initTimeout"], component);
    const YamlNode& scopes = root["scopes"];
    if (scopes.kind == YamlNode::Kind::scalar || scopes.is_mapping())
      return skip(scopes, "scopes is not a list of app ids");
    for (const YamlNode& scope : scopes.items) component.scopes.push_back(to_text(scope));
    const YamlNode& metadata = spec["metadata"];
    if (metadata.kind == YamlNode::Kind::scalar || metadata.is_mapping())
      return skip(metadata, "spec.metadata is not a list of name and value");
    const std::string secret_store = to_text(root["auth"]["secretStore"]);
    for (const YamlNode& item : metadata.items)
      if (!read_property(item, secret_store, draft)) return std::nullopt;
    return draft;
  }

  void read_init_timeout(const YamlNode& node, state::Component& component) {
    const std::string text = to_text(node);
    if (text.empty()) return;
    const auto timeout = state::parse_go_duration(text);
    if (timeout && timeout->count() > 0) {
      component.init_timeout = *timeout;
    } else {
      warn(node, "initTimeout is not a positive duration such as 30s; 5s is used");
    }
  }

  bool read_property(const YamlNode& item, const std::string& secret_store, Draft& draft) {
    const std::string name = to_text(item["name"]);
    if (!item.is_mapping() || name.empty()) {
      skip(item, "an entry of spec.metadata has no name");
      return false;
    }
    for (const auto& [other, value] : draft.component.properties)
      if (other == name) warn(item, fmt::format("\"{}\" is given twice; the last one holds", name));
    std::string value = to_text(item["value"]);
    const std::string variable = to_text(item["envRef"]);
    if (value.empty() && !variable.empty()) value = read_variable(item, draft.component, variable);
    if (const YamlNode& reference = item["secretKeyRef"]; !to_text(reference["name"]).empty()) {
      const std::string secret = to_text(reference["name"]);
      const std::string key = to_text(reference["key"]);
      draft.secrets.push_back({name, secret_store, secret, key.empty() ? secret : key});
      if (value.empty()) return true;  // unset until the secret is there
    }
    draft.component.properties.emplace_back(name, std::move(value));
    return true;
  }

  std::string read_variable(const YamlNode& item, const state::Component& component, const std::string& variable) {
    if (!may_read_variable(options_.environment, variable)) {
      warn(item, fmt::format("Component {} references an env variable that isn't allowed: {}", log_name(component),
                             variable));
      return "";
    }
    const auto value = options_.environment(variable);
    if (!value)
      warn(item, fmt::format("Component {}: the variable {} is not set; the property is empty", log_name(component),
                             variable));
    return value.value_or("");
  }

  const LoadOptions& options_;
  std::vector<std::string>& warnings_;
  std::string file_;
};

}  // namespace

std::span<const std::string_view> other_categories() {
  static constexpr std::array<std::string_view, 9> kOthers{"pubsub.",     "bindings.",       "configuration.",
                                                           "lock.",       "crypto.",         "conversation.",
                                                           "middleware.", "nameresolution.", "workflowbackend."};
  return kOthers;
}

Category category_of(std::string_view type) {
  if (type.starts_with("state.")) return Category::state;
  if (type.starts_with("secretstores.")) return Category::secret_store;
  const bool is_other =
      std::ranges::any_of(other_categories(), [type](std::string_view prefix) { return type.starts_with(prefix); });
  return is_other ? Category::other : Category::unknown;
}

std::span<const std::string_view> api_versions() { return kApiVersions; }

std::optional<std::string> objection_to_name(std::string_view name) {
  if (name.empty()) return "it has no metadata.name";
  if (name == "." || name == ".." || name.find_first_of("/%:") != std::string_view::npos)
    return fmt::format("its name \"{}\" must not be \".\" or \"..\" nor contain / % or :", name);
  return std::nullopt;
}

bool is_reserved_variable(std::string_view name) {
  const std::string upper = to_upper(name);
  return upper.empty() || upper == "APP_API_TOKEN" || upper.starts_with("DAPR_") ||
         upper.find(' ') != std::string::npos;
}

std::string at(const Place& place) { return fmt::format("{}:{}", place.file, place.line); }

std::string environment_or(const GetEnvironment& environment, const std::string& name, std::string fallback) {
  auto value = environment(name);
  if (!value || value->empty()) return fallback;
  return std::move(*value);
}

std::optional<Draft> read_document(const YamlDocument& document, const std::string& file, const LoadOptions& options,
                                   std::vector<std::string>& warnings) {
  return DocumentReader(options, warnings, file).read(document);
}

}  // namespace holdfast::config
