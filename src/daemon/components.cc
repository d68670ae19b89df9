#include "daemon/components.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <future>
#include <mutex>

#include "base/encoding.h"
#include "base/log.h"
#include "config/components.h"
#include "net/on_loop.h"

namespace holdfast::daemon {

namespace {

constexpr std::string_view kScope = "holdfast.runtime";
// What a store that was let go gets to finish with.
constexpr auto kCloseGrace = std::chrono::seconds(30);
// A store that is not there yet is tried again after this long, then twice as long, up to the second figure.
constexpr Milliseconds kRetryFirst{100};
constexpr Milliseconds kRetryMax{5000};
constexpr Milliseconds kRetiredCheck{200};

// Runs `work` on the loop and waits until it is done.
void run_on(net::Loop& loop, std::move_only_function<void()> work) {
  std::promise<void> done;
  loop.post([&] {
    work();
    done.set_value();
  });
  done.get_future().wait();
}

std::span<const std::string_view> features_of(const state::StoreType& type, const state::StoreCore* core) {
  const std::span<const std::string_view> found = core != nullptr ? core->dapr_features() : type.dapr_features;
  return found.empty() ? type.dapr_features : found;
}

std::vector<std::string> capabilities_of(std::span<const std::string_view> features) {
  std::vector<std::string> all(features.begin(), features.end());
  const auto has = [&all](std::string_view name) { return std::ranges::find(all, name) != all.end(); };
  if (has("ETAG") && has("TRANSACTIONAL")) all.emplace_back("ACTOR");
  return all;
}

bool property_is_true(const state::Component& component, std::string_view name, bool fallback) {
  for (const auto& [key, value] : component.properties)
    if (iequals(key, name)) return state::truthy(value);
  return fallback;
}

Result<state::Consistency> default_level(const state::Component& component) {
  for (const auto& [name, value] : component.properties) {
    if (!iequals(name, "consistency") || value.empty()) continue;
    if (const auto level = state::parse_consistency(value)) return *level;
    return fail(Errc::invalid_argument,
                fmt::format("consistency \"{}\" is not one of strong, quorum, bounded-staleness, "
                            "session, consistent-prefix, eventual",
                            value));
  }
  return state::Consistency::unspecified;
}

Error no_near_cache(const Error& why) {
  return Error(why.code, fmt::format("nearCache: {}; remove the field, or see what turns on watch for this type in "
                                     "doc/stores.md (state.sqlite: watch: log)",
                                     why.message));
}

// Nothing: the component asks for none.
Result<std::optional<state::NearCacheSettings>> near_cache_of(const state::Component& component,
                                                              std::string_view key_prefix, std::size_t loops) {
  if (!property_is_true(component, "nearCache", false)) return std::nullopt;
  const auto fields = state::Settings::read(component, state::common_settings());
  if (!fields) return fail(fields.error());
  const std::int64_t items = fields->integer("nearCacheMaxItems");
  const std::uint64_t bytes = fields->bytes("nearCacheMaxBytes");
  if (items < 1 || bytes < 1)
    return fail(Errc::invalid_argument,
                "nearCacheMaxItems and nearCacheMaxBytes must be at least 1; for no near cache "
                "leave out the field nearCache");
  state::NearCacheSettings settings;
  // Each loop has a cache of its own.
  settings.limits.items_max = std::max<std::size_t>(static_cast<std::size_t>(items) / loops, 1);
  settings.limits.bytes_max = std::max<std::size_t>(bytes / loops, 1);
  settings.age_max = fields->duration("nearCacheMaxAge");
  settings.prefix = key_prefix;
  return settings;
}

}  // namespace

Status refuse_what_is_not_built(const state::Component& component) {
  for (const state::Setting& setting : state::common_settings())
    for (const auto& [name, value] : component.properties)
      if (!setting.refusal.empty() && !value.empty() && state::has_name(setting, name))
        return fail(Errc::unsupported, fmt::format("{} {}", name, setting.refusal));
  return {};
}

// The handles of one opening of a component, one on each loop, counted until the last is closed. Thread-safe. The core
// is let go on the main thread only: its end may join threads.
class OpenHandles {
 public:
  OpenHandles(std::shared_ptr<state::StoreCore> core, std::string name)
      : core_(std::move(core)), name_(std::move(name)) {}

