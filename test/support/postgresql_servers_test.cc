#include "support/postgresql_servers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <thread>

#include "support/eventually.h"
#include "support/tcp_gate.h"

namespace holdfast::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using testing::Truly;

// What `action` throws.
template <class Action>
std::string failure_of(Action action) {
  try {
    action();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "it did not fail";
}

TEST(PostgresqlServer, KeepsRowsAndAnswersWithThem) {
  HOLDFAST_NEEDS_POSTGRESQL();
  PostgresqlServer server;
  EXPECT_THAT(server.value("SHOW server_version"), StartsWith("15."));
  server.must("CREATE TABLE t (k text PRIMARY KEY, v int); INSERT INTO t VALUES ('a', 1)");
  EXPECT_TRUE(server.query("INSERT INTO t VALUES ($1, $2)", {"b", std::nullopt}).empty());
  EXPECT_THAT(server.query("SELECT k, v FROM t ORDER BY k"),
              ElementsAre(ElementsAre("a", "1"), ElementsAre("b", std::nullopt)));
  EXPECT_THAT(failure_of([&] { server.must("INSERT INTO t VALUES ('a', 2)"); }),
              AllOf(HasSubstr("INSERT"), HasSubstr("SQLSTATE 23505")));
}

TEST(PostgresqlServer, UserOfTheApplicationLogsInWithItsPasswordAndOwnsItsDatabase) {
  HOLDFAST_NEEDS_POSTGRESQL();
  PostgresqlServer server;
  PostgresqlClient client(server.connection_string());
  EXPECT_THAT(
      client.query("SELECT current_user, current_database(), rolsuper FROM pg_roles WHERE rolname = current_user"),
      ElementsAre(ElementsAre("app", "app", "f")));
  client.query("CREATE SCHEMA s CREATE TABLE t (k text)");
  EXPECT_THAT(server.value("SELECT rolpassword FROM pg_authid WHERE rolname = 'app'"), StartsWith("SCRAM-SHA-256$"));
  EXPECT_THAT(failure_of([&] { PostgresqlClient(server.connection_string() + " password=wrong"); }),
              HasSubstr("password authentication failed"));
}

TEST(PostgresqlServer, KilledWithItsProcessesItComesBackAtOnceWithWhatWasCommitted) {
  HOLDFAST_NEEDS_POSTGRESQL();
  PostgresqlServer server({.fsync = true});
  EXPECT_EQ(server.value("SHOW fsync"), "on");
  server.must("CREATE TABLE t (k int)");
  const std::uint16_t port = server.port();
  for (int round = 1; round <= 3; ++round) {
    server.query("INSERT INTO t VALUES ($1)", {std::to_string(round)});
    PostgresqlClient other(server.connection_string());
    const std::vector<pid_t> processes = descendants_of(server.pid());
    EXPECT_THAT(processes, Contains(other.backend_pid()));
    server.kill();
    EXPECT_FALSE(server.is_running());
    EXPECT_THAT(processes, Each(Truly(has_ended)));
    EXPECT_THROW(PostgresqlClient(server.connection_string()), std::runtime_error);
    server.restart();
    EXPECT_EQ(server.port(), port);
    EXPECT_EQ(server.value("SELECT max(k) FROM t"), std::to_string(round));
  }
}

TEST(PostgresqlServer, StoppedOrderlyItComesBackWithoutRecovery) {
  HOLDFAST_NEEDS_POSTGRESQL();
  PostgresqlServer server;
  server.must("CREATE TABLE t (k int)");
  server.stop_fast();
  EXPECT_FALSE(server.is_running());
  server.restart();
  EXPECT_EQ(server.value("SELECT count(*) FROM t"), "0");
  EXPECT_THAT(read_file(server.folder() / "log"), Not(HasSubstr("automatic recovery in progress")));
}

TEST(PostgresqlServer, PausedItAnswersNothingAndResumedEverything) {
  HOLDFAST_NEEDS_POSTGRESQL();
  PostgresqlServer server;
  PostgresqlClient client(server.connection_string());
  server.pause();
  EXPECT_FALSE(server.answers());
  EXPECT_THAT(failure_of([&] { server.must("SELECT 1"); }), HasSubstr("paused"));
  std::future<std::string> answer = std::async(std::launch::async, [&] { return client.value("SELECT 1"); });
  EXPECT_THAT(descendants_of(server.pid()), AllOf(Contains(client.backend_pid()), Each(Truly(is_stopped))));
  server.resume();
  EXPECT_EQ(answer.get(), "1");
  EXPECT_EQ(server.value("SELECT 2"), "2");
}

TEST(PostgresqlServer, KilledWhilePausedItComesBack) {
  HOLDFAST_NEEDS_POSTGRESQL();
  PostgresqlServer server;
  const std::vector<pid_t> processes = descendants_of(server.pid());
  server.pause();
  server.kill();
  EXPECT_THAT(processes, Each(Truly(has_ended)));
  server.restart();
  EXPECT_TRUE(server.answers());
  EXPECT_EQ(server.value("SELECT 1"), "1");
}

TEST(PostgresqlServer, ThatCannotStartSaysWhatItsLogSays) {
  HOLDFAST_NEEDS_POSTGRESQL();
  EXPECT_THAT(failure_of([] { PostgresqlServer server({.settings = {"no_such_setting = 1"}}); }),
              HasSubstr("no_such_setting"));
}

TEST(PostgresqlServer, LineOfAccessComesBeforeItsOwn) {
  HOLDFAST_NEEDS_POSTGRESQL();
  PostgresqlServer server({.access = {"host app app 127.0.0.1/32 reject"}});
  EXPECT_THAT(failure_of([&] { PostgresqlClient(server.connection_string()); }), HasSubstr("rejects connection"));
}

// All its processes, those of connections too, whether they run or are paused.
TEST(PostgresqlServer, EndsWithTheThreadThatStartedIt) {
  HOLDFAST_NEEDS_POSTGRESQL();
  for (const bool paused : {false, true}) {
    std::unique_ptr<PostgresqlServer> server;
    std::unique_ptr<PostgresqlClient> client;
    std::vector<pid_t> processes;
    std::thread([&] {
      server = std::make_unique<PostgresqlServer>();
      client = std::make_unique<PostgresqlClient>(server->connection_string());
      processes = descendants_of(server->pid());
      if (paused) server->pause();
    }).join();
    EXPECT_THAT(processes, Contains(client->backend_pid()));
    EXPECT_TRUE(eventually([&] { return !server->is_running(); }));
    EXPECT_TRUE(eventually([&] { return std::ranges::all_of(processes, has_ended); })) << "paused: " << paused;
  }
}

TEST(PostgresqlServer, SpeaksTlsWithACertificateOfItsAuthority) {
  HOLDFAST_NEEDS_POSTGRESQL();
  const TemporaryFolder folder;
  const Certificates certificates(folder.path());
  write_file(folder / "other.pem", certificates.other);
  PostgresqlServer server({.access = {"hostssl app app 127.0.0.1/32 scram-sha-256", "host app app all reject"},
                           .certificates = &certificates});
  const std::string strict = server.connection_string() + " sslmode=verify-full sslrootcert=";
  PostgresqlClient client(strict + certificates.authority_file);
  EXPECT_EQ(client.value("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"), "t");
  EXPECT_THAT(failure_of([&] { PostgresqlClient{strict + (folder / "other.pem")}; }),
              HasSubstr("certificate verify failed"));
  EXPECT_THAT(failure_of([&] { PostgresqlClient(server.connection_string() + " sslmode=disable"); }),
              HasSubstr("rejects connection"));
}

TEST(PostgresqlServer, ChecksTheCertificateThatAClientShows) {
  HOLDFAST_NEEDS_POSTGRESQL();
  const TemporaryFolder folder;
  const Certificates certificates(folder.path());
  PostgresqlServer server(
      {.access = {"hostssl app app 127.0.0.1/32 scram-sha-256 clientcert=verify-ca"}, .certificates = &certificates});
  const std::string nameless = server.connection_string() + " sslmode=require sslcert=";
  EXPECT_THAT(failure_of([&] { PostgresqlClient(nameless + (folder / "none")); }),
              HasSubstr("requires a valid client certificate"));
  PostgresqlClient client(nameless + (folder / "client.crt") + " sslkey=" + (folder / "client.key"));
  EXPECT_EQ(client.value("SELECT client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()"), "/CN=client");
}

TEST(PostgresqlGroup, StandbyHasWhatThePrimaryHasAndTakesNoWrites) {
  HOLDFAST_NEEDS_POSTGRESQL();
  PostgresqlGroup group(1);
  group.primary().must("CREATE TABLE t AS SELECT 1 AS k");
  group.wait_until_linked();
  EXPECT_EQ(group.standby(0).value("SELECT k FROM t"), "1");
  EXPECT_EQ(group.primary().value("SELECT application_name FROM pg_stat_replication"), "s1");
  EXPECT_THAT(failure_of([&] { group.standby(0).must("INSERT INTO t VALUES (2)"); }), HasSubstr("SQLSTATE 25006"));
}

// A commit on the primary, which may have to wait for a standby.
class Commit {
 public:
  Commit(PostgresqlServer& primary, const std::string& sql) : client_(primary.connection_string()) {
    done_ = std::async(std::launch::async, [this, sql] { client_.query(sql); });
  }
  bool is_done() const { return done_.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
  void wait() { done_.get(); }
  bool waits_for_a_standby(PostgresqlServer& primary) {
    return primary.value("SELECT wait_event FROM pg_stat_activity WHERE pid = $1",
                         {std::to_string(client_.backend_pid())}) == "SyncRep";
  }

 private:
  PostgresqlClient client_;
  std::future<void> done_;
};

TEST(PostgresqlGroup, CommitWaitsWhileTheSynchronousStandbyIsPausedAndGoesThroughAfter) {
  HOLDFAST_NEEDS_POSTGRESQL();
  PostgresqlGroup group(1, "FIRST 1 (s1)");
  group.standby(0).pause();
  Commit commit(group.primary(), "CREATE TABLE t (k int)");
  ASSERT_TRUE(eventually([&] { return commit.waits_for_a_standby(group.primary()); }));
  EXPECT_FALSE(commit.is_done());
  group.standby(0).resume();
  commit.wait();
  EXPECT_EQ(group.primary().value("SELECT count(*) FROM t"), "0");
}

TEST(PostgresqlGroup, AnyOfTwoStandbysIsEnough) {
  HOLDFAST_NEEDS_POSTGRESQL();
  PostgresqlGroup group(2, "ANY 1 (s1, s2)");
  group.standby(0).pause();
  group.primary().must("CREATE TABLE t (k int)");
  group.standby(1).pause();
  Commit commit(group.primary(), "CREATE TABLE u (k int)");
  ASSERT_TRUE(eventually([&] { return commit.waits_for_a_standby(group.primary()); }));
  group.standby(0).resume();
  commit.wait();
  group.standby(1).resume();
  group.wait_until_linked();
  EXPECT_EQ(group.standby(1).value("SELECT count(*) FROM u"), "0");
}

TEST(PostgresqlGroup, PromotedStandbyTakesWritesAndTheOtherFollowsIt) {
  HOLDFAST_NEEDS_POSTGRESQL();
  PostgresqlGroup group(2, "FIRST 1 (s1, s2)");
  PostgresqlServer& old = group.primary();
  old.must("CREATE TABLE t (k int)");
  old.kill();
  group.promote(0);
  EXPECT_EQ(&group.primary(), &group.standby(0));
  group.primary().must("INSERT INTO t VALUES (1)");
  group.wait_until_linked();
  EXPECT_EQ(group.standby(1).value("SELECT k FROM t"), "1");
  old.restart();
  EXPECT_EQ(old.value("SELECT pg_is_in_recovery()"), "f");
  EXPECT_EQ(old.value("SELECT count(*) FROM t"), "0");
}

TEST(PostgresqlGroup, StandbyFollowsThroughAGate) {
  HOLDFAST_NEEDS_POSTGRESQL();
  PostgresqlGroup group(1);
  TcpGate gate(group.primary().port());
  group.standby(0).follow(gate.port());
  ASSERT_TRUE(eventually([&] { return gate.connections() == 1; }));
  group.wait_until_linked();
  gate.stall(true);
  group.primary().must("CREATE TABLE t (k int)");
  EXPECT_THAT(failure_of([&] { group.standby(0).must("SELECT * FROM t"); }), HasSubstr("SQLSTATE 42P01"));
  gate.stall(false);
  group.wait_until_linked();
  EXPECT_EQ(group.standby(0).value("SELECT count(*) FROM t"), "0");
}

}  // namespace
}  // namespace holdfast::test
