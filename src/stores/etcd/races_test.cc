// Many at once on the same records: money is neither made nor lost, a counter counts every success, and of those who
// want to be first one is.
#include <gtest/gtest.h>

#include <atomic>
#include <optional>

#include "stores/etcd/store_testing.h"
#include "support/workers.h"

namespace holdfast::stores::etcd {
namespace {

using test::Bank;
using test::Crew;
using test::load_time;
using test::Outcomes;
using test::save;
using test::Stores;

constexpr std::size_t kLoops = 3;
constexpr std::size_t kAtOnce = 64;

class EtcdRaces : public testing::TestWithParam<const state::StoreType*> {
 protected:
  void SetUp() override {
    HOLDFAST_NEEDS_ETCD(test::EtcdVersion::v3_5);
    server_.emplace();
    stores_.emplace(core_of(*GetParam(), {{"endpoints", server_->address()}}), kLoops);
  }
  void let(Milliseconds time) {
    const SteadyTime end = std::chrono::steady_clock::now() + time;
    test::require_eventually(
        "the end of the load", [&] { return std::chrono::steady_clock::now() > end; }, time + test::kPatience);
  }

  std::optional<test::EtcdServer> server_;
  std::optional<Stores> stores_;
};

TEST_P(EtcdRaces, MoneyIsNeitherMadeNorLost) {
  const Bank bank("1");
  bank.open(*stores_);
  Outcomes outcomes;
  {
    Crew crew(*stores_);
    crew.send(kAtOnce, [&](Crew& crew, state::StateStore& store, Scheduler& loop) {
      return move_money(crew, store, loop, {}, bank, outcomes);
    });
    let(load_time(Milliseconds(3000)));
  }
  bank.check(*stores_);
  std::cout << "transfers: " << outcomes.text() << "\n";
  EXPECT_GT(outcomes.applied, 10);
  EXPECT_EQ(outcomes.unknown + outcomes.refused, 0);
}

// Dapr's counter shows 402 after 931 acknowledged steps.
TEST_P(EtcdRaces, ACounterCountsEverySuccess) {
  ASSERT_TRUE(stores_->set(save("count", "0")));
  Outcomes outcomes;
  {
    Crew crew(*stores_);
    crew.send(kAtOnce, [&](Crew& crew, state::StateStore& store, Scheduler& loop) {
      return count_up(crew, store, loop, {}, "count", outcomes);
    });
    let(load_time(Milliseconds(2000)));
  }
  check_counter(*stores_, "count", outcomes);
  std::cout << "steps: " << outcomes.text() << "\n";
  EXPECT_GT(outcomes.applied, 10);
  EXPECT_EQ(outcomes.unknown + outcomes.refused, 0);
}

// Of Dapr's, several win.
TEST_P(EtcdRaces, OfManyWhoWriteFirstOneDoes) {
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

TEST_P(EtcdRaces, OfManyWhoDeleteWithOneEtagOneDoes) {
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

INSTANTIATE_TEST_SUITE_P(All, EtcdRaces, testing::Values(&kEtcdV1Type, &kEtcdV2Type),
                         [](const auto& info) { return std::string(info.param->version); });

}  // namespace
}  // namespace holdfast::stores::etcd
