// A primary and two standbys: who serves which level, what a commit waits for, and what is left of it after a failover.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stores/postgresql/store_testing.h"
#include "support/eventually.h"
#include "support/postgresql_servers.h"
#include "support/test_loop.h"

namespace holdfast::stores::postgresql {
namespace {

using state::CallContext;
using state::Consistency;
using state::Position;

std::string hosts_of(test::PostgresqlGroup& group) {
  std::string hosts;
  std::string ports;
  const auto add = [&](test::PostgresqlServer& server) {
    hosts += (hosts.empty() ? "" : ",") + std::string("127.0.0.1");
    ports += (ports.empty() ? "" : ",") + std::to_string(server.port());
  };
  add(group.primary());
  for (std::size_t i = 0; i < group.standby_count(); ++i) add(group.standby(i));
  return "host=" + hosts + " port=" + ports + " user=" + test::PostgresqlServer::kUser +
         " password=" + test::PostgresqlServer::kPassword + " dbname=" + test::PostgresqlServer::kDatabase;
}

// One handle, on the group.
class Sidecar {
 public:
  explicit Sidecar(test::PostgresqlGroup& group, Layout layout = Layout::v2) {
    const Fields fields{{"connectionString", hosts_of(group)}};
    auto opened = test::LoopStore::open(core_of(fields, layout), thread_, loop_);
    if (!opened) throw std::runtime_error(opened.error().message);
    store_ = std::move(*opened);
  }
  ~Sidecar() {
    CallContext soon;
    soon.deadline = std::chrono::steady_clock::now() + Milliseconds(500);
    (void)loop_.run(store_->close(soon));
  }

  Result<state::Written> set(std::string_view key, std::string_view value, CallContext context = {}) {
    state::SetRequest request;
    request.key = key;
    request.value = value;
    return loop_.run(store_->set(context, request));
  }
  std::string get(std::string_view key, CallContext context = {}) {
    const auto got = loop_.run(store_->get(context, {.key = key}));
    if (!got) throw std::runtime_error(got.error().message);
    return *got ? (**got).value : "";
  }
  state::StateStore& store() { return *store_; }
  test::TestLoop& loop() { return loop_; }

