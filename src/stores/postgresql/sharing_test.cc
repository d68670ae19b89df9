// What is asked at the same time, and so shares transactions, is told what it would be told by itself.
#include "support/sharing.h"

#include "stores/postgresql/gathering.h"
#include "stores/postgresql/store_testing.h"
#include "support/postgresql_servers.h"

namespace holdfast::stores::postgresql {
namespace {

class PostgresqlSharing : public testing::TestWithParam<Layout> {
 protected:
  void SetUp() override {
    HOLDFAST_NEEDS_POSTGRESQL();
    server_.emplace();
    stores_.emplace(
        core_of({{"connectionString", server_->connection_string()}, {"cleanupInterval", "0"}}, GetParam()));
  }

  // How many transactions that write have begun so far, whoever's they are.
  std::uint64_t transactions() { return std::stoull(server_->value("SELECT pg_snapshot_xmax(pg_current_snapshot())")); }

  std::optional<test::PostgresqlServer> server_;
  std::optional<test::Stores> stores_;
};

TEST_P(PostgresqlSharing, EachSaveAndEachReadingIsItsOwn) { test::expect_each_is_its_own(*stores_); }
TEST_P(PostgresqlSharing, OfManyFirstWritesToAKeyOneIsDone) { test::expect_one_first_writer_of_each(*stores_); }
TEST_P(PostgresqlSharing, OfManyWhoHaveOneEtagOneSavesAndOneDeletes) { test::expect_one_of_an_etag(*stores_); }
TEST_P(PostgresqlSharing, EtagsOfOneKeyDiffer) { test::expect_etags_of_one_key_differ(*stores_); }

TEST_P(PostgresqlSharing, AsOftenAsMadeARecordIsDeleted) { test::expect_makings_and_deletions_to_match(*stores_); }

TEST_P(PostgresqlSharing, WhatFailsTakesNobodyAlong) {
  server_->must(
      "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''not this one''; END'; "
      "CREATE TRIGGER refused BEFORE INSERT OR UPDATE ON state FOR EACH ROW WHEN (NEW.key = 'key-7') EXECUTE FUNCTION "
      "refuse(); CREATE CONSTRAINT TRIGGER refused_late AFTER INSERT OR UPDATE ON state DEFERRABLE INITIALLY DEFERRED "
      "FOR EACH ROW WHEN (NEW.key = 'key-8') EXECUTE FUNCTION refuse()");
  const auto written = test::save_at_once(*stores_);
  for (std::size_t i = 0; i < written.size(); ++i) {
    const bool is_refused = i == 7 || i == 8;
    EXPECT_EQ(written[i].has_value(), !is_refused) << i;
    if (!written[i]) EXPECT_TRUE(written[i].error().message.contains("P0001")) << written[i].error().message;
    EXPECT_EQ(stores_->get(test::sharers_keys()[i]).value().has_value(), !is_refused) << i;
  }
}

TEST_P(PostgresqlSharing, ManySavesAreFewTransactions) {
  const auto before = transactions();
  for (const auto& each : test::save_at_once(*stores_)) EXPECT_TRUE(each);
  EXPECT_LE(transactions() - before, test::kSharers / Gathering::kBatchMax + 1);
}

INSTANTIATE_TEST_SUITE_P(All, PostgresqlSharing, testing::Values(Layout::v1, Layout::v2),
                         [](const auto& info) { return info.param == Layout::v1 ? "v1" : "v2"; });

}  // namespace
}  // namespace holdfast::stores::postgresql
