// Servers are killed, stopped and replaced under load: nothing that was acknowledged is lost, nothing is applied twice,
// calls meanwhile fail at once and say why, and the store answers again soon after the servers do.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "stores/redis/store_testing.h"
#include "support/fault_load.h"
#include "support/redis_cluster.h"
#include "support/redis_sentinel.h"
#include "support/redis_servers.h"

namespace holdfast::stores::redis {
namespace {

using state::Consistency;
using test::Bank;
using test::Crew;
using test::Load;
using test::Outcomes;
using test::rounds;

// A write by a client that connects anew each time: what the server itself can do at that moment.
bool bare_write(std::uint16_t port, const std::string& key) {
  try {
    return !test::RespClient(port, Milliseconds(500)).command({"HSET", key, "data", "1", "version", "1"}).is_error();
  } catch (const std::runtime_error&) {
    return false;
  }
}

// ---- One server

test::RedisOptions durable() { return {.arguments = {"--appendonly", "yes", "--appendfsync", "always"}}; }

Fields impatient(test::RedisServer& server) {
  return {{"redisHost", server.address()}, {"readTimeout", "1s"}, {"dialTimeout", "1s"}};
}

TEST(RedisFaults, AKilledServerLosesNothingThatWasAcknowledged) {
  HOLDFAST_NEEDS_SERVER(test::ServerKind::redis);
  test::RedisServer server(durable());
  Load load(core_of({{"redisHost", server.address()}}), Consistency::unspecified, {"count/1"});
  rounds(3, [&](int) {
    load.go_on();
    server.kill();
    load.expect_quick_refusals({"component \"redis\"", server.address()});
    load.expect_soon_after(
        "killed and started again", [&] { return bare_write(server.port(), "bare"); }, [&] { server.restart(); });
  });
  load.go_on();
  load.finish_and_check();
}

TEST(RedisFaults, AStoppedServerIsNoticedAndTakenBack) {
  HOLDFAST_NEEDS_SERVER(test::ServerKind::redis);
  test::RedisServer server(durable());
  Load load(core_of(impatient(server)), Consistency::unspecified, {"count/1"});
  rounds(3, [&](int) {
    load.go_on();
    server.pause();
    load.expect_quick_refusals({"component \"redis\"", server.address()});
    load.expect_soon_after(
        "stopped and continued", [&] { return bare_write(server.port(), "bare"); }, [&] { server.resume(); });
  });
  load.go_on();
  load.finish_and_check();
}

// Restarted at once, again and again, while replies are on their way.
TEST(RedisFaults, RestartsUnderLoadApplyNothingTwice) {
  HOLDFAST_NEEDS_SERVER(test::ServerKind::redis);
  test::RedisServer server(durable());
  Load load(core_of({{"redisHost", server.address()}}), Consistency::unspecified, {"count/1", "count/2"});
  rounds(10, [&](int) {
    load.go_on(50);
    server.restart();
  });
  load.go_on();
  load.finish_and_check();
}

// ---- Sentinels

Fields fields_of(test::RedisSentinels& sentinels) {
  return {{"redisHost", joined(sentinels.sentinel_addresses())},
          {"failover", "true"},
          {"sentinelMasterName", test::RedisSentinels::kName},
          {"readTimeout", "2s"},
          {"dialTimeout", "1s"}};
}

// A write to whom a sentinel names, on new connections.
bool bare_write_by(test::RedisSentinels& sentinels) {
  try {
    test::RespClient sentinel(sentinels.sentinel(0).port(), Milliseconds(500));
    const test::Answer named = sentinel.command({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", test::RedisSentinels::kName});
    return bare_write(static_cast<std::uint16_t>(std::stoi(std::string(named[1].text()))), "bare");
  } catch (const std::exception&) {
    return false;
  }
}

TEST(RedisFaults, SentinelsFailOverWithoutLossAtStrong) {
  HOLDFAST_NEEDS_SERVER(test::ServerKind::redis);
  test::RedisSentinels sentinels;
  Load load(core_of(fields_of(sentinels)), Consistency::strong, {"count/1", "count/2"});
  const Bank bank("1");
  bank.open(load.stores(), load.context());
  Outcomes moves;
  load.crew().send(8, [&](Crew& crew, state::StateStore& store, Scheduler& loop) {
    return move_money(crew, store, loop, load.context(), bank, moves);
  });
  rounds(3, [&](int round) {
    load.go_on();
    test::RedisServer& old = sentinels.primary();
    const auto another = [&] { return bare_write_by(sentinels); };
    switch (round % 3) {
      case 0:
        sentinels.fail_over();
        break;
      case 1:
        old.kill();
        load.expect_soon_after("primary killed", another, [&] { sentinels.wait_for_failover(old); });
        old.restart();
        break;
      default:
        old.pause();
        load.expect_soon_after("primary stopped", another, [&] { sentinels.wait_for_failover(old); });
        old.resume();
    }
    sentinels.wait_until_ready();
  });
  load.go_on();
  load.finish_and_check();
  bank.check(load.stores());
  std::cout << "transfers: " << moves.text() << "\n";
}

// ---- A cluster

Fields fields_of(test::RedisCluster& cluster) {
  return {{"redisHost", joined(cluster.addresses())},
          {"redisType", "cluster"},
          {"readTimeout", "2s"},
          {"dialTimeout", "1s"}};
}

// A write to whom a node other than `lost` names, on new connections.
bool bare_write_to(test::RedisCluster& cluster, const test::RedisServer& lost, std::uint16_t slot,
                   const std::string& key) {
  try {
    test::RedisServer& asked = &cluster.node(0) == &lost ? cluster.node(1) : cluster.node(0);
    const test::Answer slots = test::RespClient(asked.port(), Milliseconds(500)).command({"CLUSTER", "SLOTS"});
    for (const resp::Value range : slots.root())
      if (range[0].integer() <= slot && slot <= range[1].integer())
        return bare_write(static_cast<std::uint16_t>(range[2][1].integer()), key);
    return false;
  } catch (const std::runtime_error&) {
    return false;
  }
}

TEST(RedisFaults, ASlotThatMovesUnderLoadLosesNothing) {
  HOLDFAST_NEEDS_SERVER(test::ServerKind::redis);
  test::RedisCluster cluster;
  const Bank bank("moving");
  Load load(core_of(fields_of(cluster)), Consistency::unspecified, {"count/{moving}", "count/2"});
  bank.open(load.stores());
  Outcomes moves;
  load.crew().send(8, [&](Crew& crew, state::StateStore& store, Scheduler& loop) {
    return move_money(crew, store, loop, load.context(), bank, moves);
  });
  const std::uint16_t slot = cluster.slot_of(bank.accounts.front());
  rounds(12, [&](int round) {
    test::RedisServer& to = cluster.node(static_cast<std::size_t>(round) % cluster.master_count());
    if (&to == &cluster.master_of(slot)) return;
    test::RedisServer& from = cluster.master_of(slot);
    cluster.begin_move(slot, to);
    load.go_on(50);
    // Some accounts are here and some there: no transaction of both is possible, and each can be read.
    for (std::size_t i = 0; i < bank.accounts.size(); i += 2)
      from.must({"MIGRATE", "127.0.0.1", std::to_string(to.port()), bank.accounts[i], "0", "5000"});
    load.go_on(50);
    cluster.move_keys(slot, to);
    load.go_on(50);
    cluster.end_move(slot, to);
    load.go_on(50);
  });
  load.finish_and_check();
  bank.check(load.stores());
  std::cout << "transfers: " << moves.text() << "\n";
  EXPECT_GT(moves.applied, 0);
  EXPECT_EQ(load.refused(), 0) << "one key can be read and written at every moment of a move";
}

TEST(RedisFaults, AClusterThatLosesAMasterLosesNothingAtStrong) {
  HOLDFAST_NEEDS_SERVER(test::ServerKind::redis);
  test::RedisCluster cluster;
  const Bank bank("lost");
  Load load(core_of(fields_of(cluster)), Consistency::strong, {"count/{lost}", "count/2"}, "probe/{lost}");
  bank.open(load.stores(), load.context());
  Outcomes moves;
  load.crew().send(8, [&](Crew& crew, state::StateStore& store, Scheduler& loop) {
    return move_money(crew, store, loop, load.context(), bank, moves);
  });
  const std::uint16_t slot = cluster.slot_of(bank.accounts.front());
  rounds(2, [&](int round) {
    load.go_on();
    test::RedisServer& old = cluster.master_of(slot);
    // Without one nobody could take over.
    test::require_eventually("a replica", [&] { return old.info("replication", "connected_slaves") == "1"; });
    const bool is_kill = round % 2 == 0;
    is_kill ? old.kill() : old.pause();
    load.expect_soon_after(
        is_kill ? "master killed" : "master stopped", [&] { return bare_write_to(cluster, old, slot, "bare/{lost}"); },
        [&] { cluster.wait_for_failover(slot, old); });
    is_kill ? old.restart() : old.resume();
    cluster.wait_until_ok();
  });
  load.go_on();
  load.finish_and_check();
  bank.check(load.stores());
  std::cout << "transfers: " << moves.text() << "\n";
}

}  // namespace
}  // namespace holdfast::stores::redis
