// Real servers of etcd for tests: child processes on free ports of 127.0.0.1, or on hosts of a Network, in a folder
// that goes with them. They are ready when they are constructed, and end with the object, or with the thread that
// started them.
//
// A test that needs one begins with HOLDFAST_NEEDS_ETCD(EtcdVersion::v3_5), which skips it, and says why, where the
// server could not be fetched. Used by one thread. What cannot be done throws std::runtime_error.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/certificates.h"
#include "support/child_process.h"
#include "support/etcd_client.h"
#include "support/network.h"
#include "support/port.h"

namespace holdfast::test {

enum class EtcdVersion : std::uint8_t {
  v3_4,  // 3.4.23
  v3_5,  // 3.5.16
};

// The path of the program: what HOLDFAST_ETCD_34 or HOLDFAST_ETCD_35 says, else what tools/dev has fetched into
// .cache/servers. Empty when it is not there.
std::string etcd_program(EtcdVersion version);
// Why it is not there, and what to do about it.
std::string missing_etcd(EtcdVersion version);

#define HOLDFAST_NEEDS_ETCD(version) \
  if (::holdfast::test::etcd_program(version).empty()) GTEST_SKIP() << ::holdfast::test::missing_etcd(version)

enum class EtcdTls : std::uint8_t {
  none,
  server,  // clients check the server's certificate
  mutual,  // and the server theirs
};

struct EtcdOptions {
  EtcdVersion version = EtcdVersion::v3_5;
  // Behind those that every server has: {"--max-txn-ops", "16"}, {"--quota-backend-bytes", "16777216"}.
  std::vector<std::string> arguments = {};
  EtcdTls tls = EtcdTls::none;
  // With it there are users, whose passwords are checked: "root" may do everything, "app" read and write the keys that
  // begin with `app_prefix`.
  bool auth = false;
  std::string app_prefix = "/app";
  // How long without a leader's word until there is an election; ten times its heartbeat. A busy machine is late, and a
  // server grants no lease for less than one and a half times it: one second for this, two for etcd's own second.
  std::chrono::milliseconds election_timeout{500};
  // Of 3.5: whether the disk has what is acknowledged. A server that is killed keeps it either way; a machine does not.
  bool fsync = false;
  // Each member lives on the host of its number, where its links to the others and to clients can be cut. It has as
  // many hosts as the cluster members, and outlives it.
  const Network* network = nullptr;
};

// Servers that are members of one cluster, by their number from 0.
class EtcdCluster {
 public:
  explicit EtcdCluster(EtcdOptions options = {}, std::size_t size = 3);

  std::size_t size() const { return nodes_.size(); }
  std::uint16_t port(std::size_t index) const { return nodes_.at(index)->port.number(); }
  std::string host(std::size_t index) const;
  std::string address(std::size_t index) const { return host(index) + ":" + std::to_string(port(index)); }
  // All of them, in the order of their numbers and with commas between them, as a component file has it.
  std::string endpoints() const;
  // Where its log ("log") and its data are.
  const TemporaryFolder& folder(std::size_t index) const { return nodes_.at(index)->folder; }
  pid_t pid(std::size_t index) const { return nodes_.at(index)->process->pid(); }
  bool is_running(std::size_t index) { return nodes_.at(index)->process->is_running(); }
  // Running and not paused.
  bool answers(std::size_t index) { return is_running(index) && !nodes_.at(index)->paused; }
  // Those of the options' TLS.
  const Certificates& certificates() const { return *certificates_; }

  static constexpr const char *kRoot = "root", *kRootPassword = "root-password";
  static constexpr const char *kUser = "app", *kPassword = "app-password";

  // SIGKILL: connections are lost, the data stays.
  void kill(std::size_t index);
  // Starts it again, on the same port and with the same data, after a kill if need be; waits until it is healthy if it
  // can be, which needs a majority of those that answer.
  void restart(std::size_t index);
  // SIGSTOP: it stays connected and answers nothing, until resume().
  void pause(std::size_t index);
  void resume(std::size_t index);

  // The number of the leader, once one that answers is known to one that answers.
  std::size_t leader();
  // Until each that is neither killed nor paused knows a leader and reads what was last written.
  void wait_until_healthy();

  // Of this server, as root where there are users.
  EtcdClient& client(std::size_t index);
  // Of the first server that answers.
  EtcdClient& client();
  // How to speak to this server: as nobody, and through another port, a gate's, if it is named.
  EtcdLogin login(std::size_t index, std::uint16_t port = 0) const;

 private:
  struct Node {
    std::string name;
    std::size_t number = 0;
    Port port, peer_port;
    TemporaryFolder folder;
    std::unique_ptr<ChildProcess> process;
    bool paused = false, killed = false;
    std::optional<EtcdClient> client;
    std::uint64_t member = 0;
  };

  void start(Node& node);
  void require_healthy(std::size_t index);
  bool has_majority();
  std::optional<std::size_t> known_leader();
  std::vector<std::string> command_line(const Node& node) const;
  std::string peer_url(const Node& node) const;
  void add_users();

  EtcdOptions options_;
  TemporaryFolder folder_;  // of the certificates
  std::optional<Certificates> certificates_;
  bool has_users_ = false;
  std::vector<std::unique_ptr<Node>> nodes_;
};

// A cluster of one.
class EtcdServer {
 public:
  explicit EtcdServer(EtcdOptions options = {}) : cluster_(std::move(options), 1) {}

  std::uint16_t port() const { return cluster_.port(0); }
  std::string address() const { return cluster_.address(0); }
  std::string endpoints() const { return cluster_.endpoints(); }
  const TemporaryFolder& folder() const { return cluster_.folder(0); }
  const Certificates& certificates() const { return cluster_.certificates(); }
  pid_t pid() const { return cluster_.pid(0); }
  bool is_running() { return cluster_.is_running(0); }
  bool answers() { return cluster_.answers(0); }
  void kill() { cluster_.kill(0); }
  void restart() { cluster_.restart(0); }
  void pause() { cluster_.pause(0); }
  void resume() { cluster_.resume(0); }
  // As root where there are users.
  EtcdClient& client() { return cluster_.client(0); }
  EtcdLogin login(std::uint16_t port = 0) const { return cluster_.login(0, port); }

 private:
  EtcdCluster cluster_;
};

}  // namespace holdfast::test
