#include "daemon/daemon.h"

#include <fmt/format.h>
#include <malloc.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <netdb.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <thread>

#include "api/grpc/dispatch.h"
#include "api/http/front.h"
#include "base/encoding.h"
#include "base/log.h"
#include "config/components.h"
#include "daemon/components.h"
#include "daemon/defaults.h"
#include "daemon/metrics_endpoint.h"
#include "daemon/signals.h"
#include "net/server.h"
#include "stores/all.h"

namespace holdfast::daemon {

namespace {

constexpr std::string_view kScope = "holdfast.runtime";

// Everything that one loop owns. Members are destroyed in reverse: handlers before the stores they call.
struct LoopRoom {
  net::Loop loop;
  service::StoreTable stores;
  service::Service service{stores, Clock::system()};
  std::unique_ptr<api::GrpcFront> grpc;
  std::unique_ptr<api::HttpFront> http;
  std::thread thread;
};

class Daemon {
 public:
  Daemon(config::Flags flags, Style style) : flags_(std::move(flags)), style_(style) {}
  int run();

 private:
  Status start();
  Status prepare_runtime();
  void start_loops();
  Result<config::Resources> read_resources();
  Status open_components();
  Status open_ports();
  Status listen(net::Server& server, const std::vector<std::string>& hosts, std::uint16_t& port, bool may_move,
                std::string_view flag);
  Status open_unix();
  void open_metrics();
  void announce(SteadyTime began);
  void wait_for_application();
  void stop();

