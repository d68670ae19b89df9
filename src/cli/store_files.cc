#include "cli/store_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/encoding.h"
#include "base/log.h"
#include "config/resources.h"
#include "daemon/components.h"
#include "net/on_loop.h"
#include "secrets/table.h"
#include "stores/all.h"
#include "stores/sqlite/inspect.h"
#include "stores/sqlite/settings.h"

namespace holdfast::cli {
namespace {

constexpr Milliseconds kCloseGrace{30'000};

using Opened = Result<std::unique_ptr<state::StateStore>>;

// What of a component tells its store from others.
std::string identity_of(const state::StoreType& type, const state::Component& component) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : component.properties) {
    const auto row = std::ranges::find_if(type.settings, [&](const auto& one) { return state::has_name(one, name); });
    if (row == type.settings.end() || row->secret || value.empty()) continue;
    parts.push_back(fmt::format("{}={}:{}", row->name, value.size(), value));
  }
  std::ranges::sort(parts);
  return fmt::format("{} {}", type.type, fmt::join(parts, " "));
}

// Holds the core: the caller may have given up waiting.
Task<Opened> open_on(std::shared_ptr<state::StoreCore> core, net::Loop* loop, Milliseconds limit) {
  auto store = co_await core->open(*loop);
  if (!store) co_return fail(std::move(store.error()));
  state::CallContext context;
  context.deadline = std::chrono::steady_clock::now() + limit;
  if (auto answers = co_await (*store)->ping(context); !answers) {
    (void)co_await (*store)->close(context);
    store->reset();
    co_return fail(std::move(answers.error()));
  }
  co_return std::move(*store);
}

// Owns both: the caller may have given up waiting.
Task<Status> close_on(std::unique_ptr<state::StateStore> store, std::shared_ptr<state::StoreCore> core) {
  state::CallContext context;
  context.deadline = std::chrono::steady_clock::now() + kCloseGrace;
  const Status closed = co_await store->close(context);
  store.reset();
  core.reset();
  co_return closed;
}

// What there is where the wanted store is not.
Error none_of(const config::Resources& resources, const std::string& place, const std::string& name,
              const std::string& app_id) {
  std::string reason =
      fmt::format("{} has no state store{} for app id \"{}\"", place, name.empty() ? "" : " \"" + name + "\"", app_id);
  for (std::size_t i = 0; i < resources.state_stores.size(); ++i)
    reason += (i == 0 ? "; there: " : ", ") + resources.state_stores[i].name;
  for (const std::string& warning : resources.warnings) reason += "\n" + warning;
  return {Errc::not_found, std::move(reason)};
}

Result<config::Resources> load_paths(const std::vector<std::string>& paths, const std::string& app_id) {
  const auto files = list_paths(paths);
  if (!files) return fail(files.error());
  auto resources = load_stores(*files, app_id);
  if (!resources) return fail(with_context(resources.error(), fmt::format("{}", fmt::join(paths, ", "))));
  return resources;
}

}  // namespace

Result<std::vector<std::string>> list_paths(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) return fail(Errc::not_found, fmt::format("there is no {}", path));
    if (!std::filesystem::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    std::vector<std::string> ignored;  // other files may lie there
    auto listed = config::list_resource_files(path, ignored);
    if (!listed) return fail(Errc::not_found, fmt::format("cannot read the directory {}", path));
    std::ranges::move(*listed, std::back_inserter(files));
  }
  return files;
}

Result<config::Resources> load_stores(const std::vector<std::string>& files, const std::string& app_id) {
  config::LoadOptions options;
  options.app_id = app_id;
  secrets::SecretTable secrets;
  options.secrets = &secrets;
  return config::load_resources(config::read_resource_files_named(files), options);
}

void quiet_stores() {
  log::Options quiet;
  quiet.level = log::Level::fatal;
  log::configure(quiet);
}

