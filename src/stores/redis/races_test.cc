// Many at once on the same records: money is neither made nor lost, a counter counts every success, and of those who
// want to be first one is.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>

#include "stores/redis/store_testing.h"
#include "support/redis_cluster.h"
#include "support/redis_sentinel.h"
#include "support/redis_servers.h"
#include "support/workers.h"

namespace holdfast::stores::redis {
namespace {

using state::Consistency;
using state::Precondition;
using test::at_level;
using test::Bank;
using test::Crew;
using test::load_time;
using test::Outcomes;
using test::save;
using test::Stores;

constexpr std::size_t kLoops = 3;
constexpr std::size_t kAtOnce = 64;

// A deployment, and what may happen to it under load.
class Deployment {
 public:
  virtual ~Deployment() = default;
  virtual Fields fields() = 0;
  virtual void disturb() {}
};

class Standalone final : public Deployment {
 public:
  Fields fields() override { return {{"redisHost", server_.address()}}; }

 private:
  test::RedisServer server_;
};

class Cluster final : public Deployment {
 public:
  Fields fields() override { return {{"redisHost", joined(cluster_.addresses())}, {"redisType", "cluster"}}; }

 private:
  test::RedisCluster cluster_;
};

class Sentinels final : public Deployment {
 public:
  Fields fields() override {
    return {{"redisHost", joined(sentinels_.sentinel_addresses())},
            {"failover", "true"},
            {"sentinelMasterName", test::RedisSentinels::kName}};
  }
  void disturb() override {
    sentinels_.fail_over(test::RedisSentinels::Writes::taken);
    sentinels_.wait_until_ready();
  }

 private:
  test::RedisSentinels sentinels_;
};

struct Kind {
  std::string name;
  std::function<std::unique_ptr<Deployment>()> make;
  Consistency level = Consistency::unspecified;
};
void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

class RedisRaces : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    HOLDFAST_NEEDS_SERVER(test::ServerKind::redis);
    deployment_ = GetParam().make();
    stores_.emplace(core_of(deployment_->fields()), kLoops);
  }

  // Lets the workers work, and disturbs them meanwhile.
  void let(Milliseconds time) {
    const SteadyTime end = std::chrono::steady_clock::now() + time;
    deployment_->disturb();
    test::require_eventually(
        "the end of the load", [&] { return std::chrono::steady_clock::now() > end; }, time + test::kPatience);
  }
  bool is_undisturbed() const { return GetParam().level == Consistency::unspecified; }

  const state::CallContext context_ = at_level(GetParam().level);
  std::unique_ptr<Deployment> deployment_;
  std::optional<Stores> stores_;
};

TEST_P(RedisRaces, MoneyIsNeitherMadeNorLost) {
  const Bank bank("1");
  bank.open(*stores_, context_);
  Outcomes outcomes;
  {
    Crew crew(*stores_);
    crew.send(kAtOnce, [&](Crew& crew, state::StateStore& store, Scheduler& loop) {
      return move_money(crew, store, loop, context_, bank, outcomes);
    });
    let(load_time(Milliseconds(3000)));
  }
  bank.check(*stores_);
  std::cout << "transfers: " << outcomes.text() << "\n";
  EXPECT_GT(outcomes.applied, 10);
  if (is_undisturbed()) EXPECT_EQ(outcomes.unknown + outcomes.refused, 0);
}

TEST_P(RedisRaces, ACounterCountsEverySuccess) {
  ASSERT_TRUE(stores_->set(save("count", "0"), context_));
  Outcomes outcomes;
  {
    Crew crew(*stores_);
    crew.send(kAtOnce, [&](Crew& crew, state::StateStore& store, Scheduler& loop) {
      return count_up(crew, store, loop, context_, "count", outcomes);
    });
    let(load_time(Milliseconds(2000)));
  }
  check_counter(*stores_, "count", outcomes);
  std::cout << "steps: " << outcomes.text() << "\n";
  EXPECT_GT(outcomes.applied, 10);
  if (is_undisturbed()) EXPECT_EQ(outcomes.unknown + outcomes.refused, 0);
}

TEST_P(RedisRaces, OfManyWhoWriteFirstOneDoes) {
  for (int round = 0; round < 20; ++round) {
    const std::string key = "first/" + std::to_string(round);
    Outcomes outcomes;
    std::atomic<int> number = 0;
    Crew crew(*stores_);
    crew.send(kAtOnce, [&](Crew&, state::StateStore& store, Scheduler& loop) {
      return write_first(store, loop, key, std::to_string(++number), outcomes);
    });
    crew.wait();
    EXPECT_EQ(outcomes.applied, 1) << outcomes.text();
    EXPECT_EQ(outcomes.conflicts, kAtOnce - 1) << outcomes.text();
  }
}

TEST_P(RedisRaces, OfManyWhoDeleteWithOneEtagOneDoes) {
  for (int round = 0; round < 20; ++round) {
    const std::string key = "gone/" + std::to_string(round);
    const auto written = stores_->set(save(key, "1"));
    ASSERT_TRUE(written) << written.error().message;
    Outcomes outcomes;
    Crew crew(*stores_);
    crew.send(8, [&](Crew&, state::StateStore& store, Scheduler& loop) {
      return erase_once(store, loop, key, written->etag, outcomes);
    });
    crew.wait();
    EXPECT_EQ(outcomes.applied, 1) << outcomes.text();
    EXPECT_EQ(outcomes.conflicts, 7) << outcomes.text();
  }
}

template <class T>
std::unique_ptr<Deployment> make() {
  return std::make_unique<T>();
}

INSTANTIATE_TEST_SUITE_P(All, RedisRaces,
                         testing::Values(Kind{"standalone", make<Standalone>}, Kind{"cluster", make<Cluster>},
                                         Kind{"sentinels", make<Sentinels>, Consistency::strong}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace holdfast::stores::redis
