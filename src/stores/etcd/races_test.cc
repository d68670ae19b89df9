// Many at once on the same records (support/races.h).
#include "support/races.h"

#include <gtest/gtest.h>

#include <optional>

#include "stores/etcd/store_testing.h"

namespace holdfast::stores::etcd {
namespace {

constexpr std::size_t kLoops = 3;

class EtcdRaces : public testing::TestWithParam<const state::StoreType*> {
 protected:
  void SetUp() override {
    HOLDFAST_NEEDS_ETCD(test::EtcdVersion::v3_5);
    server_.emplace();
    stores_.emplace(core_of(*GetParam(), {{"endpoints", server_->address()}}), kLoops);
  }
  test::Race race() { return {.stores = *stores_}; }

 private:
  std::optional<test::EtcdServer> server_;
  std::optional<test::Stores> stores_;
};

TEST_P(EtcdRaces, MoneyIsNeitherMadeNorLost) { test::expect_money_stays(race()); }

// Dapr's counter shows 402 after 931 acknowledged steps.
TEST_P(EtcdRaces, ACounterCountsEverySuccess) { test::expect_successes_counted(race()); }

// Of Dapr's, several win.
TEST_P(EtcdRaces, OfManyWhoWriteFirstOneDoes) { test::expect_one_first_writer(race()); }

TEST_P(EtcdRaces, OfManyWhoDeleteWithOneEtagOneDoes) { test::expect_one_deleter(race()); }

INSTANTIATE_TEST_SUITE_P(All, EtcdRaces, testing::Values(&kEtcdV1Type, &kEtcdV2Type),
                         [](const auto& info) { return std::string(info.param->version); });

}  // namespace
}  // namespace holdfast::stores::etcd
