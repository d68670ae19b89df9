#include "daemon/components.h"

#include <fmt/format.h>

#include <algorithm>
#include <future>

#include "base/encoding.h"
#include "base/log.h"
#include "config/components.h"
#include "net/on_loop.h"

namespace holdfast::daemon {

namespace {

Error in_component(std::string_view kind, const state::Component& component, const Error& cause) {
  return Error(cause.code, fmt::format("process component {} error: [{}]: {} error occurred for {}: {}", component.name,
                                       kind, kind.starts_with("INIT") ? "initialization" : "creation",
                                       config::log_name(component), cause.message));
}

std::vector<std::string> capabilities_of(const state::StoreType& type) {
  std::vector<std::string> all(type.dapr_features.begin(), type.dapr_features.end());
  const auto has = [&all](std::string_view name) { return std::ranges::find(all, name) != all.end(); };
  if (has("ETAG") && has("TRANSACTIONAL")) all.emplace_back("ACTOR");
  return all;
}

bool property_is_true(const state::Component& component, std::string_view name, bool fallback) {
  for (const auto& [key, value] : component.properties)
    if (iequals(key, name)) return state::truthy(value);
  return fallback;
}

// Fields that promise what this version does not do: better no store than events dropped or plaintext kept.
Status refuse_what_is_not_built(const state::Component& component) {
  for (const state::Setting& setting : state::common_settings())
    for (const auto& [name, value] : component.properties)
      if (!setting.refusal.empty() && !value.empty() && state::has_name(setting, name))
        return fail(Errc::unsupported, fmt::format("{} {}", name, setting.refusal));
  return {};
}

Result<state::Consistency> default_level(const state::Component& component) {
  for (const auto& [name, value] : component.properties) {
    if (!iequals(name, "consistency") || value.empty()) continue;
    if (const auto level = state::parse_consistency(value)) return *level;
    return fail(Errc::invalid_argument, fmt::format("consistency \"{}\" is not one of strong, quorum, bounded-staleness, "
                                                    "session, consistent-prefix, eventual", value));
  }
  return state::Consistency::unspecified;
}

}  // namespace

Status Components::open(const state::Component& component) {
  const auto type = registry_.find(component.type, component.version);
  if (!type) {
    metrics_.component_failed(component.type, component.name, "creation");
    return fail(in_component("CREATE_COMPONENT_FAILURE", component, type.error()));
  }
  const auto failed = [&](const Error& cause) {
    metrics_.component_failed(component.type, component.name, "init");
    return fail(in_component("INIT_COMPONENT_FAILURE", component, cause));
  };
  const auto prefix = service::key_prefix_of(component, runtime_.app_id, runtime_.name_space);
  if (!prefix) return failed(prefix.error());
  if (auto ok = refuse_what_is_not_built(component); !ok) return failed(ok.error());
  auto core = (*type)->prepare(component, {Clock::system(), loops_.size()});
  if (!core) return failed(core.error());
  cores_.push_back(*core);
  for (std::size_t i = 0; i < loops_.size(); ++i)
    if (auto ok = open_on_loop(i, component, **type, *core, *prefix); !ok) return failed(ok.error());
  metrics_.component_loaded(component.type);
  infos_.push_back({component.name, component.type, component.version, capabilities_of(**type)});
  log::info("holdfast.runtime", "Component loaded: {}", config::log_name(component));
  return {};
}

Status Components::open_on_loop(std::size_t loop, const state::Component& component, const state::StoreType& type,
                                const std::shared_ptr<state::StoreCore>& core, const std::string& key_prefix) {
  using Opened = Result<std::unique_ptr<state::StateStore>>;
  const auto level = default_level(component);
  if (!level) return fail(level.error());
  net::Loop& on = *loops_[loop];
  auto opened = net::on_loop<Opened>(on, component.init_timeout, [core, &on] { return core->open(on); });
  if (!opened) return fail(Errc::unavailable, fmt::format("init timeout for component {}", config::log_name(component)));
  if (!*opened) return fail(opened->error());
  auto metrics = std::make_shared<state::StoreMetrics>();
  metrics_.add_store(component.name, metrics);
  auto entry = std::make_unique<service::StoreEntry>();
  entry->name = component.name;
  entry->type = component.type;
  entry->version = component.version;
  entry->key_prefix = key_prefix;
  entry->dapr_features = type.dapr_features;
  entry->dapr_hides_empty = type.dapr_hides_empty;
  entry->v1_query = property_is_true(component, "v1Query", false);
  entry->trust_created_by = property_is_true(component, "trustCreatedBy", runtime_.api_tokens.empty());
  entry->consistency = *level;
  entry->store = state::with_metrics(std::move(**opened), std::move(metrics), Clock::system());
  auto shared = std::make_shared<std::unique_ptr<service::StoreEntry>>(std::move(entry));
  service::StoreTable* table = tables_[loop];
  std::promise<void> placed;
  on.post([table, shared, &placed] {
    table->put(std::move(*shared));
    placed.set_value();
  });
  placed.get_future().wait();
  return {};
}

void Components::publish() { runtime_.set_components(infos_); }

namespace {

Task<bool> close_table(service::StoreTable* table, Milliseconds grace) {
  for (const auto& entry : table->entries()) {
    if (!entry->store) continue;
    state::CallContext context;
    context.deadline = std::chrono::steady_clock::now() + grace;
    const auto closed = co_await entry->store->close(context);
    if (!closed) log::warn("holdfast.runtime", "closing state store {}: {}", entry->name, closed.error().message);
    entry->store.reset();
  }
  co_return true;
}

}  // namespace

void Components::close_all(Milliseconds grace) {
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    service::StoreTable* table = tables_[i];
    if (!net::on_loop<bool>(*loops_[i], grace + std::chrono::seconds(1),
                            [table, grace] { return close_table(table, grace); }))
      log::warn("holdfast.runtime", "the stores did not close within {} ms", grace.count());
  }
}

}  // namespace holdfast::daemon
