#include "support/postgresql_servers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "support/eventually.h"

namespace holdfast::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;
using testing::StartsWith;

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
    EXPECT_THAT(processes, testing::Contains(other.backend_pid()));
    server.kill();
    EXPECT_FALSE(server.is_running());
    EXPECT_THAT(processes, testing::Each(testing::Truly(has_ended)));
    EXPECT_THROW(PostgresqlClient(server.connection_string()), std::runtime_error);
    server.restart();
    EXPECT_EQ(server.port(), port);
    EXPECT_EQ(server.value("SELECT max(k) FROM t"), std::to_string(round));
  }
}

}  // namespace
}  // namespace holdfast::test
