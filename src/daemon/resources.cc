#include "daemon/resources.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "config/resources.h"

namespace holdfast::daemon {

namespace {

constexpr std::string_view kScope = "holdfast.runtime";

void warn_all(const std::vector<std::string>& warnings) {
  for (const std::string& warning : warnings) log::warn(kScope, "{}", warning);
}

Status all_can_be_read(const config::ResourceFiles& files) {
  if (!files.unreadable.empty()) return fail(Errc::invalid_argument, files.unreadable.front());
  for (const config::ResourceDocument& document : files.documents)
    if (const auto root = config::parse_yaml(document.yaml()); !root)
      return fail(Errc::invalid_argument, fmt::format("{}:{}", document.file, root.error().message));
  return {};
}

}  // namespace

std::string ResourceReader::configuration_text() const {
  std::string all;
  for (const std::string& file : options_.configs) {
    const auto text = config::read_text_file(file);
    all += text ? *text : text.error().message;
    all += '\0';
  }
  return all;
}

bool ResourceReader::configuration_changed() const { return configuration_text() != configuration_text_; }

Result<config::Configuration> ResourceReader::read_configuration() {
  configuration_text_ = configuration_text();
  auto configuration = config::load_configurations(options_.configs, options_.environment);
  if (!configuration) return configuration;
  warn_all(configuration->warnings);
  if (auto ok = config::apply_tracing_environment(configuration->tracing, options_.environment); !ok)
    return fail(ok.error());
  secrets_.set_scopes(configuration->secret_scopes);
  configuration_ = *configuration;
  return configuration;
}

Result<Reading> ResourceReader::read(bool changed) {
  auto files = config::read_resource_files(options_.directories);
  if (!files) return fail(files.error());
  if (changed)
    if (auto ok = all_can_be_read(*files); !ok) return fail(ok.error());
  config::LoadOptions options;
  options.app_id = options_.app_id;
  options.environment = options_.environment;
  options.secrets = &secrets_;
  options.is_denied = [this](std::string_view type, std::string_view version) {
    return config::component_denied(configuration_, type, version);
  };
  auto resources = config::load_resources(*files, options);
  if (!resources) return fail(resources.error());
  warn_all(resources->warnings);
  auto loaded = config::load_resiliency(*files, options_.app_id);
  warn_all(loaded.warnings);

  Reading reading;
  reading.resiliency = std::move(loaded.resiliency);
  reading.stores = std::move(resources->state_stores);
  for (const auto& parked : resources->parked) {
    const auto before = std::ranges::find(last_stores_, parked.component.name, &state::Component::name);
    if (before != last_stores_.end()) {
      reading.stores.push_back(*before);
    } else {
      log::warn(kScope, "component {} waits for secret store \"{}\", which is not loaded; its store answers \"not found\"",
                config::log_name(parked.component), parked.secret_store);
    }
  }
  remove_closed_secret_stores(*resources);
  for (const state::Component& store : resources->secret_stores)
    reading.secret_stores.push_back({store.name, store.type, store.version, secrets_.capabilities(store.name)});
  last_stores_ = reading.stores;
  return reading;
}

void ResourceReader::remove_closed_secret_stores(const config::Resources& resources) {
  std::vector<std::string> present;
  for (const state::Component& store : resources.secret_stores) present.push_back(store.name);
  for (const std::string& name : last_secret_stores_)
    if (std::ranges::find(present, name) == present.end()) secrets_.remove(name);
  last_secret_stores_ = std::move(present);
}

}  // namespace holdfast::daemon
