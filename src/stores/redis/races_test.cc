// Many at once on the same records (support/races.h).
#include "support/races.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "stores/redis/store_testing.h"
#include "support/redis_cluster.h"
#include "support/redis_sentinel.h"
#include "support/redis_servers.h"

namespace holdfast::stores::redis {
namespace {

using state::Consistency;

constexpr std::size_t kLoops = 3;

// A deployment, and what may happen to it under load.
class Deployment {
 public:
  virtual ~Deployment() = default;
  virtual Fields fields() = 0;
  virtual std::function<void()> disturbance() { return {}; }
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
  std::function<void()> disturbance() override {
    return [this] {
      sentinels_.fail_over(test::RedisSentinels::Writes::taken);
      sentinels_.wait_until_ready();
    };
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

  test::Race race() {
    return {.stores = *stores_, .context = test::at_level(GetParam().level), .disturb = deployment_->disturbance()};
  }

 private:
  std::unique_ptr<Deployment> deployment_;
  std::optional<test::Stores> stores_;
};

TEST_P(RedisRaces, MoneyIsNeitherMadeNorLost) { test::expect_money_stays(race()); }
TEST_P(RedisRaces, ACounterCountsEverySuccess) { test::expect_successes_counted(race()); }
TEST_P(RedisRaces, OfManyWhoWriteFirstOneDoes) { test::expect_one_first_writer(race()); }
TEST_P(RedisRaces, OfManyWhoDeleteWithOneEtagOneDoes) { test::expect_one_deleter(race()); }

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