  void opened() {
    const std::lock_guard lock(mutex_);
    ++open_;
  }
  void closed() {
    {
      const std::lock_guard lock(mutex_);
      --open_;
    }
    changed_.notify_all();
  }
  bool all_closed() {
    const std::lock_guard lock(mutex_);
    return open_ == 0;
  }
  bool wait_closed(SteadyTime until) {
    std::unique_lock lock(mutex_);
    return changed_.wait_until(lock, until, [this] { return open_ == 0; });
  }
  const std::string& name() const { return name_; }

 private:
  std::shared_ptr<state::StoreCore> core_;
  const std::string name_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t open_ = 0;
};

namespace {

Task<void> close_entry(std::unique_ptr<service::StoreEntry> entry, std::shared_ptr<OpenHandles> handles) {
  if (entry->store) {
    state::CallContext context;
    context.deadline = std::chrono::steady_clock::now() + kCloseGrace;
    const auto closed = co_await entry->store->close(context);
    if (!closed) log::warn(kScope, "closing state store {}: {}", entry->name, closed.error().message);
  }
  entry.reset();
  handles->closed();
}

// On the entry's loop. The last request to let go of it closes the store.
service::StoreRef make_ref(std::unique_ptr<service::StoreEntry> entry, std::shared_ptr<OpenHandles> handles) {
  handles->opened();
  return {entry.release(), [handles = std::move(handles)](service::StoreEntry* last) {
            start(close_entry(std::unique_ptr<service::StoreEntry>(last), handles));
          }};
}

}  // namespace

Components::Components(const state::Registry& registry, std::vector<net::Loop*> loops,
                       std::vector<service::StoreTable*> tables, service::Runtime& runtime, MetricsSources& metrics)
    : registry_(registry), loops_(std::move(loops)), tables_(std::move(tables)), runtime_(runtime), metrics_(metrics) {}

Components::~Components() = default;

Components::Store* Components::find(std::string_view name) {
  for (Store& store : stores_)
    if (store.component.name == name) return &store;
  return nullptr;
}

std::unexpected<Error> Components::failed(const state::Component& component, const Error& cause,
                                          std::string_view stage) {
  metrics_.component_failed(component.type, component.name, std::string(stage));
  return fail(stage == "init" ? config::init_failure(component, cause) : config::creation_failure(component, cause));
}

Status Components::apply(const std::vector<state::Component>& wanted, const PolicyOf& policy_of, Failures failures) {
  remove_all_but(wanted);
  for (const state::Component& component : wanted) {
    auto opened = open_or_change(component, policy_of(component.name));
    if (opened) continue;
    if (!component.ignore_errors && failures == Failures::end_it) return opened;
    log::error(kScope, "{}; it is left {}, because {} is set", opened.error().message,
               find(component.name) != nullptr ? "as it was" : "out",
               component.ignore_errors ? "ignoreErrors" : "--keep-on-failed-reload");
  }
  publish();
  return {};
}

Status Components::open_or_change(const state::Component& component, const state::ResiliencyPolicy& policy) {
  Store* const old = find(component.name);
  if (old != nullptr && old->component.revision == component.revision && old->policy == policy) return {};
  if (old != nullptr && old->core && old->component.revision == component.revision) {
    // Only the policies have changed: the store itself stays open, and keeps what it holds.
    old->policy = policy;
    if (auto placed = place_handles(*old); !placed) return failed(component, placed.error(), "init");
    log::info(kScope, "Component {}: its resiliency policies have changed", config::log_name(component));
    return {};
  }
  auto examined = examine(component, policy);
  if (!examined) return fail(examined.error());
  Store& store = *examined;
  const auto connected = connect(store);
  const bool waits = !connected && component.ignore_errors && connected.error().code == Errc::unavailable;
  if (!connected && !waits) return failed(component, connected.error(), "init");
  if (!connected) {
    metrics_.component_failed(component.type, component.name, "init");
    place_pending(store, connected.error());
  } else {
    metrics_.component_loaded(component.type);
    log::info(kScope, "Component {}: {}", old == nullptr ? "loaded" : "changed", config::log_name(component));
  }
  if (old == nullptr) {
    stores_.push_back(std::move(store));
  } else {
    retire(*old);
    *old = std::move(store);
  }
  return {};
}

Result<Components::Store> Components::examine(const state::Component& component,
                                              const state::ResiliencyPolicy& policy) {
  Store store;
  store.component = component;
  store.policy = policy;
  const auto type = registry_.find(component.type, component.version);
  if (!type) return failed(component, type.error(), "creation");
  store.type = *type;
  const auto prefix = service::key_prefix_of(component, runtime_.app_id, runtime_.name_space);
  if (!prefix) return failed(component, prefix.error(), "init");
  store.key_prefix = *prefix;
  if (auto ok = refuse_what_is_not_built(component); !ok) return failed(component, ok.error(), "init");
  if (auto level = default_level(component); !level) return failed(component, level.error(), "init");
  if (auto mode = service::isolation_of(component); !mode) return failed(component, mode.error(), "init");
  auto near_cache = near_cache_of(component, *prefix, loops_.size());
  if (!near_cache) return failed(component, near_cache.error(), "init");
  store.near_cache = std::move(*near_cache);
  return store;
}

Status Components::connect(Store& store) {
  auto core = store.type->prepare(store.component, {Clock::system(), loops_.size()});
  if (!core) return fail(core.error());
  store.core = std::move(*core);
  auto placed = place_handles(store);
  if (!placed) store.core.reset();
  return placed;
}

// Opens a handle on every loop, then puts them in the place of those that are there.
Status Components::place_handles(Store& store) {
  std::vector<std::unique_ptr<service::StoreEntry>> entries;
  if (auto opened = open_entries(store, entries); !opened) {
    abandon(store, std::move(entries));
    return opened;
  }
  if (store.handles) retired_.push_back(std::move(store.handles));
  store.handles = std::make_shared<OpenHandles>(store.core, store.component.name);
  place(store, std::move(entries));
  return {};
}

Status Components::open_entries(const Store& store, std::vector<std::unique_ptr<service::StoreEntry>>& entries) {
  using Opened = Result<std::unique_ptr<state::StateStore>>;
  const auto shared = std::make_shared<state::SharedResiliency>(store.policy);
  if (!store.policy.empty()) metrics_.add_resiliency(store.component.name, shared);
  for (std::size_t i = 0; i < loops_.size(); ++i) {
    net::Loop& loop = *loops_[i];
    auto opened = net::on_loop<Opened>(loop, store.component.init_timeout,
                                       [core = store.core, &loop] { return core->open(loop); });
    if (!opened)
      return fail(Errc::unavailable, fmt::format("init timeout for component {}", config::log_name(store.component)));
    if (!*opened) return fail(opened->error());
    auto layered = state::with_resiliency(std::move(**opened), shared, loop, Clock::system());
    const Status admitted = store.near_cache ? state::admits_near_cache(layered->capabilities()) : Status();
    if (store.near_cache && admitted)
      layered = state::with_near_cache(std::move(layered), *store.near_cache,
                                       metrics_.near_cache(store.component.name, i), Clock::system());
    auto entry = entry_of(store);
    entry->store = state::with_metrics(std::move(layered), metrics_.store(store.component.name, i), Clock::system());
    entries.push_back(std::move(entry));
    if (!admitted) return fail(no_near_cache(admitted.error()));
  }
  return {};
}

// Closes the handles of an opening that came to nothing.
void Components::abandon(const Store& store, std::vector<std::unique_ptr<service::StoreEntry>> entries) {
  if (entries.empty()) return;
  const auto handles = std::make_shared<OpenHandles>(store.core, store.component.name);
  for (std::size_t i = 0; i < entries.size(); ++i)
    run_on(*loops_[i], [&, i] { make_ref(std::move(entries[i]), handles); });
  retired_.push_back(handles);
}

std::unique_ptr<service::StoreEntry> Components::entry_of(const Store& store) const {
  const state::Component& component = store.component;
  auto entry = std::make_unique<service::StoreEntry>();
  entry->name = component.name;
  entry->type = component.type;
  entry->version = component.version;
  entry->key_prefix = store.key_prefix;
  entry->dapr_features = features_of(*store.type, store.core.get());
  entry->dapr_hides_empty = store.type->dapr_hides_empty;
  entry->v1_query = property_is_true(component, "v1Query", false);
  entry->trust_created_by = property_is_true(component, "trustCreatedBy", !runtime_.asks_for_token);
  entry->consistency = default_level(component).value();
  entry->isolation = service::isolation_of(component).value();
  entry->pending_reason = store.pending_reason;
  return entry;
}

void Components::place(const Store& store, std::vector<std::unique_ptr<service::StoreEntry>> entries) {
  for (std::size_t i = 0; i < loops_.size(); ++i)
    run_on(*loops_[i], [&, i] { tables_[i]->put(make_ref(std::move(entries[i]), store.handles)); });
}

// Every loop answers "not ready yet", with the reason, until tick() gets through.
void Components::place_pending(Store& store, const Error& why) {
  const bool first = store.pending_reason.empty();
  store.pending_reason = why.message;
  store.backoff = first ? kRetryFirst : std::min(store.backoff * 2, kRetryMax);
  store.try_at = std::chrono::steady_clock::now() + store.backoff;
  if (first)
    log::error(kScope, "{}; it is tried again until it answers, because ignoreErrors is set",
               config::init_failure(store.component, why).message);
  if (store.handles) retired_.push_back(std::move(store.handles));
  store.handles = std::make_shared<OpenHandles>(nullptr, store.component.name);
  std::vector<std::unique_ptr<service::StoreEntry>> entries;
  for (std::size_t i = 0; i < loops_.size(); ++i) entries.push_back(entry_of(store));
  place(store, std::move(entries));
}

void Components::tick(SteadyTime now) {
  for (Store& store : stores_) {
    if (store.core || now < store.try_at) continue;
    if (auto connected = connect(store); !connected) {
      place_pending(store, connected.error());
      continue;
    }
    store.pending_reason.clear();
    metrics_.component_loaded(store.component.type);
    log::info(kScope, "Component loaded: {}", config::log_name(store.component));
    publish();
  }
  std::erase_if(retired_, [](const auto& handles) { return handles->all_closed(); });
}

SteadyTime Components::next_tick(SteadyTime now) const {
  SteadyTime next = SteadyTime::max();
  if (!retired_.empty()) next = now + kRetiredCheck;
  for (const Store& store : stores_)
    if (!store.core) next = std::min(next, store.try_at);
  return next;
}

// Metadata lets go of them first, as it takes up what is new last: what is listed is served.
void Components::remove_all_but(const std::vector<state::Component>& wanted) {
  std::vector<Store> kept;
  std::vector<Store> removed;
  for (Store& store : stores_) {
    const bool is_wanted =
        std::ranges::any_of(wanted, [&store](const auto& one) { return one.name == store.component.name; });
    (is_wanted ? kept : removed).push_back(std::move(store));
  }
  stores_ = std::move(kept);
  if (!removed.empty()) publish();
  for (Store& store : removed) {
    withdraw(store);
    log::info(kScope, "Component removed: {}", config::log_name(store.component));
  }
}

// Out of every loop's table: no new request finds it.
void Components::withdraw(Store& store) {
  for (std::size_t i = 0; i < loops_.size(); ++i)
    run_on(*loops_[i], [&, i] { tables_[i]->remove(store.component.name); });
  retire(store);
}

void Components::retire(Store& store) {
  if (store.handles) retired_.push_back(std::move(store.handles));
  store.core.reset();
}

void Components::publish() {
  std::vector<service::ComponentInfo> infos = secret_stores_;
  for (const Store& store : stores_)
    if (store.core)
      infos.push_back({store.component.name, store.component.type, store.component.version,
                       capabilities_of(features_of(*store.type, store.core.get()))});
  runtime_.set_components(std::move(infos));
}

void Components::close_all(Milliseconds grace) {
  const SteadyTime until = std::chrono::steady_clock::now() + grace + std::chrono::seconds(1);
  while (!stores_.empty()) {
    withdraw(stores_.back());
    stores_.pop_back();
  }
  for (const auto& handles : retired_)
    if (!handles->wait_closed(until))
      log::warn(kScope, "the state store {} did not close within {} ms", handles->name(), grace.count());
  std::erase_if(retired_, [](const auto& handles) { return handles->all_closed(); });
}

}  // namespace holdfast::daemon