  config::Flags flags_;
  Style style_;
  StopSignal stop_;
  const config::GetEnvironment environment_ = config::process_environment();
  service::Runtime runtime_;
  state::Registry registry_{stores::all()};
  MetricsSources metrics_;
  std::unique_ptr<net::Budget> budget_;
  std::unique_ptr<Components> components_;  // holds the cores, which outlive the handles in the rooms
  std::vector<std::unique_ptr<LoopRoom>> rooms_;
  std::unique_ptr<net::Server> http_server_;
  std::unique_ptr<net::Server> grpc_server_;
  std::unique_ptr<MetricsHandler> metrics_handler_;
  std::unique_ptr<net::Server> metrics_server_;
  std::string resources_;  // where components came from, for people
};

std::string variable(const config::GetEnvironment& environment, const std::string& name) {
  return environment(name).value_or("");
}

Status Daemon::prepare_runtime() {
  runtime_.app_id = flags_.app_id;
  runtime_.name_space = variable(environment_, "NAMESPACE");
  runtime_.app_port = flags_.app_port;
  runtime_.app_protocol = flags_.app_protocol;
  runtime_.app_channel_address = flags_.app_channel_address;
  runtime_.app_max_concurrency = static_cast<int>(flags_.app_max_concurrency);
  if (const std::string token = variable(environment_, "DAPR_API_TOKEN"); !token.empty())
    runtime_.api_tokens.push_back(token);
  if (!flags_.api_token_file.empty()) {
    std::ifstream file(flags_.api_token_file);
    if (!file)
      return fail(Errc::invalid_argument, fmt::format("cannot read --api-token-file {}", flags_.api_token_file));
    for (std::string line; std::getline(file, line);)
      if (const std::string_view token = trim(line); !token.empty()) runtime_.api_tokens.emplace_back(token);
    if (runtime_.api_tokens.empty())
      return fail(Errc::invalid_argument, fmt::format("--api-token-file {} holds no token", flags_.api_token_file));
  }
  runtime_.shutdown = [this](bool force) {
    if (!force) return stop_.request();
    log::warn(kScope, "Force shutdown requested, exiting immediately without graceful shutdown");
    rooms_[0]->loop.post([this] { rooms_[0]->loop.after(Milliseconds(100), [] { _exit(1); }); });
  };
  return {};
}

// The cores that this process may use: fewer than the machine has under a cpuset or taskset, where two loops on one core
// would only take turns.
std::size_t usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return std::max(1u, std::thread::hardware_concurrency());
  return std::max<std::size_t>(1, static_cast<std::size_t>(CPU_COUNT(&set)));
}

void Daemon::start_loops() {
  const std::size_t count = flags_.loops > 0 ? flags_.loops : usable_cores();
  budget_ = std::make_unique<net::Budget>(static_cast<std::int64_t>(flags_.max_inflight_bytes));
  for (std::size_t i = 0; i < count; ++i) {
    auto room = std::make_unique<LoopRoom>();
    room->grpc = std::make_unique<api::GrpcFront>(room->service, runtime_, flags_.max_body_bytes);
    room->http = std::make_unique<api::HttpFront>(room->service, runtime_, *room->grpc);
    rooms_.push_back(std::move(room));
  }
  for (const auto& room : rooms_) room->thread = std::thread([&room] { room->loop.run(); });
}

Result<config::Resources> Daemon::read_resources() {
  std::vector<std::string> directories = flags_.resources_paths;
  if (directories.empty() && style_ == Style::friendly) {
    const std::string found = find_resources(environment_);
    if (!found.empty()) directories.push_back(found);
  }
  config::LoadOptions options;
  options.app_id = flags_.app_id;
  options.environment = environment_;
  auto resources = config::load_resources(directories, options);
  if (!resources) return resources;
  for (const std::string& warning : resources->warnings) log::warn(kScope, "{}", warning);
  for (const std::string& directory : directories) resources_ += (resources_.empty() ? "" : ", ") + directory;
  if (directories.empty() && style_ == Style::friendly) {
    auto fallback = default_store(environment_);
    if (!fallback) return fail(fallback.error());
    resources_ = fmt::format("none found; the default store \"statestore\" is SQLite in {}",
                             fallback->properties.front().second);
    resources->state_stores.push_back(std::move(*fallback));
  }
  return resources;
}

Status Daemon::open_components() {
  auto resources = read_resources();
  if (!resources) return fail(resources.error());
  std::vector<net::Loop*> loops;
  std::vector<service::StoreTable*> tables;
  for (const auto& room : rooms_) {
    loops.push_back(&room->loop);
    tables.push_back(&room->stores);
  }
  components_ = std::make_unique<Components>(registry_, loops, tables, runtime_, metrics_);
  for (const state::Component& component : resources->state_stores) {
    auto opened = components_->open(component);
    if (opened) continue;
    if (!component.ignore_errors) return opened;
    log::error(kScope, "{}; it is left out, because ignoreErrors is set", opened.error().message);
  }
  for (const auto& parked : resources->parked)
    log::warn(kScope, "component {} waits for secret store \"{}\", which is not loaded; its store answers \"not found\"",
              config::log_name(parked.component), parked.secret_store);
  components_->publish();
  return {};
}

// Tries `port`, and where it may move a free one; the same on every address.
Status Daemon::listen(net::Server& server, const std::vector<std::string>& hosts, std::uint16_t& port, bool may_move,
                      std::string_view flag) {
  Error last;
  std::size_t bound = 0;
  for (const std::string& host : hosts) {
    auto got = server.listen_tcp(host, port);
    if (!got && may_move && bound == 0) got = server.listen_tcp(host, 0);
    if (got) {
      port = *got;
      ++bound;
    } else {
      last = got.error();
    }
  }
  if (bound > 0) return {};
  last.message += fmt::format(" (--{} {}); is another process using the port?", flag, port);
  return fail(last);
}

Status Daemon::open_unix() {
  const std::string stem = flags_.unix_domain_socket + "/dapr-" + flags_.app_id;
  if (auto ok = http_server_->listen_unix(stem + "-http.socket"); !ok) return ok;
  return grpc_server_->listen_unix(stem + "-grpc.socket");
}

Status Daemon::open_ports() {
  net::ServerOptions options;
  // Go adds about 4 KiB to its header limit; clients rely on it.
  options.head_bytes_max = static_cast<std::uint32_t>(std::min<std::uint64_t>(flags_.read_buffer_bytes + 4096, 1 << 26));
  options.h2_head_bytes_max = std::max<std::uint32_t>(options.head_bytes_max, 64 * 1024);
  options.body_bytes_max = flags_.max_body_bytes;
  options.connections_max = flags_.max_connections;
  options.header_timeout = flags_.header_timeout;
  if (flags_.idle_timeout > Milliseconds(0)) options.idle_timeout = flags_.idle_timeout;
  std::vector<net::Loop*> loops;
  std::vector<net::Handler*> handlers;
  for (const auto& room : rooms_) {
    loops.push_back(&room->loop);
    handlers.push_back(room->http.get());
  }
  net::ServerOptions http_options = options;
  http_options.h2 = !state::truthy(variable(environment_, "DAPR_HTTP_DISABLE_H2C"));
  http_server_ = std::make_unique<net::Server>(loops, handlers, *budget_, http_options);
  grpc_server_ = std::make_unique<net::Server>(loops, handlers, *budget_, options);
  if (!flags_.unix_domain_socket.empty()) {
    if (auto ok = open_unix(); !ok) return ok;
  } else {
    std::vector<std::string> hosts = flags_.dapr_listen_addresses;
    const bool friendly = style_ == Style::friendly;
    if (hosts.empty())
      hosts = friendly ? std::vector<std::string>{"127.0.0.1", "::1"} : std::vector<std::string>{"0.0.0.0", "::"};
    if (auto ok = listen(*http_server_, hosts, flags_.dapr_http_port, friendly && !flags_.is_given("dapr-http-port"),
                         "dapr-http-port"); !ok)
      return ok;
    if (auto ok = listen(*grpc_server_, hosts, flags_.dapr_grpc_port, friendly && !flags_.is_given("dapr-grpc-port"),
                         "dapr-grpc-port"); !ok)
      return ok;
    const bool loopback = std::ranges::all_of(hosts, [](const std::string& h) { return h == "::1" || h.starts_with("127."); });
    if (!loopback && runtime_.api_tokens.empty())
      log::warn(kScope, "the API listens beyond this machine's loopback without an API token; set DAPR_API_TOKEN or "
                        "--dapr-listen-addresses 127.0.0.1");
  }
  http_server_->start();
  grpc_server_->start();
  return {};
}

// A metrics port that is taken is not worth dying for, nor is one that nobody asked for.
void Daemon::open_metrics() {
  if (!flags_.enable_metrics) return;
  metrics_handler_ = std::make_unique<MetricsHandler>(metrics_, runtime_);
  net::ServerOptions options;
  options.connections_max = 64;
  options.body_bytes_max = 64 * 1024;
  metrics_server_ = std::make_unique<net::Server>(std::vector<net::Loop*>{&rooms_[0]->loop},
                                                  std::vector<net::Handler*>{metrics_handler_.get()}, *budget_, options);
  std::string host = flags_.metrics_listen_address;
  if (style_ == Style::friendly && !flags_.is_given("metrics-listen-address")) host = "127.0.0.1";
  const bool may_move = style_ == Style::friendly && !flags_.is_given("metrics-port");
  if (auto ok = listen(*metrics_server_, {host}, flags_.metrics_port, may_move, "metrics-port"); !ok) {
    log::error(kScope, "no metrics: {}", ok.error().message);
    metrics_server_.reset();
    return;
  }
  metrics_server_->start();
}

void Daemon::announce(SteadyTime began) {
  const auto elapsed = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - began);
  if (flags_.unix_domain_socket.empty()) {
    log::info(kScope, "HTTP server is running on port {}", flags_.dapr_http_port);
    log::info(kScope, "gRPC server is running on port {}", flags_.dapr_grpc_port);
  }
  if (metrics_server_) log::info(kScope, "metrics server is running on port {}", flags_.metrics_port);
  if (style_ == Style::friendly) log::info(kScope, "components from {}", resources_);
  log::info(kScope, "dapr initialized. Status: Running. Init Elapsed {}ms", elapsed.count());
}

