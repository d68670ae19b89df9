// Servers are killed, stopped, cut off and restarted under load: nothing that was acknowledged is lost, nothing is
// applied twice, calls meanwhile fail at once and say why, and the store answers again soon after the servers do.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "stores/etcd/store_testing.h"
#include "support/fault_load.h"
#include "support/tcp_gate.h"

namespace holdfast::stores::etcd {
namespace {

using state::Consistency;
using test::Bank;
using test::Crew;
using test::Load;
using test::Outcomes;
using test::rounds;

// A write by a client that connects anew each time: what the servers themselves can do at that moment.
bool bare_write(test::EtcdCluster& cluster) {
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    test::EtcdLogin login = cluster.login(i);
    login.patience = Milliseconds(500);
    try {
      test::EtcdClient(login).put("/bare", "1");
      return true;
    } catch (const std::exception&) {
    }
  }
  return false;
}

TEST(EtcdFaults, AKilledServerLosesNothingThatWasAcknowledged) {
  HOLDFAST_NEEDS_ETCD(test::EtcdVersion::v3_5);
  test::EtcdCluster server({.fsync = true}, 1);
  Load load(core_of(kEtcdV2Type, {{"endpoints", server.endpoints()}}), Consistency::unspecified, {"count/1"});
  rounds(3, [&](int) {
    load.go_on();
    server.kill(0);
    load.expect_quick_refusals({"component \"etcd\"", server.address(0)});
    load.expect_soon_after("killed and started again", [&] { return bare_write(server); }, [&] { server.restart(0); });
  });
  load.go_on();
  load.finish_and_check();
}

TEST(EtcdFaults, AStoppedServerIsNoticedAndTakenBack) {
  HOLDFAST_NEEDS_ETCD(test::EtcdVersion::v3_5);
  test::EtcdCluster server({}, 1);
  Load load(core_of(kEtcdV2Type, {{"endpoints", server.endpoints()}, {"timeout", "2s"}, {"dialTimeout", "1s"}}),
            Consistency::unspecified, {"count/1"});
  rounds(3, [&](int) {
    load.go_on();
    server.pause(0);
    load.expect_quick_refusals({"component \"etcd\"", server.address(0)}, Milliseconds(4000));
    load.expect_soon_after("stopped and continued", [&] { return bare_write(server); }, [&] { server.resume(0); });
  });
  load.go_on();
  load.finish_and_check();
}

Fields fields_of(test::EtcdCluster& cluster) {
  return {{"endpoints", cluster.endpoints()}, {"timeout", "2s"}, {"dialTimeout", "1s"}};
}

TEST(EtcdFaults, AClusterWhoseLeaderGoesLosesNothing) {
  HOLDFAST_NEEDS_ETCD(test::EtcdVersion::v3_5);
  test::EtcdCluster cluster;
  // A stopped leader has what was passed on to it, and passes it on when it goes on.
  Load load(core_of(kEtcdV2Type, fields_of(cluster)), Consistency::unspecified, {"count/1", "count/2"}, "probe",
            test::Unknown::may_come_late);
  const Bank bank("1");
  bank.open(load.stores(), load.context());
  Outcomes moves;
  load.crew().send(8, [&](Crew& crew, state::StateStore& store, Scheduler& loop) {
    return move_money(crew, store, loop, load.context(), bank, moves);
  });
  rounds(4, [&](int round) {
    load.go_on();
    const std::size_t old = cluster.leader();
    const auto expect_another = [&](const std::string& what) {
      load.expect_soon_after(what, [&] { return bare_write(cluster); }, [] {});
    };
    switch (round % 4) {
      case 0:
        cluster.kill(old);
        expect_another("leader killed");
        cluster.restart(old);
        break;
      case 1:
        cluster.pause(old);
        expect_another("leader stopped");
        cluster.resume(old);
        break;
      case 2: {
        // Not the leader: who is asked is told so by nobody.
        const std::size_t other = (old + 1) % cluster.size();
        cluster.pause(other);
        expect_another("a follower stopped");
        cluster.resume(other);
        break;
      }
      default:
        for (std::size_t i = 0; i < cluster.size(); ++i) cluster.kill(i);
        load.expect_soon_after(
            "all killed and started again", [&] { return bare_write(cluster); },
            [&] {
              for (std::size_t i = 0; i < cluster.size(); ++i) cluster.restart(i);
            });
    }
    cluster.wait_until_healthy();
  });
  load.go_on();
  load.finish_and_check();
  bank.check(load.stores());
  std::cout << "transfers: " << moves.text() << "\n";
}

// A member that lost the others: its network does, and it goes on.
TEST(EtcdFaults, AMemberWithoutAMajorityRefusesWritesAndMayStillBeRead) {
  HOLDFAST_NEEDS_ETCD(test::EtcdVersion::v3_5);
  test::EtcdCluster cluster;
  test::Stores stores(core_of(kEtcdV2Type, {{"endpoints", cluster.address(0)}, {"timeout", "2s"}}));
  ASSERT_TRUE(stores.set(test::save("k", "v")));
  test::require_eventually("the member to have it", [&] {
    const auto got = stores.ask(
        [](state::StateStore& store) { return store.get(test::at_level(Consistency::eventual), {.key = "k"}); });
    return got && *got;
  });
  cluster.kill(1);
  cluster.kill(2);
  test::require_eventually("a refusal for want of a leader", [&] {
    const auto written = stores.set(test::save("k", "w"));
    return !written && written.error().code == Errc::unavailable &&
           written.error().message.find("majority") != std::string::npos;
  });
  const auto strong = stores.get("k");
  EXPECT_FALSE(strong) << "a strong reading needs a majority";
  const auto behind = stores.ask(
      [](state::StateStore& store) { return store.get(test::at_level(Consistency::eventual), {.key = "k"}); });
  ASSERT_TRUE(behind) << behind.error().message;
  ASSERT_TRUE(*behind);
  EXPECT_EQ((**behind).value, "v");
  cluster.restart(1);
  cluster.restart(2);
  test::require_eventually("writes again", [&] { return stores.set(test::save("k", "x")).has_value(); });
}

}  // namespace
}  // namespace holdfast::stores::etcd
