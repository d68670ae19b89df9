#include "daemon/daemon.h"

#include <fmt/format.h>
#include <malloc.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <thread>

#include "api/grpc/dispatch.h"
#include "api/http/front.h"
#include "base/log.h"
#include "config/resources.h"
#include "daemon/access_rules.h"
#include "daemon/application.h"
#include "daemon/child.h"
#include "daemon/components.h"
#include "daemon/defaults.h"
#include "daemon/events.h"
#include "daemon/file_watcher.h"
#include "daemon/metrics_endpoint.h"
#include "daemon/ports.h"
#include "daemon/resources.h"
#include "daemon/service_manager.h"
#include "daemon/traces.h"
#include "dashboard/dashboard.h"
#include "net/tls.h"
#include "stores/all.h"

namespace holdfast::daemon {

namespace {

constexpr std::string_view kScope = "holdfast.runtime";
constexpr Milliseconds kApplicationCheck{100};

// Everything that one loop owns. Members are destroyed in reverse: handlers before the stores they call.
struct LoopRoom {
  explicit LoopRoom(service::KeyTurns& turns) : service(stores, Clock::system(), loop, turns) {}

  net::Loop loop;
  service::StoreTable stores;
  service::Service service;
  api::LoopContext context;
  std::unique_ptr<api::GrpcFront> grpc;
  std::unique_ptr<dashboard::Dashboard> dashboard;  // null: it is off
  std::unique_ptr<api::HttpFront> http;
  std::unique_ptr<api::PublicFront> open;
  std::thread thread;
};

enum class Ended { stopped, restart, failed };

class Daemon {
 public:
  Daemon(config::Flags flags, Style style, Events& events, Child* child)
      : flags_(std::move(flags)), style_(style), events_(events), child_(child) {}
  Ended run();
  // With the ports that were chosen.
  const config::Flags& flags() const { return flags_; }

 private:
  Status start();
  Status prepare_runtime();
  void start_loops();
  void prepare_context(api::LoopContext& context);
  bool serves_dashboard() const;
  Status find_directories();
  Status open_components();
  Status apply(Reading reading, Components::Failures failures);
  Status open_ports();
  void watch_files();
  std::vector<std::string> watched_directories() const;
  void announce(SteadyTime began);
  Ended serve_events();
  SteadyTime next_wake(SteadyTime now) const;
  void look_for_application();
  Status look_at_files();
  void reload_tokens();
  void stop(Ended how);