namespace {

bool accepts_connections(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return false;
  bool connected = false;
  for (const addrinfo* a = found; a != nullptr && !connected; a = a->ai_next) {
    const int fd = ::socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) continue;
    if (::connect(fd, a->ai_addr, a->ai_addrlen) == 0) connected = true;
    pollfd wait{fd, POLLOUT, 0};
    int error = 1;
    socklen_t size = sizeof error;
    if (!connected && errno == EINPROGRESS && ::poll(&wait, 1, 100) == 1 &&
        ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0)
      connected = error == 0;
    ::close(fd);
  }
  freeaddrinfo(found);
  return connected;
}

}  // namespace

// healthz says "not ready" until the application answers on its port; the APIs work meanwhile.
void Daemon::wait_for_application() {
  if (flags_.app_port == 0) {
    runtime_.ready = true;
    return;
  }
  log::info(kScope, "waiting for the application to listen on port {}", flags_.app_port);
  while (!accepts_connections(flags_.app_channel_address, flags_.app_port))
    if (stop_.wait_for(Milliseconds(100))) return;
  log::info(kScope, "the application listens on port {}", flags_.app_port);
  runtime_.ready = true;
}

Status Daemon::start() {
  const SteadyTime began = std::chrono::steady_clock::now();
  if (auto ok = prepare_runtime(); !ok) return ok;
  start_loops();
  if (auto ok = open_components(); !ok) return ok;
  if (auto ok = open_ports(); !ok) return ok;
  open_metrics();
  runtime_.outbound_ready = true;
  announce(began);
  return {};
}