Result<state::Component> find_store(const std::vector<std::string>& paths, const std::string& name,
                                    const std::string& app_id, std::string_view chooser) {
  const std::string place = fmt::format("{}", fmt::join(paths, ", "));
  auto resources = load_paths(paths, app_id);
  if (!resources) return fail(std::move(resources.error()));
  std::vector<std::string> names;
  const state::Component* found = nullptr;
  for (const state::Component& component : resources->state_stores) {
    names.push_back(component.name);
    if (name.empty() || component.name == name) found = &component;
  }
  if (found != nullptr && (!name.empty() || names.size() == 1)) return *found;
  for (const config::ParkedComponent& parked : resources->parked)
    if (name.empty() || parked.component.name == name)
      return fail(Errc::not_found,
                  fmt::format("{}: component \"{}\" waits for the secret store \"{}\"; put it into the "
                              "same file or directory",
                              place, parked.component.name, parked.secret_store));
  if (names.size() > 1 && name.empty())
    return fail(Errc::invalid_argument, fmt::format("{} has several state stores: {}; say which with {}", place,
                                                    fmt::join(names, ", "), chooser));
  return fail(none_of(*resources, place, name, app_id));
}

Result<std::vector<state::Component>> find_stores(const std::vector<std::string>& paths, const std::string& app_id) {
  auto resources = load_paths(paths, app_id);
  if (!resources) return fail(std::move(resources.error()));
  if (resources->state_stores.empty())
    return fail(none_of(*resources, fmt::format("{}", fmt::join(paths, ", ")), "", app_id));
  return std::move(resources->state_stores);
}

bool is_sqlite(const state::Component& component) {
  return iequals(component.type, "state.sqlite") || iequals(component.type, "state.sqlite3");
}

Status refuse_new_file(const state::Component& component) {
  return is_sqlite(component) ? stores::sqlite::require_file(component) : Status();
}

Status refuse_memory(const state::Component& component) {
  bool in_memory = iequals(component.type, "state.in-memory");
  if (is_sqlite(component)) {
    const auto settings = stores::sqlite::SqliteSettings::read(component);
    in_memory = settings && settings->connection.in_memory;
  }
  if (!in_memory) return {};
  return fail(Errc::unsupported,
              fmt::format("component \"{}\" ({}) keeps its records in the memory of one process; no other can reach "
                          "them, and they die with it",
                          component.name, component.type));
}

Result<std::unique_ptr<OpenedStore>> OpenedStore::open(const state::Component& component, net::Loop& loop) {
  const std::string subject = fmt::format("component \"{}\" ({})", component.name, component.type);
  const state::Registry registry(stores::all());
  const auto type = registry.find(component.type, component.version);
  if (!type) return fail(type.error().code, fmt::format("{}: this version does not have its type", subject));
  if (auto built = daemon::refuse_what_is_not_built(component); !built)
    return fail(with_context(std::move(built.error()), subject));
  auto core = (*type)->prepare(component, {.clock = Clock::system(), .loops = 1});
  if (!core) return fail(std::move(core.error()));
  std::unique_ptr<OpenedStore> opened(new OpenedStore(component, loop));
  opened->core_ = std::move(*core);
  opened->identity_ = identity_of(**type, component);
  const Milliseconds limit = component.init_timeout;
  auto store =
      net::on_loop<Opened>(loop, limit, [core = opened->core_, &loop, limit] { return open_on(core, &loop, limit); });
  if (!store)
    return fail(Errc::unavailable, fmt::format("{} did not open within {} ms (initTimeout)", subject, limit.count()));
  if (!*store) return fail(std::move(store->error()));
  opened->store_ = std::move(**store);
  return opened;
}

OpenedStore::~OpenedStore() {
  if (!store_) return;
  (void)net::on_loop<Status>(loop_, 2 * kCloseGrace, [store = store_.release(), core = core_] {
    return close_on(std::unique_ptr<state::StateStore>(store), core);
  });
}

}  // namespace holdfast::cli
