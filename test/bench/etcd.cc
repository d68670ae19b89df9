#include "bench/etcd.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <sstream>
#include <stdexcept>

#include "bench/load.h"
#include "bench/socket.h"
#include "support/etcd_servers.h"

namespace holdfast::bench {

namespace {

constexpr auto kVersion = test::EtcdVersion::v3_5;

std::string components(const test::EtcdServer& server) {
  std::string yaml;
  for (const std::string version : {"v1", "v2"})
    yaml += fmt::format(
        "---\napiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{name: etcd{0}}}\nspec:\n"
        "  type: state.etcd\n  version: {1}\n  metadata:\n  - {{name: endpoints, value: \"{2}\"}}\n"
        "  - {{name: keyPrefixPath, value: /{1}}}\n",
        version == "v1" ? "-v1" : "", version, server.endpoints());
  return yaml;
}

// The Go program, which has the core of the load.
class GoClient {
 public:
  GoClient(const std::string& program, const std::string& endpoint, int core)
      : process_({program, std::to_string(port_), endpoint, std::to_string(kSpreadKeys), value_text()}, core, "") {
    wait_for_port(port_);
    socket_ = connect_to({.host = "127.0.0.1", .port = port_});
  }
  ~GoClient() { close(socket_); }
  GoClient(const GoClient&) = delete;
  GoClient& operator=(const GoClient&) = delete;

  pid_t pid() const { return process_.pid(); }

  LoadResult run(const std::string& operation, int in_flight, double seconds) const {
    const std::string line = fmt::format("{} {} {}\n", operation, in_flight, seconds);
    send_all(socket_, line.data(), line.size());
    std::istringstream answer(receive_line());
    LoadResult result;
    answer >> result.requests >> result.errors >> result.seconds;
    if (!answer) throw std::runtime_error("etcd's Go client has answered nonsense");
    for (std::uint32_t latency = 0; answer >> latency;) result.latencies_us.push_back(latency);
    return result;
  }

 private:
  std::string receive_line() const {
    std::string line;
    char bytes[65536];
    while (!line.ends_with('\n')) {
      const ssize_t read = recv(socket_, bytes, sizeof bytes, 0);
      if (read <= 0) throw std::runtime_error("etcd's Go client has gone");
      line.append(bytes, static_cast<std::size_t>(read));
    }
    return line;
  }

  int port_ = free_port();
  Process process_;
  int socket_ = -1;
};

ByHand client(const DatabasePlan& plan, const std::string& program, const test::EtcdServer& server) {
  auto go = std::make_shared<GoClient>(program, server.endpoints(), plan.load_core);
  return {.server = "go",
          .protocol = "etcd",
          .name = "a Go client",
          .run = [&server, go](const std::string& operation, int in_flight, double seconds) {
            return measure(go->pid(), server.pid(), [&] { return go->run(operation, in_flight, seconds); });
          }};
}

}  // namespace

void measure_etcd(const DatabasePlan& plan, Report& report) {
  const char* const program = std::getenv("HOLDFAST_BENCH_ETCD_CLIENT");
  if (test::etcd_program(kVersion).empty() || program == nullptr) {
    std::cerr << "  etcd is left out: "
              << (program == nullptr ? "HOLDFAST_BENCH_ETCD_CLIENT names no client; tools/dev bench builds one"
                                     : test::missing_etcd(kVersion))
              << '\n';
    return;
  }
  // A save is on the disk when it is answered.
  const auto server = start_on_its_core(
      plan, [] { return std::make_unique<test::EtcdServer>(test::EtcdOptions{.version = kVersion, .fsync = true}); });
  DatabaseComparison comparison(
      plan, {.name = "etcd", .stores = {"etcd", "etcd-v1"}, .components = components(*server), .pid = server->pid()},
      client(plan, program, *server), report);
  comparison.add_rows();
  for (const std::string protocol : {"http", "grpc"}) {
    for (const std::string operation : {"get", "save"})
      comparison.compare(protocol, operation, {.together = 1, .client = 1});
    comparison.compare_bulk(protocol);
  }
}

}  // namespace holdfast::bench
