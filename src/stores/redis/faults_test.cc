// Servers are killed, stopped and replaced under load: nothing that was acknowledged is lost, nothing is applied twice,
// calls meanwhile fail at once and say why, and the store answers again soon after the servers do.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <future>
#include <list>

#include "stores/redis/workers_testing.h"
#include "support/redis_cluster.h"
#include "support/redis_sentinel.h"
#include "support/redis_servers.h"

namespace holdfast::stores::redis {
namespace {

using state::Consistency;

constexpr Milliseconds kSoon{1000};            // the aim, which is printed
constexpr Milliseconds kAtLatest{10'000};      // else the test fails
constexpr std::uint64_t kWritesBetween = 200;  // acknowledged, between two faults

std::int64_t ms(std::chrono::steady_clock::duration time) {
  return std::chrono::duration_cast<Milliseconds>(time).count();
}

// When something works again, looked for on a thread of its own.
class FirstSuccess {
 public:
  explicit FirstSuccess(std::function<bool()> works) {
    when_ = std::async(std::launch::async, [works = std::move(works)] {
      test::require_eventually("an answer", works);
      return std::chrono::steady_clock::now();
    });
  }
  SteadyTime when() { return when_.get(); }

 private:
  std::future<SteadyTime> when_;
};

// A write by a client that connects anew each time: what the server itself can do at that moment.
bool bare_write(std::uint16_t port, const std::string& key) {
  try {
    return !test::RespClient(port, Milliseconds(500)).command({"HSET", key, "data", "1", "version", "1"}).is_error();
  } catch (const std::runtime_error&) {
    return false;
  }
}

// Registers and counters, written by workers on two loops.
class Load {
 public:
  Load(const Fields& fields, Consistency level, std::vector<std::string> counters, std::string probe = "probe")
      : stores_(fields, 2),
        context_(at_level(level)),
        counters_(std::move(counters)),
        probe_(std::move(probe)),
        crew_(stores_) {
    for (std::size_t i = 0; i < kRegisters; ++i) registers_.push_back({.key = "register/" + std::to_string(i)});
    for (const std::string& key : counters_) {
      counts_.emplace_back();
      set("the counter " + key, key, "0");
    }
    for (Register& each : registers_)
      crew_.send(1, [&](Crew& crew, state::StateStore& store, Scheduler& loop) {
        return write_register(crew, store, loop, context_, each, written_);
      });
    auto counts = counts_.begin();
    for (const std::string& key : counters_) {
      Outcomes& outcomes = *counts++;
      crew_.send(4, [&](Crew& crew, state::StateStore& store, Scheduler& loop) {
        return count_up(crew, store, loop, context_, key, outcomes);
      });
    }
  }

  Stores& stores() { return stores_; }
  Crew& crew() { return crew_; }
  const state::CallContext& context() const { return context_; }

  // Until so many more writes were acknowledged.
  void go_on(std::uint64_t writes = kWritesBetween) {
    const std::uint64_t before = acknowledged();
    test::require_eventually("more writes", [&] { return acknowledged() >= before + writes; });
  }
  std::uint64_t acknowledged() const {
    std::uint64_t sum = written_.applied;
    for (const Outcomes& each : counts_) sum += each.applied;
    return sum;
  }
  std::uint64_t refused() const {
    std::uint64_t sum = written_.refused + written_.unknown;
    for (const Outcomes& each : counts_) sum += each.refused + each.unknown;
    return sum;
  }

  void finish_and_check() {
    crew_.finish();
    for (const Register& each : registers_) check_register(stores_, each);
    auto counts = counts_.begin();
    for (const std::string& key : counters_) check_counter(stores_, key, *counts++);
    std::cout << "registers: " << written_.text() << "\n";
    for (const Outcomes& each : counts_) std::cout << "a counter: " << each.text() << "\n";
  }

  // A try of one write, as a caller sees it.
  bool answers() { return stores_.set(save(probe_, "1")).has_value(); }

  // The server has been away for a while: each call ends at once with a message that says who, where and why.
  void expect_quick_refusals(const std::string& address) {
    const auto began = std::chrono::steady_clock::now();
    test::require_eventually("the loss to be noticed", [&] { return !answers(); });
    const auto noticed = std::chrono::steady_clock::now();
    // The first of these may still be sent, a moment before the connection is given up.
    test::require_eventually("a clear refusal", [&] {
      const auto written = stores_.set(save(probe_, "1"));
      return !written && written.error().code == Errc::unavailable;
    });
    const auto clear = std::chrono::steady_clock::now();
    std::cout << "noticed after " << ms(noticed - began) << " ms, clear " << ms(clear - noticed) << " ms later; ";
    EXPECT_LT(clear - noticed, Milliseconds(400)) << "calls wait although the server is known to be away";
    std::vector<std::int64_t> took;
    Error last;
    for (int i = 0; i < 40; ++i) {
      const auto began = std::chrono::steady_clock::now();
      const auto written = stores_.set(save(probe_, "1"));
      took.push_back(ms(std::chrono::steady_clock::now() - began));
      ASSERT_FALSE(written) << "there is no server";
      last = written.error();
      EXPECT_EQ(last.code, Errc::unavailable) << last.message;
    }
    std::ranges::sort(took);
    std::cout << "refused within " << took[took.size() / 2] << " ms, at most " << took.back() << " ms: " << last.message
              << "\n";
    EXPECT_LT(took[took.size() * 9 / 10], 100);
    EXPECT_LT(took.back(), 1000);
    for (const std::string& part : {std::string("component \"redis\""), address, std::string(": ")})
      EXPECT_NE(last.message.find(part), std::string::npos) << last.message;
  }

  // `mend` brings the servers back; prints how much later than `bare` the store answers.
  void expect_soon_after(const std::string& what, const std::function<bool()>& bare,
                         const std::function<void()>& mend) {
    FirstSuccess theirs(bare);
    FirstSuccess ours([this] { return answers(); });
    mend();
    const auto late = std::chrono::duration_cast<Milliseconds>(ours.when() - theirs.when());
    std::cout << what << ": the store answered " << late.count() << " ms after a bare client\n";
    EXPECT_LT(late, kAtLatest);
    if (late > kSoon) std::cout << "  that is more than the " << kSoon.count() << " ms we aim at\n";
  }

 private:
  static constexpr std::size_t kRegisters = 8;

  void set(const std::string& what, const std::string& key, const std::string& value) {
    const auto written = stores_.set(save(key, value), context_);
    if (!written) throw std::runtime_error(what + ": " + written.error().message);
  }

  Stores stores_;
  const state::CallContext context_;
  const std::vector<std::string> counters_;
  const std::string probe_;
  std::vector<Register> registers_;
  Outcomes written_;
  std::list<Outcomes> counts_;
  Crew crew_;
};

// Rounds of a fault, for as long as the load lasts; at least `rounds`.
template <class Round>
void rounds(int at_least, Round round) {
  const SteadyTime end = std::chrono::steady_clock::now() + load_time(Milliseconds(0));
  for (int i = 0; (i < at_least || std::chrono::steady_clock::now() < end) && !testing::Test::HasFailure(); ++i)
    round(i);
}

// ---- One server

test::RedisOptions durable() { return {.arguments = {"--appendonly", "yes", "--appendfsync", "always"}}; }

Fields impatient(test::RedisServer& server) {
  return {{"redisHost", server.address()}, {"readTimeout", "1s"}, {"dialTimeout", "1s"}};
}

TEST(RedisFaults, AKilledServerLosesNothingThatWasAcknowledged) {
  HOLDFAST_NEEDS_SERVER(test::ServerKind::redis);
  test::RedisServer server(durable());
  Load load({{"redisHost", server.address()}}, Consistency::unspecified, {"count/1"});
  rounds(3, [&](int) {
    load.go_on();
    server.kill();
    load.expect_quick_refusals(server.address());
    load.expect_soon_after(
        "killed and started again", [&] { return bare_write(server.port(), "bare"); }, [&] { server.restart(); });
  });
  load.go_on();
  load.finish_and_check();
}

TEST(RedisFaults, AStoppedServerIsNoticedAndTakenBack) {
  HOLDFAST_NEEDS_SERVER(test::ServerKind::redis);
  test::RedisServer server(durable());
  Load load(impatient(server), Consistency::unspecified, {"count/1"});
  rounds(3, [&](int) {
    load.go_on();
    server.pause();
    load.expect_quick_refusals(server.address());
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
  Load load({{"redisHost", server.address()}}, Consistency::unspecified, {"count/1", "count/2"});
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
  Load load(fields_of(sentinels), Consistency::strong, {"count/1", "count/2"});
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
  Load load(fields_of(cluster), Consistency::unspecified, {"count/{moving}", "count/2"});
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
  Load load(fields_of(cluster), Consistency::strong, {"count/{lost}", "count/2"}, "probe/{lost}");
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
