// The levels between eventual and strong, against replicas that lag: two sidecars, a primary, and two replicas whose
// links are held up at random.
//
// Each promise has its counter-proof: the same histories at eventual break it, so the lag is there to be found.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <thread>

#include "base/random.h"
#include "service/session.h"
#include "stores/redis/store_testing.h"
#include "support/load.h"
#include "support/redis_servers.h"
#include "support/tcp_gate.h"

namespace holdfast::stores::redis {
namespace {

using state::CallContext;
using state::Consistency;
using state::Position;
using test::load_time;
using test::save;
using test::Stores;

constexpr std::size_t kReplicas = 2;

std::chrono::steady_clock::time_point now() { return std::chrono::steady_clock::now(); }

// A primary with replicas behind gates, and the load of nobody.
class Lagging {
 public:
  Lagging() {
    for (std::size_t i = 0; i < kReplicas; ++i) {
      gates_.push_back(std::make_unique<test::TcpGate>(group_.primary().port()));
      group_.replica(i).must({"REPLICAOF", "127.0.0.1", std::to_string(gates_[i]->port())});
    }
    group_.wait_until_linked();
  }
  ~Lagging() { calm(); }

  test::RedisGroup& group() { return group_; }
  void hold_up(std::size_t replica, bool held) { gates_[replica]->stall(held); }

  // Holds links up at random and lets them go again, until calm().
  void stir(Milliseconds longest) {
    weather_ = std::jthread([this, longest](const std::stop_token& done) {
      std::mt19937_64 random(random_u64());
      while (!done.stop_requested()) {
        hold_up(random() % kReplicas, random() % 3 != 0);
        std::this_thread::sleep_for(Milliseconds(random() % static_cast<std::uint64_t>(longest.count())));
      }
    });
  }
  void calm() {
    weather_ = {};
    for (std::size_t i = 0; i < kReplicas; ++i) hold_up(i, false);
  }

  // Readings that replicas have served.
  std::uint64_t replica_reads() {
    std::uint64_t reads = 0;
    for (std::size_t i = 0; i < kReplicas; ++i) {
      const std::string stats = group_.replica(i).info("commandstats", "cmdstat_hmget");
      if (stats.starts_with("calls=")) reads += std::stoull(stats.substr(6));
    }
    return reads;
  }

 private:
  test::RedisGroup group_{kReplicas};
  std::vector<std::unique_ptr<test::TcpGate>> gates_;
  std::jthread weather_;
};

class RedisSessions : public testing::Test {
 protected:
  void SetUp() override {
    HOLDFAST_NEEDS_SERVER(test::ServerKind::redis);
    servers_.emplace();
    for (int i = 0; i < 2; ++i)
      sidecars_.emplace_back(
          core_of({{"redisHost", servers_->group().primary().address()}, {"maxStaleness", "1500ms"}}));
  }
  void TearDown() override {
    if (servers_) servers_->calm();
    sidecars_.clear();
  }

  Stores& any() { return sidecars_[random_() % sidecars_.size()]; }

  static CallContext in(Position* position, Consistency level) {
    CallContext context;
    context.consistency = level;
    context.position = position;
    return context;
  }
  // Numbers as values; 0 where there is none.
  void write(std::string_view key, std::uint64_t number, Position* position, Consistency level) {
    const std::string value = std::to_string(number);
    const auto written = any().set(save(key, value), in(position, level));
    ASSERT_TRUE(written) << written.error().message;
  }
  std::uint64_t read(std::string_view key, Position* position, Consistency level) {
    const CallContext context = in(position, level);
    const auto got = any().ask([&](state::StateStore& store) { return store.get(context, {.key = key}); });
    if (!got) throw std::runtime_error(got.error().message);
    return *got ? std::stoull((**got).value) : 0;
  }

  // What a caller has between two calls: tokens, as it gets and sends them. Each call goes to any of the sidecars.
  struct Caller {
    std::vector<std::string> tokens;

    // Runs `call` with what the tokens say; answers its result, and the token that the sidecar would answer.
    template <class Call>
    auto send(Call call) const {
      service::Session session;
      for (const std::string& token : tokens)
        if (auto joined = session.join(token); !joined) throw std::runtime_error(joined.error().message);
      const std::uint64_t result = call(&session.in("red"));
      return std::pair(result, session.changed());
    }
    void take(std::string token) {
      if (!token.empty()) tokens = {std::move(token)};
    }
  };
  std::uint64_t read(Caller& caller, std::string_view key, Consistency level) {
    auto [found, token] = caller.send([&](Position* position) { return read(key, position, level); });
    caller.take(std::move(token));
    return found;
  }
  std::uint64_t write(Caller& caller, std::string_view key, Consistency level) {
    auto [number, token] = caller.send([&](Position* position) {
      write(key, ++last_, position, level);
      return last_;
    });
    caller.take(std::move(token));
    return number;
  }

