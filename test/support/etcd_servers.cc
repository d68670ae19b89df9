#include "support/etcd_servers.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "base/encoding.h"
#include "support/eventually.h"

namespace holdfast::test {
namespace {

struct Program {
  const char* variable;
  std::string_view name;  // in .cache/servers/bin
};

Program program_of(EtcdVersion version) {
  return version == EtcdVersion::v3_4 ? Program{"HOLDFAST_ETCD_34", "etcd-34"} : Program{"HOLDFAST_ETCD_35", "etcd-35"};
}

std::string expected_at(const Program& program) {
  const char* named = std::getenv(program.variable);
  if (named != nullptr && *named != '\0') return named;
  return std::string(HOLDFAST_SOURCE_DIR "/.cache/servers/bin/").append(program.name);
}

std::string member(std::string_view name, std::string_view text) {
  return "\"" + std::string(name) + "\":\"" + std::string(text) + "\"";
}

}  // namespace

std::string etcd_program(EtcdVersion version) {
  const std::string path = expected_at(program_of(version));
  return ::access(path.c_str(), X_OK) == 0 ? path : "";
}

std::string missing_etcd(EtcdVersion version) {
  const Program program = program_of(version);
  return expected_at(program) + " is no program. tools/dev test fetches it where it can; " + program.variable +
         " may name another";
}

EtcdCluster::EtcdCluster(EtcdOptions options, std::size_t size) : options_(std::move(options)) {
  if (etcd_program(options_.version).empty()) throw std::runtime_error(missing_etcd(options_.version));
  if (options_.tls != EtcdTls::none) certificates_.emplace(folder_.path());
  for (std::size_t i = 0; i < size; ++i) {
    nodes_.push_back(std::make_unique<Node>());
    nodes_.back()->name = "n" + std::to_string(i);
    nodes_.back()->number = i;
  }
  for (const auto& node : nodes_) start(*node);  // all of them: none is ready alone
  wait_until_healthy();
  if (options_.auth) add_users();
  for (std::size_t i = 0; i < size; ++i) nodes_[i]->member = client(i).status().member;
}

std::string EtcdCluster::host(std::size_t index) const {
  return options_.network != nullptr ? options_.network->address(index) : "127.0.0.1";
}

std::string EtcdCluster::peer_url(const Node& node) const {
  return "http://" + host(node.number) + ":" + std::to_string(node.peer_port.number());
}

std::vector<std::string> EtcdCluster::command_line(const Node& node) const {
  std::string members;
  for (const auto& one : nodes_) {
    if (!members.empty()) members += ',';
    members += one->name + "=" + peer_url(*one);
  }
  const std::string clients = (certificates_ ? "https://" : "http://") + address(node.number);
  std::vector<std::string> line{etcd_program(options_.version),
                                "--name",
                                node.name,
                                "--data-dir",
                                node.folder / "data",
                                "--listen-client-urls",
                                clients,
                                "--advertise-client-urls",
                                clients,
                                "--listen-peer-urls",
                                peer_url(node),
                                "--initial-advertise-peer-urls",
                                peer_url(node),
                                "--initial-cluster",
                                members,
                                "--initial-cluster-token",
                                peer_url(*nodes_.front()),
                                "--heartbeat-interval",
                                std::to_string(options_.election_timeout.count() / 10),
                                "--election-timeout",
                                std::to_string(options_.election_timeout.count())};
  const auto add = [&](std::vector<std::string> words) { line.insert(line.end(), words.begin(), words.end()); };
  if (certificates_) add({"--cert-file", certificates_->server_file, "--key-file", certificates_->server_key_file});
  if (options_.tls == EtcdTls::mutual) add({"--client-cert-auth", "--trusted-ca-file", certificates_->authority_file});
  if (options_.version != EtcdVersion::v3_4 && !options_.fsync) add({"--unsafe-no-fsync"});
  add(options_.arguments);
  return options_.network != nullptr ? options_.network->on_host(node.number, line) : line;
}

void EtcdCluster::start(Node& node) {
  node.paused = node.killed = false;
  node.client.reset();
  node.process = std::make_unique<ChildProcess>(command_line(node), node.folder / "log");
}

void EtcdCluster::require_healthy(std::size_t index) {
  Node& node = *nodes_.at(index);
  EtcdClient nobody(login(index));
  const bool is_healthy =
      eventually([&] { return !node.process->is_running() || nobody.is_healthy(); }) && node.process->is_running();
  if (!is_healthy)
    throw std::runtime_error("the server " + address(index) + " is not healthy; its log:\n" +
                             read_file(node.folder / "log"));
}

void EtcdCluster::wait_until_healthy() {
  for (std::size_t i = 0; i < size(); ++i)
    if (!nodes_[i]->paused && !nodes_[i]->killed) require_healthy(i);
}

bool EtcdCluster::has_majority() {
  std::size_t answering = 0;
  for (std::size_t i = 0; i < size(); ++i) answering += answers(i) ? 1 : 0;
  return answering > size() / 2;
}

std::string EtcdCluster::endpoints() const {
  std::string all;
  for (std::size_t i = 0; i < size(); ++i) all += (i == 0 ? "" : ",") + address(i);
  return all;
}

void EtcdCluster::kill(std::size_t index) {
  Node& node = *nodes_.at(index);
  node.process->kill();
  node.paused = false;
  node.killed = true;
}

void EtcdCluster::restart(std::size_t index) {
  kill(index);
  start(*nodes_.at(index));
  if (has_majority()) require_healthy(index);
}

void EtcdCluster::pause(std::size_t index) {
  nodes_.at(index)->process->stop();
  nodes_.at(index)->paused = true;
}

void EtcdCluster::resume(std::size_t index) {
  nodes_.at(index)->process->signal(SIGCONT);
  nodes_.at(index)->paused = false;
}

std::optional<std::size_t> EtcdCluster::known_leader() {
  for (std::size_t i = 0; i < size(); ++i) {
    if (!answers(i)) continue;
    try {
      const std::uint64_t leader = client(i).status().leader;
      for (std::size_t j = 0; j < size(); ++j)
        if (nodes_[j]->member == leader && answers(j)) return j;
    } catch (const EtcdError&) {
      // It has just been started.
    }
  }
  return std::nullopt;
}

std::size_t EtcdCluster::leader() {
  std::optional<std::size_t> found;
  require_eventually("a leader of " + endpoints(), [&] { return (found = known_leader()).has_value(); });
  return *found;
}

EtcdLogin EtcdCluster::login(std::size_t index, std::uint16_t port) const {
  return {.host = host(index),
          .port = port != 0 ? port : this->port(index),
          .certificates = certificates_ ? &*certificates_ : nullptr,
          .shows_certificate = options_.tls == EtcdTls::mutual};
}

EtcdClient& EtcdCluster::client(std::size_t index) {
  Node& node = *nodes_.at(index);
  if (node.paused) throw std::runtime_error(address(index) + " is paused and would never answer");
  if (!node.client) {
    EtcdLogin as = login(index);
    if (has_users_) as.user = kRoot, as.password = kRootPassword;
    node.client.emplace(std::move(as));
  }
  return *node.client;
}

EtcdClient& EtcdCluster::client() {
  for (std::size_t i = 0; i < size(); ++i)
    if (answers(i)) return client(i);
  throw std::runtime_error("no server of " + endpoints() + " answers");
}

void EtcdCluster::add_users() {
  EtcdClient& nobody = client(0);
  const auto user = [&](const char* name, const char* password, const char* role) {
    nobody.call("/v3/auth/user/add", "{" + member("name", name) + "," + member("password", password) + "}");
    nobody.call("/v3/auth/role/add", "{" + member("name", role) + "}");
    nobody.call("/v3/auth/user/grant", "{" + member("user", name) + "," + member("role", role) + "}");
  };
  user(kRoot, kRootPassword, "root");
  user(kUser, kPassword, "app-role");
  nobody.call("/v3/auth/role/grant", "{" + member("name", "app-role") + ",\"perm\":{\"permType\":\"READWRITE\"," +
                                         member("key", base64_encode(options_.app_prefix)) + "," +
                                         member("range_end", base64_encode(etcd_prefix_end(options_.app_prefix))) +
                                         "}}");
  nobody.call("/v3/auth/enable", "{}");
  has_users_ = true;
  for (const auto& node : nodes_) node->client.reset();
}

}  // namespace holdfast::test