 private:
  test::LoopThread thread_;
  test::TestLoop loop_;
  std::unique_ptr<state::StateStore> store_;
};

CallContext at(Consistency level, Position* position = nullptr, Milliseconds time = Milliseconds(20'000)) {
  CallContext context;
  context.consistency = level;
  context.position = position;
  context.deadline = std::chrono::steady_clock::now() + time;
  return context;
}

class PostgresqlStandbysTest : public testing::Test {
 protected:
  void SetUp() override { HOLDFAST_NEEDS_POSTGRESQL(); }

  // Until the level is served by a standby: one is connected to in the background.
  static void await_standby(Sidecar& sidecar, test::PostgresqlGroup& group) {
    ASSERT_TRUE(sidecar.set("probe", "old"));
    group.wait_until_linked();
    hold_replay(group, true);
    ASSERT_TRUE(sidecar.set("probe", "new", at(Consistency::session)));
    test::require_eventually("a standby serves",
                             [&] { return sidecar.get("probe", at(Consistency::eventual)) == "old"; });
    hold_replay(group, false);
  }
  static void hold_replay(test::PostgresqlGroup& group, bool held) {
    for (std::size_t i = 0; i < group.standby_count(); ++i)
      group.standby(i).must(held ? "SELECT pg_wal_replay_pause()" : "SELECT pg_wal_replay_resume()");
  }
};

TEST_F(PostgresqlStandbysTest, WhatMayLagIsReadFromStandbysAndASessionSeesItsOwnWrites) {
  test::PostgresqlGroup group(2, "FIRST 1 (s1, s2)");
  Sidecar sidecar(group);
  Sidecar other(group);
  await_standby(sidecar, group);
  await_standby(other, group);
  ASSERT_TRUE(sidecar.set("k", "old", at(Consistency::strong)));
  group.wait_until_linked();
  hold_replay(group, true);
  Position position;
  ASSERT_TRUE(sidecar.set("k", "new", at(Consistency::session, &position)));
  EXPECT_FALSE(position.empty());
  for (Sidecar* each : {&sidecar, &other}) {
    EXPECT_EQ(each->get("k", at(Consistency::eventual)), "old");
    EXPECT_EQ(each->get("k", at(Consistency::consistent_prefix)), "old");
    EXPECT_EQ(each->get("k", at(Consistency::bounded_staleness)), "new");
    EXPECT_EQ(each->get("k", at(Consistency::strong)), "new");
    EXPECT_EQ(each->get("k"), "new");
    Position copy = position;
    EXPECT_EQ(each->get("k", at(Consistency::session, &copy)), "new");
    // Who has seen nothing may be shown what is old.
    Position fresh;
    EXPECT_EQ(each->get("k", at(Consistency::session, &fresh)), "old");
  }
  hold_replay(group, false);
  test::require_eventually("the standbys show it",
                           [&] { return sidecar.get("k", at(Consistency::eventual)) == "new"; });
}

// What a caller has read it does not lose sight of, wherever it asks next.
TEST_F(PostgresqlStandbysTest, ASessionNeverGoesBackBehindWhatItHasRead) {
  test::PostgresqlGroup group(2, "FIRST 1 (s1, s2)");
  Sidecar sidecar(group);
  await_standby(sidecar, group);
  ASSERT_TRUE(sidecar.set("k", "old", at(Consistency::strong)));
  group.wait_until_linked();
  hold_replay(group, true);
  ASSERT_TRUE(sidecar.set("k", "new", at(Consistency::session)));
  Position position;
  EXPECT_EQ(sidecar.get("k", at(Consistency::strong, &position)), "new");
  EXPECT_EQ(sidecar.get("k", at(Consistency::session, &position)), "new");
  hold_replay(group, false);
}

TEST_F(PostgresqlStandbysTest, AStrongWriteWithoutItsStandbyStandsAndSaysSo) {
  test::PostgresqlGroup group(2, "FIRST 2 (s1, s2)");
  Sidecar sidecar(group);
  ASSERT_TRUE(sidecar.set("k", "1", at(Consistency::strong)));
  group.standby(1).pause();
  // On a busy machine the server may hear of the end of the waiting too late to tell.
  test::require_eventually("a write that says that it is short", [&] {
    const auto written = sidecar.set("k", "2", at(Consistency::strong, nullptr, Milliseconds(2000)));
    if (written) throw std::runtime_error("a standby that is paused has confirmed a write");
    EXPECT_THAT(written.error().code, testing::AnyOf(Errc::replication_shortfall, Errc::outcome_unknown));
    return written.error().code == Errc::replication_shortfall;
  });
  // It stands, and nobody else had to wait.
  EXPECT_EQ(sidecar.get("k"), "2");
  ASSERT_TRUE(sidecar.set("other", "1", at(Consistency::session)));
  EXPECT_EQ(sidecar.get("other"), "1");
  group.standby(1).resume();
  test::require_eventually("strong writes go through again", [&] {
    return sidecar.set("k", "3", at(Consistency::strong, nullptr, Milliseconds(2000))).has_value();
  });
  EXPECT_EQ(sidecar.get("k"), "3");
}

TEST_F(PostgresqlStandbysTest, AfterAFailoverNothingThatWaitedForAStandbyIsLost) {
  for (const Layout layout : {Layout::v1, Layout::v2}) {
    test::PostgresqlGroup group(2, "FIRST 1 (s1, s2)");
    Sidecar sidecar(group, layout);
    Position position;
    ASSERT_TRUE(sidecar.set("k", "1", at(Consistency::strong, &position)));
    group.wait_until_linked();
    group.primary().kill();
    group.promote(0);
    group.primary().must("ALTER SYSTEM SET synchronous_standby_names = 's2'");
    group.primary().must("SELECT pg_reload_conf()");
    test::require_eventually("writes on the new primary", [&] {
      return sidecar.set("after", "1", at(Consistency::session, &position, Milliseconds(2000))).has_value();
    });
    EXPECT_EQ(sidecar.get("k"), "1");
    // The session's place on the old timeline says nothing of the new one.
    EXPECT_EQ(sidecar.get("k", at(Consistency::session, &position)), "1");
    EXPECT_EQ(sidecar.get("after", at(Consistency::session, &position)), "1");
    EXPECT_EQ(position.reached().size(), 2u);
  }
}

TEST_F(PostgresqlStandbysTest, WithoutAnyStandbyReadingsGoToThePrimary) {
  test::PostgresqlGroup group(1, "");
  Sidecar sidecar(group);
  group.standby(0).kill();
  ASSERT_TRUE(sidecar.set("k", "1"));
  for (const auto level : {Consistency::eventual, Consistency::session, Consistency::strong})
    EXPECT_EQ(sidecar.get("k", at(level)), "1");
}

TEST_F(PostgresqlStandbysTest, ALevelThatTheServersCannotGiveIsRefused) {
  test::PostgresqlGroup group(2, "ANY 1 (s1, s2, gone1, gone2)");
  Sidecar sidecar(group);
  ASSERT_TRUE(sidecar.set("k", "1", at(Consistency::session)));
  for (const auto level : {Consistency::quorum, Consistency::strong}) {
    const auto refused = sidecar.set("k", "2", at(level));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::unsupported);
  }
  EXPECT_EQ(sidecar.get("k", at(Consistency::strong)), "1");
}

}  // namespace
}  // namespace holdfast::stores::postgresql