  // One session, and what it has seen or written of each of its keys. Everybody's numbers rise, so less than that is
  // what it must not see.
  struct History {
    Caller caller;
    std::array<std::string, 2> keys;
    std::array<std::uint64_t, 2> seen{};
  };
  // What is broken; empty: nothing. As of what follows.
  static std::string compare(History& history, std::size_t key, std::uint64_t found) {
    std::uint64_t& seen = history.seen[key];
    if (found < seen) return fmt::format("read {} of {} after {}", found, history.keys[key], seen);
    seen = found;
    return {};
  }

  // Both keys, each wherever its reading goes.
  std::string look(History& history, Consistency level) {
    std::string broken = compare(history, 0, read(history.caller, history.keys[0], level));
    return broken.empty() ? compare(history, 1, read(history.caller, history.keys[1], level)) : broken;
  }

  // A write of one key and a reading of the other at once: both go with the same tokens, and what comes back is sent
  // together, in either order.
  std::string write_and_read_at_once(History& history, std::size_t key, Consistency level) {
    Caller other = history.caller;
    history.seen[key] = write(history.caller, history.keys[key], level);
    std::string broken = compare(history, 1 - key, read(other, history.keys[1 - key], level));
    std::vector<std::string>& tokens = history.caller.tokens;
    tokens.insert(random_() % 2 == 0 ? tokens.begin() : tokens.end(), other.tokens.begin(), other.tokens.end());
    return broken;
  }

  // Random steps, between which replicas are held up or let go.
  std::string break_in_history(Consistency level) {
    History history;
    const std::uint64_t first = random_() % 60;
    history.keys = {fmt::format("key{}", first), fmt::format("key{}", (first + 1 + random_() % 59) % 60)};
    const std::uint64_t steps = 4 + random_() % 16;
    for (std::uint64_t step = 0; step < steps; ++step) {
      if (random_() % 3 == 0) servers_->hold_up(random_() % kReplicas, random_() % 3 == 0);
      const std::size_t key = random_() % 2;
      const std::uint64_t kind = random_() % 8;
      std::string broken;
      if (kind == 0)
        history.seen[key] = write(history.caller, history.keys[key], level);
      else if (kind < 3)  // by somebody else
        write(history.keys[key], ++last_, nullptr, Consistency::session);
      else
        broken = kind < 5 ? write_and_read_at_once(history, key, level) : look(history, level);
      if (!broken.empty()) return broken;
    }
    return follow_the_writes(history.keys, history.caller, level);
  }

  // Writes follow reads: who sees what was written after a reading sees what was read, too.
  std::string follow_the_writes(const std::array<std::string, 2>& keys, Caller& caller, Consistency level) {
    const std::uint64_t cause = read(caller, keys[0], level);
    const std::uint64_t effect = write(caller, keys[1], level);
    Caller other;
    for (int look = 0; look < 3; ++look) {
      if (read(other, keys[1], level) < effect) continue;
      const std::uint64_t found = read(other, keys[0], level);
      if (found < cause) return fmt::format("an effect without its cause: {} < {}", found, cause);
    }
    return {};
  }

