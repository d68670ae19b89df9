// The order of things, which users can see in what wins and what is reported: all documents are read; namespace
// and duplicates are judged, then scopes; then secret stores are opened, secrets fetched, templates filled in.
#include "config/components.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>

#include "config/document.h"
#include "config/yaml.h"

namespace holdfast::config {
namespace {

std::vector<Draft> read_documents(const ResourceFiles& files, const LoadOptions& options,
                                  std::vector<std::string>& warnings) {
  std::vector<Draft> drafts;
  for (const ResourceDocument& document : files.documents)
    if (auto draft = read_document(document.yaml(), document.file, options, warnings))
      drafts.push_back(std::move(*draft));
  return drafts;
}

bool is_in_scope(const state::Component& component, const std::string& app_id) {
  return component.scopes.empty() ||
         std::find(component.scopes.begin(), component.scopes.end(), app_id) != component.scopes.end();
}

bool is_denied(const state::Component& component, const LoadOptions& options, std::vector<std::string>& warnings) {
  if (!options.is_denied || !options.is_denied(component.type, component.version)) return false;
  warnings.push_back(
      fmt::format("{}: Component {}: the Configuration's components.deny forbids its type; it is not "
                  "started",
                  at({component.file, component.line}), log_name(component)));
  return true;
}

// Drops what is of another namespace, for other apps or denied. Two of one name are an error, also when the later one
// is for other apps: as in Dapr.
Status select(std::vector<Draft>& drafts, const LoadOptions& options, std::vector<std::string>& warnings) {
  const std::string name_space = environment_or(options.environment, "NAMESPACE", "");
  std::map<std::string, std::string> log_names;
  std::string problems;
  std::vector<Draft> selected;
  for (Draft& draft : drafts) {
    if (!name_space.empty() && !draft.name_space.empty() && draft.name_space != name_space) continue;
    const state::Component& component = draft.component;
    if (const auto existing = log_names.find(component.name); existing != log_names.end()) {
      problems +=
          fmt::format("{}duplicate definition of Component name {} with existing {} ({})", problems.empty() ? "" : "\n",
                      log_name(component), existing->second, at({component.file, component.line}));
    } else if (is_in_scope(component, options.app_id)) {
      log_names.emplace(component.name, log_name(component));
      if (!is_denied(component, options, warnings)) selected.push_back(std::move(draft));
    }
  }
  drafts = std::move(selected);
  if (!problems.empty()) return fail(Errc::invalid_argument, "failed to load components: " + problems);
  return {};
}

// Replaces {uuid}, {podName}, {namespace} and {appID} in one pass, so that nothing replaced is looked at again.
class Templates {
 public:
  explicit Templates(const LoadOptions& options)
      : options_(options),
        pod_name_(options.environment("POD_NAME").value_or("")),
        name_space_(environment_or(options.environment, "NAMESPACE", "default")) {}

  Status fill(state::Component& component) const {
    for (auto& [name, value] : component.properties) {
      if (pod_name_.empty() && value.find("{podName}") != std::string::npos)
        return fail(init_failure(
            component,
            Error(Errc::invalid_argument, fmt::format("property \"{}\" says {{podName}} and POD_NAME is not set ({})",
                                                      name, at({component.file, component.line})))));
      value = filled(value);
    }
    return {};
  }

 private:
  std::string filled(const std::string& value) const {
    std::string out;
    std::size_t copied = 0;
    for (std::size_t open = value.find('{'); open != std::string::npos; open = value.find('{', open + 1)) {
      const auto [name, text] = replacement(std::string_view(value).substr(open));
      if (name.empty()) continue;
      out.append(value, copied, open - copied);
      out += text;
      copied = open + name.size();
    }
    return out.append(value, copied);
  }

  // The template that `rest` begins with and what takes its place; an empty name when it begins with none.
  std::pair<std::string_view, std::string> replacement(std::string_view rest) const {
    if (rest.starts_with("{uuid}")) return {"{uuid}", options_.make_uuid()};
    if (rest.starts_with("{podName}")) return {"{podName}", pod_name_};
    // Not the namespace alone: Dapr's own choice.
    if (rest.starts_with("{namespace}")) return {"{namespace}", name_space_ + "." + options_.app_id};
    if (rest.starts_with("{appID}")) return {"{appID}", options_.app_id};
    return {};
  }

  const LoadOptions& options_;
  std::string pod_name_;
  std::string name_space_;
};

// Everything that a component says of itself, in a form that can be compared: no two different ones give the same text.
std::string revision_of(const state::Component& component) {
  std::string text;
  const auto add = [&text](std::string_view part) { text += fmt::format("{}:{}", part.size(), part); };
  add(component.type);
  add(component.version);
  add(component.ignore_errors ? "ignore" : "");
  add(std::to_string(component.init_timeout.count()));
  for (const auto& [name, value] : component.properties) {
    add(name);
    add(value);
  }
  add("");  // scopes decide only whether a component is loaded at all
  return text;
}

// Opens secret stores, fetches secrets and sorts components by what becomes of them.
class Resolver {
 public:
  Resolver(const LoadOptions& options, Resources& resources)
      : options_(options), templates_(options), resources_(resources) {}