void Daemon::stop() {
  runtime_.ready = false;
  if (runtime_.outbound_ready && flags_.block_shutdown > Milliseconds(0)) {
    log::info(kScope, "shutdown is held back for {} ms", flags_.block_shutdown.count());
    std::this_thread::sleep_for(flags_.block_shutdown);
  }
  runtime_.outbound_ready = false;
  const Milliseconds grace = flags_.graceful_shutdown.count() == 0 ? Milliseconds(std::chrono::hours(24))
                                                                   : Milliseconds(flags_.graceful_shutdown);
  std::vector<std::thread> drains;
  for (net::Server* server : {http_server_.get(), grpc_server_.get(), metrics_server_.get()})
    if (server != nullptr) drains.emplace_back([server, grace] { server->drain(grace); });
  for (std::thread& drain : drains) drain.join();
  if (components_) components_->close_all(grace);
  for (const auto& room : rooms_) room->loop.stop();
  for (const auto& room : rooms_)
    if (room->thread.joinable()) room->thread.join();
}

int Daemon::run() {
  for (const std::string& flag : flags_.without_effect)
    log::warn(kScope, "flag --{} has no effect in this version", flag);
  const Status started = start();
  if (!started) {
    log::fatal(kScope, "Fatal error from runtime: {}", started.error().message);
    stop();
    return 1;
  }
  wait_for_application();
  stop_.wait();
  log::info(kScope, "Dapr is shutting down");
  stop();
  log::info(kScope, "stopped");
  return 0;
}

}  // namespace

namespace {

// Large buffers come from the system and go back to it: glibc otherwise raises its threshold with every large block
// that is freed, and what a burst needed would stay resident.
void bound_the_heap() {
  mallopt(M_MMAP_THRESHOLD, 256 * 1024);
  mallopt(M_TRIM_THRESHOLD, 512 * 1024);
}

}  // namespace

int serve(config::Flags flags, Style style) {
  bound_the_heap();
  if (style == Style::friendly && flags.app_id.empty()) flags.app_id = "app";
  log::Options options;
  options.app_id = flags.app_id;
  options.json = flags.log_as_json;
  options.file = flags.log_file;
  if (const auto ok = config::check_flags(flags); !ok) {
    log::configure(options);
    log::fatal(kScope, "{}", ok.error().message);
    return 1;
  }
  log::parse_level(flags.log_level, options.level);
  if (!log::configure(options)) {
    log::fatal(kScope, "cannot write to --log-file {}", flags.log_file);
    return 1;
  }
  log::info(kScope, "starting Holdfast -- version {}", HOLDFAST_VERSION);
  Daemon daemon(std::move(flags), style);
  return daemon.run();
}

}  // namespace holdfast::daemon
