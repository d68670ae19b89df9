// What is asked at the same time, and so shares Txns, is told what it would be told by itself.
#include "support/sharing.h"

#include "stores/etcd/sharing.h"
#include "stores/etcd/store_testing.h"

namespace holdfast::stores::etcd {
namespace {

struct Shape {
  const char* name;
  const state::StoreType& type;
  std::vector<std::string> arguments = {};  // of the server
};

class EtcdSharing : public testing::TestWithParam<Shape> {
 protected:
  void SetUp() override {
    HOLDFAST_NEEDS_ETCD(test::EtcdVersion::v3_5);
    server_.emplace(test::EtcdOptions{.arguments = GetParam().arguments});
    stores_.emplace(core_of(GetParam().type, {{"endpoints", server_->endpoints()}}));
  }

  std::optional<test::EtcdServer> server_;
  std::optional<test::Stores> stores_;
};

TEST_P(EtcdSharing, EachSaveAndEachReadingIsItsOwn) { test::expect_each_is_its_own(*stores_); }
TEST_P(EtcdSharing, OfManyFirstWritesToAKeyOneIsDone) { test::expect_one_first_writer_of_each(*stores_); }
TEST_P(EtcdSharing, OfManyWhoHaveOneEtagOneSavesAndOneDeletes) { test::expect_one_of_an_etag(*stores_); }
TEST_P(EtcdSharing, EtagsOfOneKeyDiffer) { test::expect_etags_of_one_key_differ(*stores_); }
TEST_P(EtcdSharing, AsOftenAsMadeARecordIsDeleted) { test::expect_makings_and_deletions_to_match(*stores_); }

TEST_P(EtcdSharing, ManySavesAreFewTransactions) {
  const auto before = server_->client().revision();
  for (const auto& each : test::save_at_once(*stores_)) EXPECT_TRUE(each);
  const std::uint32_t operations = stores_->on(0).capabilities().transaction_ops_max;
  // As many as go together, and what went before anything was on its way.
  const std::size_t most = (operations - Sharing::kInnerMost) / Sharing::kWritingMost;
  EXPECT_LE(server_->client().revision() - before, static_cast<std::int64_t>(test::kSharers / most + 1));
}

// Together they are more than the servers take at a time, and one is that by itself.
TEST_P(EtcdSharing, WhatFailsTakesNobodyAlong) {
  test::EtcdServer server({.arguments = {"--max-request-bytes", "16384"}});
  test::Stores stores(core_of(GetParam().type, {{"endpoints", server.endpoints()}}));
  constexpr std::size_t kTooLarge = 7;
  const std::string value(2000, 'v');
  const std::string large(20'000, 'v');
  const auto written =
      test::at_once<test::WrittenAtOnce>(stores, test::kSharers, [&](state::StateStore& store, std::size_t i) {
        return store.set({}, test::save(test::sharers_keys()[i], i == kTooLarge ? large : value));
      });
  for (std::size_t i = 0; i < written.size(); ++i) {
    EXPECT_EQ(written[i].has_value(), i != kTooLarge) << i << (written[i] ? "" : written[i].error().message);
    EXPECT_EQ(stores.get(test::sharers_keys()[i]).value().has_value(), i != kTooLarge) << i;
  }
  EXPECT_EQ(written[kTooLarge].error().code, Errc::invalid_argument) << written[kTooLarge].error().message;
  EXPECT_NE(written[kTooLarge].error().message.find("save \"key-7\""), std::string::npos)
      << written[kTooLarge].error().message;
}

void PrintTo(const Shape& shape, std::ostream* out) { *out << shape.name; }

INSTANTIATE_TEST_SUITE_P(All, EtcdSharing,
                         testing::Values(Shape{"v1", kEtcdV1Type}, Shape{"v2", kEtcdV2Type},
                                         Shape{"few_operations", kEtcdV2Type, {"--max-txn-ops", "16"}}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace holdfast::stores::etcd
