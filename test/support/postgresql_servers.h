// Real servers of PostgreSQL for tests: child processes on free ports of 127.0.0.1, in a folder that goes with them.
// They are ready when they are constructed, and end with the object, or with the thread that started them.
//
// A test that needs one begins with HOLDFAST_NEEDS_POSTGRESQL(), which skips it, and says why, where the programs could
// not be fetched. Used by one thread. What cannot be done throws std::runtime_error.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "support/certificates.h"
#include "support/child_process.h"
#include "support/port.h"
#include "support/postgresql_client.h"
#include "support/process_tree.h"

namespace holdfast::test {

// The folder of postgres, initdb, pg_basebackup and psql: what HOLDFAST_POSTGRESQL says, else where tools/dev has
// fetched them. Empty when they are not there.
std::string postgresql_programs();
// Why they are not there, and what to do about it.
std::string missing_postgresql();

#define HOLDFAST_NEEDS_POSTGRESQL() \
  if (::holdfast::test::postgresql_programs().empty()) GTEST_SKIP() << ::holdfast::test::missing_postgresql()

struct PostgresqlOptions {
  // Lines of postgresql.conf, behind those that every server has (tools/lib/postgresql-data): "max_connections = 20".
  std::vector<std::string> settings = {};
  // Lines of pg_hba.conf, before those that every server has: the first that fits a client is the one that counts.
  std::vector<std::string> access = {};
  bool fsync = false;
  // With them it speaks TLS to whoever wants to, and checks a client's certificate if it has one. They outlive it.
  const Certificates* certificates = nullptr;
};

// All servers of a test program are copies of one, so that they are there at once: they have one system identifier.
// There are superuser "postgres" and user "app" with the database "app" of its own, which log in over TCP with SCRAM.
class PostgresqlServer {
 public:
  explicit PostgresqlServer(PostgresqlOptions options = {});
  // A standby of `primary` under this application_name.
  PostgresqlServer(PostgresqlServer& primary, const std::string& name, PostgresqlOptions options = {});
  ~PostgresqlServer();

  std::uint16_t port() const { return port_.number(); }
  std::string address() const { return "127.0.0.1:" + std::to_string(port()); }
  // Of user "app" for its database, over TCP: "host=127.0.0.1 port=5432 user=app ...".
  std::string connection_string() const;
  // Of the superuser for the same database, over the Unix socket, where no password is asked.
  std::string superuser_connection_string() const;
  // Where its log, its Unix socket and, in "data", its data are.
  const TemporaryFolder& folder() const { return folder_; }
  pid_t pid() const { return process_->pid(); }
  bool is_running() { return process_ && process_->is_running(); }
  // Running and not paused.
  bool answers() { return is_running() && !paused_; }

  static constexpr const char *kUser = "app", *kPassword = "app-password", *kDatabase = "app";
  static constexpr const char *kSuperuser = "postgres", *kSuperuserPassword = "postgres-password";

  // SIGKILL for all its processes: nothing is written any more, connections are lost.
  void kill();
  // Starts it again, on the same port and with the same data, after a kill if need be.
  void restart();
  // As an administrator does: transactions are broken off, what was committed is written. A standby that is connected
  // has to be given everything first, so not while one is paused.
  void stop_fast();
  // SIGSTOP for all its processes: it stays connected and answers nothing, until resume().
  void pause();
  void resume();

  // Of a standby, until it takes writes.
  void promote();
  // Of a standby: replicates from this port of 127.0.0.1 from now on, a gate's for example.
  void follow(std::uint16_t primary_port);

  // As superuser in the database "app", on one connection, which is opened anew when it was lost. See PostgresqlClient.
  Rows query(const std::string& sql, const Row& parameters = {});
  std::string value(const std::string& sql, const Row& parameters = {});
  void must(const std::string& sql) { query(sql); }

 private:
  void configure(const std::string& more);
  void start();
  bool is_ready();
  void end();
  std::string data() const { return folder_ / "data"; }
  std::string primary_conninfo(std::uint16_t primary_port) const;
  PostgresqlClient& client();

  PostgresqlOptions options_;
  std::string name_;  // of a standby
  Port port_;
  TemporaryFolder folder_;
  std::unique_ptr<ChildProcess> process_;
  std::optional<StoppedTree> paused_;
  std::optional<PostgresqlClient> client_;
};

// A primary and its standbys, which are called s1, s2 and so on, connected.
class PostgresqlGroup {
 public:
  // `synchronous` is the primary's synchronous_standby_names: "FIRST 1 (s1, s2)", "ANY 1 (s1, s2)".
  explicit PostgresqlGroup(std::size_t standby_count, const std::string& synchronous = "",
                           PostgresqlOptions options = {});

  PostgresqlServer& primary() { return *servers_.at(primary_); }
  // By its name's number less one, whether it has been promoted or not.
  PostgresqlServer& standby(std::size_t index) { return *servers_.at(index + 1); }
  std::size_t standby_count() const { return servers_.size() - 1; }
  // Until every standby has applied what the primary has written, and those are synchronous that have to be.
  void wait_until_linked();
  // The standby becomes the primary and the other standbys follow it. The old primary is left as it is, running or not,
  // and belongs to the group no more.
  void promote(std::size_t index);

 private:
  std::vector<PostgresqlServer*> followers();

  std::vector<std::unique_ptr<PostgresqlServer>> servers_;
  std::size_t primary_ = 0;
};

}  // namespace holdfast::test
