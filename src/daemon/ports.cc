#include "daemon/ports.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/log.h"

namespace holdfast::daemon {

namespace {

constexpr std::string_view kScope = "holdfast.runtime";
constexpr std::uint32_t kSideConnectionsMax = 64;  // of the metrics and the public port

// Tries `port`, and where it may move a free one; the same on every address. One address that works is enough.
Status listen(net::Server& server, const std::vector<std::string>& hosts, std::uint16_t& port, bool may_move,
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

bool is_loopback(const std::string& host) { return host == "::1" || host.starts_with("127."); }

}  // namespace

std::vector<std::string> listen_addresses(const config::Flags& flags, bool friendly) {
  if (!flags.dapr_listen_addresses.empty()) return flags.dapr_listen_addresses;
  return friendly ? std::vector<std::string>{"127.0.0.1", "::1"} : std::vector<std::string>{"0.0.0.0", "::"};
}

bool listens_on_loopback_only(const config::Flags& flags, bool friendly) {
  return !flags.unix_domain_socket.empty() || std::ranges::all_of(listen_addresses(flags, friendly), is_loopback);
}

Result<std::unique_ptr<Ports>> Ports::open(config::Flags& flags, const PortHandlers& handlers, net::Budget& budget,
                                           Options options) {
  std::unique_ptr<Ports> ports(new Ports(flags, std::move(options)));
  if (auto ok = ports->open_api(handlers, budget); !ok) return fail(ok.error());
  if (auto ok = ports->open_public(handlers, budget); !ok) return fail(ok.error());
  ports->open_metrics(handlers, budget);
  for (net::Server* server : {ports->http_.get(), ports->grpc_.get(), ports->public_.get(), ports->metrics_.get()})
    if (server != nullptr) server->start();
  return ports;
}

net::ServerOptions Ports::server_options() const {
  net::ServerOptions options;
  // Go adds about 4 KiB to its header limit; clients rely on it.
  options.head_bytes_max = static_cast<std::uint32_t>(std::min<std::uint64_t>(flags_.read_buffer_bytes + 4096, 1 << 26));
  options.h2_head_bytes_max = std::max<std::uint32_t>(options.head_bytes_max, 64 * 1024);
  options.body_bytes_max = flags_.max_body_bytes;
  options.connections_max = flags_.max_connections;
  options.header_timeout = flags_.header_timeout;
  if (flags_.idle_timeout > Milliseconds(0)) options.idle_timeout = flags_.idle_timeout;
  options.tls = options_.tls;
  return options;
}

Status Ports::open_api(const PortHandlers& handlers, net::Budget& budget) {
  const net::ServerOptions options = server_options();
  net::ServerOptions http_options = options;
  http_options.h2 = options_.http2_on_http;
  http_ = std::make_unique<net::Server>(handlers.loops, handlers.api, budget, http_options);
  grpc_ = std::make_unique<net::Server>(handlers.loops, handlers.api, budget, options);
  return flags_.unix_domain_socket.empty() ? open_tcp() : open_unix();
}

Status Ports::open_unix() {
  const std::string stem = flags_.unix_domain_socket + "/dapr-" + flags_.app_id;
  if (auto ok = http_->listen_unix(stem + "-http.socket"); !ok) return ok;
  return grpc_->listen_unix(stem + "-grpc.socket");
}

Status Ports::open_tcp() {
  const bool friendly = options_.friendly;
  const std::vector<std::string> hosts = listen_addresses(flags_, friendly);
  if (auto ok = listen(*http_, hosts, flags_.dapr_http_port, friendly && !flags_.is_given("dapr-http-port"),
                       "dapr-http-port"); !ok)
    return ok;
  if (auto ok = listen(*grpc_, hosts, flags_.dapr_grpc_port, friendly && !flags_.is_given("dapr-grpc-port"),
                       "dapr-grpc-port"); !ok)
    return ok;
  if (!listens_on_loopback_only(flags_, friendly) && !options_.asks_for_token && flags_.tls_client_ca_file.empty())
    log::warn(kScope, "the API listens beyond this machine's loopback without an API token; set DAPR_API_TOKEN or "
                      "--dapr-listen-addresses 127.0.0.1");
  return {};
}

Status Ports::open_public(const PortHandlers& handlers, net::Budget& budget) {
  if (flags_.dapr_public_port == 0) return {};
  net::ServerOptions options = server_options();
  options.connections_max = kSideConnectionsMax;
  options.tls = nullptr;  // probes speak plain HTTP, and there is nothing here to hide
  public_ = std::make_unique<net::Server>(handlers.loops, handlers.open, budget, options);
  std::vector<std::string> hosts{flags_.dapr_public_listen_address};
  if (hosts.front().empty()) hosts = {"0.0.0.0", "::"};
  return listen(*public_, hosts, flags_.dapr_public_port, false, "dapr-public-port");
}

// A metrics port that is taken is not worth dying for, nor is one that nobody asked for.
void Ports::open_metrics(const PortHandlers& handlers, net::Budget& budget) {
  if (handlers.metrics == nullptr) return;
  net::ServerOptions options;
  options.connections_max = kSideConnectionsMax;
  options.body_bytes_max = 64 * 1024;
  metrics_ = std::make_unique<net::Server>(std::vector<net::Loop*>{handlers.loops.front()},
                                           std::vector<net::Handler*>{handlers.metrics}, budget, options);
  std::string host = flags_.metrics_listen_address;
  if (options_.friendly && !flags_.is_given("metrics-listen-address")) host = "127.0.0.1";
  const bool may_move = options_.friendly && !flags_.is_given("metrics-port");
  if (auto ok = listen(*metrics_, {host}, flags_.metrics_port, may_move, "metrics-port"); !ok) {
    log::error(kScope, "no metrics: {}", ok.error().message);
    metrics_.reset();
  }
}

void Ports::drain(Milliseconds grace) {
  std::vector<std::thread> drains;
  for (net::Server* server : {http_.get(), grpc_.get(), public_.get(), metrics_.get()})
    if (server != nullptr) drains.emplace_back([server, grace] { server->drain(grace); });
  for (std::thread& drain : drains) drain.join();
}

}  // namespace holdfast::daemon