  std::optional<Lagging> servers_;
  std::deque<Stores> sidecars_;
  std::mt19937_64 random_{random_u64()};
  std::uint64_t last_ = 0;
};

// As many as HOLDFAST_SESSION_HISTORIES says.
TEST_F(RedisSessions, ReadTheirWritesAndNeverGoBackInTime) {
  const char* const wanted = std::getenv("HOLDFAST_SESSION_HISTORIES");
  const std::uint64_t histories = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 400;
  const std::uint64_t before = servers_->replica_reads();
  for (std::uint64_t i = 0; i < histories; ++i)
    ASSERT_EQ(break_in_history(Consistency::session), "") << "history " << i;
  const std::uint64_t reads = servers_->replica_reads() - before;
  std::cout << histories << " histories held; replicas were asked " << reads << " times\n";
  EXPECT_GT(reads, histories / 4) << "or nothing was proved";
}

TEST_F(RedisSessions, WouldBreakAtEventual) {
  test::require_eventually("a history that breaks at eventual",
                           [&] { return !break_in_history(Consistency::eventual).empty(); });
}

TEST_F(RedisSessions, GoOnAtAnotherSidecarAndAfterAStrongWrite) {
  for (std::size_t i = 0; i < kReplicas; ++i) servers_->hold_up(i, true);
  Position position;
  write("k", 1, &position, Consistency::session);
  EXPECT_FALSE(position.empty());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(read("k", &position, Consistency::session), 1U);
  for (std::size_t i = 0; i < kReplicas; ++i) servers_->hold_up(i, false);
  const Position before = position;
  write("k", 2, &position, Consistency::strong);
  EXPECT_NE(before.reached()[0].offset, position.reached()[0].offset) << "the strong write is of the session";
}

// Its members are read at the primary, and a replica may not have their records yet.
TEST_F(RedisSessions, ALookUpByEntryMissesNoRecordThatReplicasLack) {
  for (std::size_t i = 0; i < kReplicas; ++i) servers_->hold_up(i, true);
  const state::Pairs entries{{"user", "1"}};
  state::SetRequest request = save("k", "1");
  request.indexes = entries;
  ASSERT_TRUE(any().set(request));
  state::FindRequest find;
  find.name = "user";
  find.value = "1";
  for (const Consistency level : {Consistency::eventual, Consistency::session}) {
    Position position;
    const CallContext context = in(&position, level);
    const auto page = any().ask([&](state::StateStore& store) { return store.find(context, find); });
    ASSERT_TRUE(page) << page.error().message;
    EXPECT_EQ(page->items.size(), 1U) << name_of(level);
    EXPECT_FALSE(position.empty()) << "what was found is of the session";
  }
}

TEST_F(RedisSessions, APositionOfAnotherHistoryIsReadAtThePrimary) {
  write("k", 1, nullptr, Consistency::session);
  servers_->group().wait_until_linked();
  for (std::size_t i = 0; i < kReplicas; ++i) servers_->hold_up(i, true);
  write("k", 2, nullptr, Consistency::session);
  Position foreign;
  foreign.reach({0xdeadbeef, 1});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(read("k", &foreign, Consistency::session), 2U);
}

// By this test's own clock: a reading shows every write that was acknowledged longer ago than the bound.
TEST_F(RedisSessions, ReadWithinTheBoundOfStaleness) {
  constexpr Milliseconds kBound{1500};
  std::map<std::chrono::steady_clock::time_point, std::uint64_t> acknowledged;
  const auto must_show = [&](std::chrono::steady_clock::time_point then) -> std::uint64_t {
    const auto after = acknowledged.upper_bound(then);
    return after == acknowledged.begin() ? 0 : std::prev(after)->second;
  };
  bool eventual_was_late = false;
  const std::uint64_t before = servers_->replica_reads();
  std::uint64_t rounds = 0;
  for (std::size_t i = 0; i < kReplicas; ++i) servers_->hold_up(i, false);
  // Fresh, then held up for longer than the bound, then let go.
  const auto look = [&] {
    write("k", ++last_, nullptr, Consistency::session);
    acknowledged[now()] = last_;
    const auto asked = now();
    const std::uint64_t found = read("k", nullptr, Consistency::bounded_staleness);
    ASSERT_GE(found, must_show(asked - kBound)) << "after " << rounds << " rounds";
    eventual_was_late |= read("k", nullptr, Consistency::eventual) < must_show(now() - kBound);
    ++rounds;
  };
  const auto until = now() + load_time(Milliseconds(1000));
  while (now() < until) look();
  for (std::size_t i = 0; i < kReplicas; ++i) servers_->hold_up(i, true);
  test::require_eventually("a lag beyond the bound", [&] {
    look();
    return eventual_was_late || HasFatalFailure();
  });
  const std::uint64_t reads = servers_->replica_reads() - before;
  std::cout << rounds << " rounds; replicas were asked " << reads << " times\n";
  EXPECT_GT(reads, rounds) << "eventual asks each time, bounded staleness some of the times";
}

TEST_F(RedisSessions, OneCallAtConsistentPrefixShowsNoEffectWithoutItsCause) {
  servers_->stir(Milliseconds(5));
  const auto until = now() + load_time(Milliseconds(1000));
  while (now() < until) {
    write("cause", ++last_, nullptr, Consistency::session);
    write("effect", last_, nullptr, Consistency::session);
    const std::array<state::GetRequest, 2> both{{{.key = "effect"}, {.key = "cause"}}};
    Stores& sidecar = any();
    const auto got = net::on_loop<std::vector<Result<std::optional<state::Record>>>>(
        sidecar.loop(0), Milliseconds(60'000),
        [&] { return sidecar.on(0).get_many(in(nullptr, Consistency::consistent_prefix), both); });
    ASSERT_TRUE(got && (*got)[0] && (*got)[1]);
    const auto number = [&](std::size_t i) { return *(*got)[i] ? std::stoull((**(*got)[i]).value) : 0; };
    ASSERT_LE(number(0), number(1));
  }
}

}  // namespace
}  // namespace holdfast::stores::redis
