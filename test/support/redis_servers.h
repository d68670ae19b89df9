// Real servers of Redis for tests: child processes on free ports of 127.0.0.1, in a folder that goes with them. They
// are ready when they are constructed, and end with the object, or with the thread that started them.
//
// A test that needs one begins with HOLDFAST_NEEDS_SERVER(ServerKind::redis), which skips it, and says why, where the server
// could not be fetched. Used by one thread. What cannot be done throws std::runtime_error.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/certificates.h"
#include "support/child_process.h"
#include "support/port.h"
#include "support/resp_client.h"

namespace holdfast::test {

enum class ServerKind : std::uint8_t {
  redis,        // 7.0
  redis_stack,  // 7.4 with RedisJSON and RediSearch
  valkey,       // 8.0
};

// The path of the program: what HOLDFAST_REDIS_SERVER, HOLDFAST_REDIS_STACK or HOLDFAST_VALKEY_SERVER says, else what
// tools/dev has fetched into .cache/servers. Empty when it is not there.
std::string server_program(ServerKind kind);
// Why it is not there, and what to do about it.
std::string missing_server(ServerKind kind);

#define HOLDFAST_NEEDS_SERVER(kind) \
  if (::holdfast::test::server_program(kind).empty()) GTEST_SKIP() << ::holdfast::test::missing_server(kind)

struct RedisOptions {
  ServerKind kind = ServerKind::redis;
  std::vector<std::string> arguments = {};  // behind those that every server has: {"--appendonly", "yes"}
  // Instead of our own arguments: the text of a configuration file, where {port} and {folder} are filled in.
  std::string configuration = {};
  // Files to put into the folder first, by name. In their text and in the arguments {port} and {folder} are filled in.
  std::vector<std::pair<std::string, std::string>> files = {};
  std::string user = {}, password = {};  // with which command() speaks to it
};

class RedisServer {
 public:
  explicit RedisServer(RedisOptions options = {});

  std::uint16_t port() const { return port_.number(); }
  std::string address() const { return "127.0.0.1:" + std::to_string(port()); }
  std::string unix_path() const { return folder_ / "redis.sock"; }
  // Where its data, its log and the files of the options are.
  const TemporaryFolder& folder() const { return folder_; }
  pid_t pid() const { return process_->pid(); }
  bool is_running() { return process_ && process_->is_running(); }
  // Running and not paused.
  bool answers() { return is_running() && !paused_; }

  // SIGKILL: nothing is saved, connections are lost.
  void kill();
  // Starts it again, on the same port and in the same folder, after ending it if need be. Without "--appendonly yes"
  // its data is gone, as after a crash.
  void restart();
  // SIGSTOP: it stays connected and answers nothing, until resume().
  void pause();
  void resume();

  // On one connection, which is opened anew when it was lost.
  Answer command(std::initializer_list<std::string_view> words);
  Answer command(const std::vector<std::string>& words);
  // As above; the answer as it should be, and throws for an error.
  Answer must(const std::vector<std::string>& words);
  // A line of INFO: "connected" for ("replication", "master_link_status"); empty when it is not there.
  std::string info(std::string_view section, std::string_view field);

 private:
  void start();
  bool is_ready();
  std::vector<std::string> command_line();
  std::string filled_in(std::string text) const;
  RespClient& client();

  RedisOptions options_;
  Port port_;
  TemporaryFolder folder_;
  std::unique_ptr<ChildProcess> process_;
  bool paused_ = false;
  std::optional<RespClient> client_;
};

// A primary and its replicas, connected.
class RedisGroup {
 public:
  explicit RedisGroup(std::size_t replica_count, const RedisOptions& options = {});

  RedisServer& primary() { return *servers_.front(); }
  RedisServer& replica(std::size_t index) { return *servers_.at(index + 1); }
  std::size_t replica_count() const { return servers_.size() - 1; }
  // Until every replica is in step with the primary.
  void wait_until_linked();

 private:
  std::vector<std::unique_ptr<RedisServer>> servers_;
};

// What a user of the store may do, as rules of an ACL.
extern const std::string_view kStoreRules;

// Speaks TLS on tls_port(), where a client's certificate is welcome and not asked for, and without TLS on port(). There
// is no user "default"; "app" (password "app-password") may do what `rules` say, "admin" everything.
class SecuredRedis {
 public:
  explicit SecuredRedis(std::string_view rules = kStoreRules, std::string_view clients = "optional");

  RedisServer& server() { return *server_; }
  std::uint16_t tls_port() const { return tls_port_.number(); }
  const Certificates& certificates() const { return certificates_; }
  static constexpr std::string_view kUser = "app", kPassword = "app-password";

 private:
  TemporaryFolder folder_;
  Certificates certificates_;
  Port tls_port_;
  std::optional<RedisServer> server_;
};

}  // namespace holdfast::test