  config::Flags flags_;
  const Style style_;
  Events& events_;
  Child* const child_;  // null: none
  const config::GetEnvironment environment_ = config::process_environment();
  const ServiceManager manager_{environment_};
  service::Runtime runtime_;
  service::KeyTurns turns_;
  state::Registry registry_{stores::all()};
  MetricsSources metrics_;
  std::unique_ptr<ResourceReader> resources_;
  std::unique_ptr<CountedSecrets> secrets_;
  config::Configuration configuration_;
  std::unique_ptr<Traces> traces_;
  std::shared_ptr<net::TlsContext> tls_;
  std::string token_text_;  // of the token file, to see whether it has changed
  std::vector<std::string> directories_;
  std::string found_;  // where components came from, for people
  std::optional<state::Component> default_store_;
  std::unique_ptr<net::Budget> budget_;
  std::unique_ptr<Components> components_;  // holds the cores, which outlive the handles in the rooms
  std::vector<std::unique_ptr<LoopRoom>> rooms_;
  std::unique_ptr<MetricsHandler> metrics_handler_;
  std::unique_ptr<Ports> ports_;
  std::unique_ptr<FileWatcher> watcher_;
  SteadyTime reconcile_at_ = SteadyTime::max();
};

std::string token_file_text(const config::Flags& flags) {
  if (flags.api_token_file.empty()) return {};
  return config::read_text_file(flags.api_token_file).value_or(std::string());
}

Status Daemon::prepare_runtime() {
  runtime_.app_id = flags_.app_id;
  runtime_.name_space = environment_("NAMESPACE").value_or("");
  runtime_.app_port = flags_.app_port;
  runtime_.app_protocol = flags_.app_protocol;
  runtime_.app_channel_address = flags_.app_channel_address;
  runtime_.app_max_concurrency = static_cast<int>(flags_.app_max_concurrency);
  if (flags_.app_health.enabled)
    runtime_.app_health = service::AppHealth{flags_.app_health.path, flags_.app_health.interval_seconds,
                                             flags_.app_health.timeout_ms, flags_.app_health.threshold};
  runtime_.shutdown = [this](bool force) {
    if (!force) return events_.request_stop();
    log::warn(kScope, "Force shutdown requested, exiting immediately without graceful shutdown");
    rooms_[0]->loop.post([this] { rooms_[0]->loop.after(Milliseconds(100), [] { _exit(1); }); });
  };
  if (auto ok = find_directories(); !ok) return ok;
  resources_ = std::make_unique<ResourceReader>(
      ResourceReader::Options{flags_.app_id, directories_, flags_.configs, environment_});
  auto configuration = resources_->read_configuration();
  if (!configuration) return fail(configuration.error());
  configuration_ = std::move(*configuration);
  if (!configuration_.metrics.latency_buckets_ms.empty())
    set_latency_bounds_ms(
        {configuration_.metrics.latency_buckets_ms.begin(), configuration_.metrics.latency_buckets_ms.end()});
  runtime_.set_features(configuration_.enabled_features());
  secrets_ = std::make_unique<CountedSecrets>(resources_->secrets(), metrics_);
  runtime_.secrets = secrets_.get();
  auto traces = Traces::open(configuration_.tracing, flags_.app_id, environment_);
  if (!traces) return fail(traces.error());
  traces_ = std::move(*traces);
  if (flags_.tls_cert_file.empty()) return {};
  auto tls = net::TlsContext::load({flags_.tls_cert_file, flags_.tls_key_file, flags_.tls_client_ca_file});
  if (!tls) return fail(tls.error());
  tls_ = std::move(*tls);
  return {};
}

// The cores that this process may use: fewer than the machine has under a cpuset or taskset, where two loops on one
// core would only take turns.
std::size_t usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return std::max(1u, std::thread::hardware_concurrency());
  return std::max<std::size_t>(1, static_cast<std::size_t>(CPU_COUNT(&set)));
}

void Daemon::prepare_context(api::LoopContext& context) {
  context.measures = flags_.enable_metrics && configuration_.metrics.enabled.value_or(true);
  context.stats = &metrics_;
  context.labels.path = configuration_.metrics.increased_cardinality.value_or(true);
  context.labels.patterns = configuration_.metrics.path_matching;
  context.labels.verb = !configuration_.metrics.exclude_verbs;
  if (configuration_.metrics.record_error_codes) context.errors = &metrics_.errors();
  context.call_log.enabled = flags_.enable_api_logging.value_or(configuration_.api_logging.enabled.value_or(false));
  context.call_log.obfuscate_urls = configuration_.api_logging.obfuscate_urls;
  context.call_log.omit_health_checks = configuration_.api_logging.omit_health_checks;
  context.tracing = traces_->tracing();
  context.allowed_origins = flags_.allowed_origins;
  context.access.deny_routes(closed_routes(configuration_.api));
  context.access.deny_methods(closed_methods(configuration_.api));
}

bool Daemon::serves_dashboard() const {
  const bool friendly = style_ == Style::friendly;
  return flags_.enable_dashboard.value_or(friendly && listens_on_loopback_only(flags_, friendly));
}

void Daemon::start_loops() {
  const std::size_t count = flags_.loops > 0 ? flags_.loops : usable_cores();
  budget_ = std::make_unique<net::Budget>(static_cast<std::int64_t>(flags_.max_inflight_bytes));
  for (std::size_t i = 0; i < count; ++i) {
    auto room = std::make_unique<LoopRoom>(turns_);
    prepare_context(room->context);
    room->grpc = std::make_unique<api::GrpcFront>(room->service, runtime_, room->context, flags_.max_body_bytes);
    if (serves_dashboard()) room->dashboard = std::make_unique<dashboard::Dashboard>(room->context);
    room->http =
        std::make_unique<api::HttpFront>(room->service, runtime_, room->context, *room->grpc, room->dashboard.get());
    room->open = std::make_unique<api::PublicFront>(room->service, runtime_, room->context);
    metrics_.add_server(room->context.metrics);
    rooms_.push_back(std::move(room));
  }
  for (const auto& room : rooms_) room->thread = std::thread([&room] { room->loop.run(); });
}

Status Daemon::find_directories() {
  directories_ = flags_.resources_paths;
  if (directories_.empty() && style_ == Style::friendly) {
    const std::string found = find_resources(environment_);
    if (!found.empty()) directories_.push_back(found);
  }
  found_ = fmt::format("{}", fmt::join(directories_, ", "));
  if (!directories_.empty() || style_ != Style::friendly) return {};
  auto fallback = default_store(environment_);
  if (!fallback) return fail(fallback.error());
  found_ =
      fmt::format("none found; the default store \"statestore\" is SQLite in {}", fallback->properties.front().second);
  default_store_ = std::move(*fallback);
  return {};
}

Status Daemon::open_components() {
  std::vector<net::Loop*> loops;
  std::vector<service::StoreTable*> tables;
  for (const auto& room : rooms_) {
    loops.push_back(&room->loop);
    tables.push_back(&room->stores);
  }
  components_ = std::make_unique<Components>(registry_, loops, tables, runtime_, metrics_);
  auto reading = resources_->read(false);
  if (!reading) return fail(reading.error());
  return apply(std::move(*reading), Components::Failures::end_it);
}

Status Daemon::apply(Reading reading, Components::Failures failures) {
  if (default_store_) reading.stores.push_back(*default_store_);
  metrics_.set_resiliency_names(reading.resiliency.names());
  runtime_.set_resiliencies(reading.resiliency.names());
  components_->set_secret_stores(std::move(reading.secret_stores));
  return components_->apply(
      reading.stores, [&](const std::string& store) { return reading.resiliency.policy_for(store); }, failures);
}

Status Daemon::open_ports() {
  auto tokens = load_tokens(flags_, environment_);
  if (!tokens) return fail(tokens.error());
  token_text_ = token_file_text(flags_);
  PortHandlers handlers;
  for (const auto& room : rooms_) {
    room->context.access.set_tokens(*tokens);  // no request comes before the ports are open
    handlers.loops.push_back(&room->loop);
    handlers.api.push_back(room->http.get());
    handlers.open.push_back(room->open.get());
  }
  if (rooms_.front()->context.measures) {
    metrics_handler_ = std::make_unique<MetricsHandler>(metrics_, runtime_);
    handlers.metrics = metrics_handler_.get();
  }
  Ports::Options options;
  options.friendly = style_ == Style::friendly;
  options.http2_on_http = !state::truthy(environment_("DAPR_HTTP_DISABLE_H2C").value_or(""));
  options.asks_for_token = *tokens != nullptr;
  options.tls = tls_;
  auto ports = Ports::open(flags_, handlers, *budget_, std::move(options));
  if (!ports) return fail(ports.error());
  ports_ = std::move(*ports);
  return {};
}

std::vector<std::string> Daemon::watched_directories() const {
  std::vector<std::string> all =
      configuration_.feature_enabled("HotReload") ? directories_ : std::vector<std::string>();
  for (const std::string& file :
       {flags_.api_token_file, flags_.tls_cert_file, flags_.tls_key_file, flags_.tls_client_ca_file}) {
    if (file.empty()) continue;
    const std::string parent = std::filesystem::path(file).parent_path().string();
    all.push_back(parent.empty() ? "." : parent);
  }
  std::ranges::sort(all);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

void Daemon::watch_files() {
  const std::vector<std::string> directories = watched_directories();
  if (directories.empty()) return;
  auto watcher = FileWatcher::watch(directories, [this] { events_.files_changed(); });
  if (watcher) {
    watcher_ = std::move(*watcher);
  } else {
    log::warn(kScope, "{}; changes are seen only every {} s", watcher.error().message,
              std::chrono::duration_cast<std::chrono::seconds>(flags_.reconcile_interval).count());
  }
  if (flags_.reconcile_interval > Milliseconds(0))
    reconcile_at_ = std::chrono::steady_clock::now() + flags_.reconcile_interval;
}

void Daemon::announce(SteadyTime began) {
  const auto elapsed = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - began);
  if (flags_.unix_domain_socket.empty()) {
    log::info(kScope, "HTTP server is running on port {}", flags_.dapr_http_port);
    log::info(kScope, "gRPC server is running on port {}", flags_.dapr_grpc_port);
  }
  if (flags_.dapr_public_port != 0) log::info(kScope, "public server is running on port {}", flags_.dapr_public_port);
  if (ports_->has_metrics()) log::info(kScope, "metrics server is running on port {}", flags_.metrics_port);
  if (serves_dashboard() && flags_.unix_domain_socket.empty())
    log::info(kScope, "the dashboard is at {}://localhost:{}{}", tls_ ? "https" : "http", flags_.dapr_http_port,
              dashboard::kPath);
  if (style_ == Style::friendly) log::info(kScope, "components from {}", found_);
  log::info(kScope, "dapr initialized. Status: Running. Init Elapsed {}ms", elapsed.count());
}

Status Daemon::start() {
  const SteadyTime began = std::chrono::steady_clock::now();
  runtime_.asks_for_token = !flags_.api_token_file.empty() || !environment_("DAPR_API_TOKEN").value_or("").empty();
  if (auto ok = prepare_runtime(); !ok) return ok;
  start_loops();
  if (auto ok = open_components(); !ok) return ok;
  watch_files();
  // Whoever gets an answer at all gets this one: the ports open last.
  runtime_.outbound_ready = true;
  runtime_.ready = flags_.app_port == 0;
  if (auto ok = open_ports(); !ok) {
    runtime_.outbound_ready = runtime_.ready = false;
    return ok;
  }
  announce(began);
  if (child_ != nullptr)
    if (auto ok = child_->start(flags_); !ok) return ok;
  manager_.ready();
  if (!runtime_.ready) log::info(kScope, "waiting for the application to listen on port {}", flags_.app_port);
  return {};
}

// healthz says "not ready" until the application answers on its port; the APIs work meanwhile.
void Daemon::look_for_application() {
  if (runtime_.ready || !accepts_connections(flags_.app_channel_address, flags_.app_port)) return;
  log::info(kScope, "the application listens on port {}", flags_.app_port);
  runtime_.ready = true;
}

SteadyTime Daemon::next_wake(SteadyTime now) const {
  SteadyTime next = std::min(reconcile_at_, components_->next_tick(now));
  if (!runtime_.ready) next = std::min(next, now + kApplicationCheck);
  return next;
}

Ended Daemon::serve_events() {
  for (;;) {
    look_for_application();
    const auto happened = events_.wait(next_wake(std::chrono::steady_clock::now()));
    if (happened.stop) return Ended::stopped;
    if (happened.restart) return Ended::restart;
    const SteadyTime now = std::chrono::steady_clock::now();
    if (happened.files_changed || now >= reconcile_at_) {
      if (reconcile_at_ != SteadyTime::max()) reconcile_at_ = now + flags_.reconcile_interval;
      if (auto ok = look_at_files(); !ok) {
        log::fatal(kScope, "Fatal error from runtime: {}", ok.error().message);
        return Ended::failed;
      }
    }
    components_->tick(now);
  }
}

void Daemon::reload_tokens() {
  std::string text = token_file_text(flags_);
  if (text == token_text_) return;
  const auto tokens = load_tokens(flags_, environment_);
  if (!tokens) {
    log::error(kScope, "{}; the tokens stay as they were", tokens.error().message);
    return;
  }
  token_text_ = std::move(text);
  for (const auto& room : rooms_)
    room->loop.post([context = &room->context, set = *tokens] { context->access.set_tokens(set); });
  log::info(kScope, "the API tokens have been read again");
}

// Something in the watched directories may have changed. The error is one to die of, as daprd does.
Status Daemon::look_at_files() {
  reload_tokens();
  if (tls_) {
    const auto reloaded = tls_->reload_if_changed();
    if (!reloaded)
      log::error(kScope, "{}; connections get the certificate that was there before", reloaded.error().message);
    else if (*reloaded)
      log::info(kScope, "the TLS certificate has been read again");
  }
  if (!configuration_.feature_enabled("HotReload")) return {};
  if (resources_->configuration_changed()) {
    log::info(kScope, "a --config file has changed; restarting");
    events_.request_restart();
    return {};
  }
  auto reading = resources_->read(true);
  if (!reading) {  // no reason to end, as with daprd
    log::error(kScope, "the change of the component files is not taken over: {}", reading.error().message);
    return {};
  }
  const bool keeps = flags_.keep_on_failed_reload.value_or(style_ == Style::friendly);
  return apply(std::move(*reading), keeps ? Components::Failures::keep_going : Components::Failures::end_it);
}

void Daemon::stop(Ended how) {
  if (how == Ended::restart) {
    manager_.reloading();
  } else {
    manager_.stopping();
  }
  watcher_.reset();
  runtime_.ready = false;
  if (runtime_.outbound_ready && flags_.block_shutdown > Milliseconds(0)) {
    log::info(kScope, "shutdown is held back for {} ms", flags_.block_shutdown.count());
    std::this_thread::sleep_for(flags_.block_shutdown);
  }
  runtime_.outbound_ready = false;
  const Milliseconds grace = flags_.graceful_shutdown.count() == 0 ? Milliseconds(std::chrono::hours(24))
                                                                   : Milliseconds(flags_.graceful_shutdown);
  if (child_ != nullptr && how != Ended::restart) child_->stop(grace);
  if (ports_) ports_->drain(grace);
  if (components_) components_->close_all(grace);
  for (const auto& room : rooms_) room->loop.stop();
  for (const auto& room : rooms_)
    if (room->thread.joinable()) room->thread.join();
}

Ended Daemon::run() {
  for (const std::string& flag : flags_.without_effect)
    log::warn(kScope, "flag --{} has no effect in this version", flag);
  const Status started = start();
  if (!started) log::fatal(kScope, "Fatal error from runtime: {}", started.error().message);
  const Ended ended = started ? serve_events() : Ended::failed;
  if (started && ended != Ended::failed)
    log::info(kScope, "{}", ended == Ended::restart ? "restarting" : "Dapr is shutting down");
  stop(ended);
  if (ended == Ended::stopped) log::info(kScope, "stopped");
  return ended;
}

// Large buffers come from the system and go back to it: glibc otherwise raises its threshold with every large block
// that is freed, and what a burst needed would stay resident.
void bound_the_heap() {
  mallopt(M_MMAP_THRESHOLD, 256 * 1024);
  mallopt(M_TRIM_THRESHOLD, 512 * 1024);
}

bool start_log(const config::Flags& flags, bool beside_application) {
  log::Options options;
  options.app_id = flags.app_id;
  options.json = flags.log_as_json;
  options.file = flags.log_file;
  if (beside_application) options.prefix = kSidecarPrefix;
  if (const auto ok = config::check_flags(flags); !ok) {
    log::configure(options);
    log::fatal(kScope, "{}", ok.error().message);
    return false;
  }
  log::parse_level(flags.log_level, options.level);
  if (log::configure(options)) return true;
  log::fatal(kScope, "cannot write to --log-file {}", flags.log_file);
  return false;
}

}  // namespace

int serve(config::Flags flags, Style style, const std::vector<std::string>& application) {
  bound_the_heap();
  if (style == Style::friendly && flags.app_id.empty()) flags.app_id = "app";
  if (!start_log(flags, !application.empty())) return 1;
  log::info(kScope, "starting Holdfast -- version {}", HOLDFAST_VERSION);
  Events events;
  std::unique_ptr<Child> child;
  if (!application.empty()) child = std::make_unique<Child>(application, [&events] { events.request_stop(); });
  for (;;) {
    Daemon daemon(flags, style, events, child.get());
    const Ended ended = daemon.run();
    flags = daemon.flags();  // a restart keeps the ports
    if (ended == Ended::restart) continue;
    if (ended == Ended::failed) return 1;
    return child ? child->exit_code() : 0;
  }
}

}  // namespace holdfast::daemon