  Status take(Draft draft) {
    state::Component& component = draft.component;
    auto status = check_category(component);
    if (status && !fetch_secrets(draft)) return {};
    component.revision = revision_of(component);  // before {uuid} makes every reading another
    if (status) status = templates_.fill(component);
    if (status && category_of(component.type) == Category::secret_store) status = open_secret_store(component);
    if (!status) {
      if (!component.ignore_errors) return status;
      warn(component, fmt::format("{}; ignored, as ignoreErrors says", status.error().message));
      return {};
    }
    keep(std::move(component));
    return {};
  }

 private:
  void warn(const state::Component& component, std::string_view text) {
    resources_.warnings.push_back(fmt::format("{}: {}", at({component.file, component.line}), text));
  }

  static Status check_category(const state::Component& component) {
    if (category_of(component.type) != Category::unknown) return {};
    return fail(Errc::invalid_argument,
                fmt::format("process component {} error: incorrect type {} ({})", component.name, component.type,
                            at({component.file, component.line})));
  }

  // False when the component was parked.
  bool fetch_secrets(Draft& draft) {
    for (const SecretReference& reference : draft.secrets) {
      if (reference.store.empty()) {
        warn(draft.component, fmt::format("Component {}: secretKeyRef of \"{}\" needs auth.secretStore; the property "
                                          "stays unset",
                                          log_name(draft.component), reference.property));
        continue;
      }
      if (options_.secrets == nullptr || !options_.secrets->has_store(reference.store)) {
        warn(draft.component, fmt::format("Component {} references a secret store that isn't loaded: {}; it is not "
                                          "started",
                                          log_name(draft.component), reference.store));
        resources_.parked.push_back({std::move(draft.component), reference.store});
        return false;
      }
      auto secret = options_.secrets->fetch(reference);
      if (!secret) {
        warn(draft.component, fmt::format("Component {}: cannot get secret \"{}\" for \"{}\" from {}: {}; the property "
                                          "stays unset",
                                          log_name(draft.component), reference.name, reference.property,
                                          reference.store, secret.error().message));
      } else if (!secret->empty()) {
        std::erase_if(draft.component.properties, [&](const auto& one) { return one.first == reference.property; });
        draft.component.properties.emplace_back(reference.property, std::move(*secret));
      }
    }
    return true;
  }

  Status open_secret_store(const state::Component& component) {
    if (options_.secrets != nullptr) {
      if (auto opened = options_.secrets->open(component); !opened) return opened;
    } else {
      warn(component, fmt::format("Component {}: this version has no secret stores; it is ignored, and components "
                                  "that refer to it are not started",
                                  log_name(component)));
    }
    return {};
  }

  void keep(state::Component component) {
    if (category_of(component.type) == Category::state) {
      resources_.state_stores.push_back(std::move(component));
    } else if (category_of(component.type) == Category::secret_store) {
      resources_.secret_stores.push_back(std::move(component));
    } else {
      warn(component,
           fmt::format("Component {}: only state stores are served here; it is ignored", log_name(component)));
      resources_.others.push_back(std::move(component));
    }
  }

  const LoadOptions& options_;
  Templates templates_;
  Resources& resources_;
};

}  // namespace

GetEnvironment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

std::string log_name(const state::Component& component) {
  return fmt::format("{} ({}/{})", component.name, component.type, component.version);
}

Error creation_failure(const state::Component& component, const Error& why) {
  return with_context(why,
                      fmt::format("process component {} error: [CREATE_COMPONENT_FAILURE]: creation error occurred "
                                  "for {}",
                                  component.name, log_name(component)));
}

Error init_failure(const state::Component& component, const Error& why) {
  return with_context(why, fmt::format("process component {} error: [INIT_COMPONENT_FAILURE]: initialization error "
                                       "occurred for {}",
                                       component.name, log_name(component)));
}

Result<Resources> load_resources(const std::vector<std::string>& directories, const LoadOptions& options) {
  const auto files = read_resource_files(directories);
  if (!files) return fail(files.error());
  return load_resources(*files, options);
}

Result<Resources> load_resources(const ResourceFiles& files, const LoadOptions& options) {
  Resources resources;
  resources.warnings = files.warnings;
  std::vector<Draft> drafts = read_documents(files, options, resources.warnings);
  if (auto selected = select(drafts, options, resources.warnings); !selected) return fail(std::move(selected.error()));
  Resolver resolver(options, resources);
  for (const bool secret_stores : {true, false})
    for (Draft& draft : drafts) {
      if ((category_of(draft.component.type) == Category::secret_store) != secret_stores) continue;
      if (auto taken = resolver.take(draft); !taken) return fail(std::move(taken.error()));
    }
  return resources;
}

}  // namespace holdfast::config
