// Transactions: all or nothing, in order, conditions judged on the state before.
#include "conformance/conformance.h"

namespace holdfast::conformance {
namespace {

using state::Precondition;

#define HOLDFAST_NEEDS_TRANSACTIONS() HOLDFAST_NEEDS_TRANSACTIONS_OF(1)

TEST_P(TransactionConformance, EveryOperationIsAppliedAndVisibleAtOnce) {
  HOLDFAST_NEEDS_TRANSACTIONS();
  const std::string a = key("a");
  const std::string b = key("b");
  const std::string c = key("c");
  ASSERT_TRUE(store().set(put(c, "old")));
  const std::string bytes("\x00\x01\xfe\xff", 4);
  const auto written = store().transact({put(a, bytes), put_json(b, R"({"n":1})"), drop(c)});
  ASSERT_TRUE(written) << written.error().message;
  ASSERT_EQ(written->size(), 3u);
  EXPECT_EQ(store().value(a), bytes);
  EXPECT_EQ(canonical(*store().value(b)), R"({"n":1})");
  EXPECT_FALSE(store().exists(c));
  if (!GetParam().rich_transactions) return;
  EXPECT_EQ((*written)[0].etag, store().etag(a));
  EXPECT_EQ((*written)[1].etag, store().etag(b));
  EXPECT_EQ((*written)[2].etag, "");
}

TEST_P(TransactionConformance, OneTransactionMayDeleteWhatAnEarlierOneWrote) {
  HOLDFAST_NEEDS_TRANSACTIONS();
  const std::string a = key("a");
  const std::string b = key("b");
  ASSERT_TRUE(store().transact({put(a, "1"), put(b, "1")}));
  ASSERT_TRUE(store().transact({drop(a), put(b, "2")}));
  EXPECT_FALSE(store().exists(a));
  EXPECT_EQ(store().value(b), "2");
}

TEST_P(TransactionConformance, DeletingAMissingKeyIsNoFailure) {
  HOLDFAST_NEEDS_TRANSACTIONS();
  const std::string missing = key("missing");
  const std::string a = key("a");
  EXPECT_TRUE(store().transact({drop(missing), put(a, "1")}));
  EXPECT_EQ(store().value(a), "1");
}

// DynamoDB in Dapr keeps only the last operation of a key; etcd refuses the transaction.
TEST_P(TransactionConformance, OperationsOnOneKeyApplyInOrder) {
  HOLDFAST_NEEDS_TRANSACTIONS();
  const std::string k1 = key("k1");
  const std::string k2 = key("k2");
  const std::string k3 = key("k3");
  ASSERT_TRUE(store().set(put(k1, "there")));
  const auto written = store().transact({drop(k1), put(k2, "2"), drop(k2), put_json(k3, R"("value3")")});
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_FALSE(store().exists(k1));
  EXPECT_FALSE(store().exists(k2));
  EXPECT_EQ(store().value(k3), R"("value3")");
  ASSERT_TRUE(store().transact({drop(k3), put(k3, "a"), put(k3, "b")}));
  EXPECT_EQ(store().value(k3), "b");
}

TEST_P(TransactionConformance, AnEmptyTransactionSucceeds) {
  HOLDFAST_NEEDS_TRANSACTIONS();
  const auto written = store().transact({});
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_TRUE(written->empty());
}

TEST_P(TransactionConformance, AsManyOperationsAsDeclaredAndNoMore) {
  HOLDFAST_NEEDS_TRANSACTIONS();
  const std::size_t most = std::min<std::size_t>(can().transaction_ops_max, 300);
  std::vector<std::string> names;
  for (std::size_t i = 0; i <= most; ++i) names.push_back(key("k" + std::to_string(i)));
  std::vector<state::Operation> operations;
  for (std::size_t i = 0; i < most; ++i) operations.emplace_back(put(names[i], "v"));
  ASSERT_TRUE(store().transact(operations));
  EXPECT_EQ(store().value(names[most - 1]), "v");
  if (can().transaction_ops_max > most) return;
  operations.emplace_back(put(names[most], "v"));
  EXPECT_FALSE(store().transact(operations));
  EXPECT_FALSE(store().exists(names[most]));
}

// Redis and etcd in Dapr apply the rest of such a transaction; money is made from nothing.
TEST_P(TransactionConformance, ARefusedOperationChangesNothingAndIsNamed) {
  HOLDFAST_NEEDS_TRANSACTIONS();
  HOLDFAST_NEEDS_REPEATED_KEYS();
  HOLDFAST_NEEDS(etag);
  const std::string a = key("a");
  const std::string b = key("b");
  const std::string c = key("c");
  const std::string etag_a = store().set(put(a, "old"))->etag;
  const std::string etag_b = store().set(put(b, "old"))->etag;
  const IfMatch bad{"bad-etag"};
  for (int failing = 0; failing < 4; ++failing) {
    SCOPED_TRACE(failing);
    std::vector<state::Operation> operations{put(a, "new"), drop(b), put(c, "new")};
    // A refused write and a refused deletion, each in every place.
    for (const state::Operation& refused : {state::Operation(put(a, "stale", bad)), state::Operation(drop(b, bad))}) {
      auto all = operations;
      all.insert(all.begin() + failing, refused);
      const auto written = store().transact(all);
      EXPECT_TRUE(is_bad_etag(written));
      if (written) continue;
      if (GetParam().rich_transactions) {
        EXPECT_EQ(written.error().operation, failing);
      }
      EXPECT_EQ(store().value(a), "old");
      EXPECT_EQ(store().etag(a), etag_a);
      EXPECT_EQ(store().etag(b), etag_b);
      EXPECT_FALSE(store().exists(c));
    }
  }
}

// The same on Redis, where Dapr does not pass the first-write flag in transactions at all.
TEST_P(TransactionConformance, ARefusedFirstWriteChangesNothing) {
  HOLDFAST_NEEDS_TRANSACTIONS();
  HOLDFAST_NEEDS(etag);
  const std::string a = key("a");
  const std::string b = key("b");
  ASSERT_TRUE(store().set(put(b, "old")));
  const auto written = store().transact({put(a, "new"), put(b, "new", Precondition::absent())});
  EXPECT_TRUE(is_refused(written));
  EXPECT_FALSE(store().exists(a));
  EXPECT_EQ(store().value(b), "old");
  const Precondition passes = GetParam().rich_transactions ? Precondition::present() : Precondition::any();
  ASSERT_TRUE(store().transact({put(a, "new", Precondition::absent()), put(b, "new", passes)}));
  EXPECT_EQ(store().value(a), "new");
  EXPECT_EQ(store().value(b), "new");
}

TEST_P(TransactionConformance, MatchingEtagsLetEverythingPass) {
  HOLDFAST_NEEDS_TRANSACTIONS();
  HOLDFAST_NEEDS(etag);
  const std::string a = key("a");
  const std::string b = key("b");
  const IfMatch etag_a{store().set(put(a, "1"))->etag};
  const IfMatch etag_b{store().set(put(b, "1"))->etag};
  ASSERT_TRUE(store().transact({put(a, "2", etag_a), drop(b, etag_b)}));
  EXPECT_EQ(store().value(a), "2");
  EXPECT_FALSE(store().exists(b));
  EXPECT_TRUE(is_refused(store().transact({put(a, "3", etag_a)})));
}

// DynamoDB in Dapr deletes in a transaction without looking at the etag.
TEST_P(TransactionConformance, DeletionsLookAtTheirEtags) {
  HOLDFAST_NEEDS_TRANSACTIONS();
  HOLDFAST_NEEDS(etag);
  const std::string a = key("a");
  const IfMatch stale{store().set(put(a, "1"))->etag};
  ASSERT_TRUE(store().set(put(a, "2")));
  EXPECT_TRUE(is_refused(store().transact({drop(a, stale)})));
  EXPECT_EQ(store().value(a), "2");
}

TEST_P(TransactionConformance, AnEtagOnAMissingKeyIsRefused) {
  HOLDFAST_NEEDS_TRANSACTIONS();
  HOLDFAST_NEEDS(etag);
  const std::string a = key("a");
  const std::string missing = key("missing");
  const IfMatch other{store().set(put(a, "1"))->etag};
  EXPECT_TRUE(is_refused(store().transact({put(a, "2"), put(missing, "1", other)})));
  EXPECT_TRUE(is_refused(store().transact({put(a, "2"), drop(missing, other)})));
  EXPECT_EQ(store().value(a), "1");
  EXPECT_FALSE(store().exists(missing));
}

TEST_P(TransactionConformance, ConditionsAreJudgedOnTheStateBefore) {
  HOLDFAST_NEEDS_TRANSACTIONS();
  HOLDFAST_NEEDS(etag);
  const std::string a = key("a");
  const std::string b = key("b");
  // Neither write sees the other: there was no record before.
  ASSERT_TRUE(store().transact({put(a, "1", Precondition::absent()), put(a, "2", Precondition::absent())}));
  EXPECT_EQ(store().value(a), "2");
  const IfMatch etag{store().etag(a)};
  ASSERT_TRUE(store().transact({drop(a, etag), put(a, "3", etag)}));
  EXPECT_EQ(store().value(a), "3");
  // What the transaction does first does not satisfy what a later operation asks.
  EXPECT_TRUE(is_refused(store().transact({drop(a), put(a, "4", Precondition::absent())})));
  EXPECT_EQ(store().value(a), "3");
}

TEST_P(TransactionConformance, PresentIsJudgedOnTheStateBefore) {
  HOLDFAST_NEEDS_TRANSACTIONS();
  HOLDFAST_NEEDS_REPEATED_KEYS();
  HOLDFAST_NEEDS(etag);
  HOLDFAST_NEEDS_RICH_TRANSACTIONS();
  const std::string a = key("a");
  const std::string b = key("b");
  ASSERT_TRUE(store().set(put(a, "1")));
  ASSERT_TRUE(store().transact({drop(a), put(a, "2", Precondition::present()), check(a, Precondition::present())}));
  EXPECT_EQ(store().value(a), "2");
  EXPECT_TRUE(is_refused(store().transact({put(b, "1"), put(b, "2", Precondition::present())})));
  EXPECT_FALSE(store().exists(b));
}

TEST_P(TransactionConformance, ChecksDecideAndWriteNothing) {
  HOLDFAST_NEEDS_TRANSACTIONS();
  HOLDFAST_NEEDS_RICH_TRANSACTIONS();
  HOLDFAST_NEEDS(etag);
  const std::string a = key("a");
  const std::string b = key("b");
  const std::string etag = store().set(put(a, "1"))->etag;
  const IfMatch match{etag};
  const auto written = store().transact({check(a, match), put(b, "1")});
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ((*written)[0].etag, "");
  EXPECT_EQ(store().etag(a), etag) << "a check changed the record";
  EXPECT_EQ(store().value(b), "1");
  const auto refused = store().transact({put(b, "2"), check(a, Precondition::absent())});
  EXPECT_TRUE(is_refused(refused));
  if (!refused) {
    EXPECT_EQ(refused.error().operation, 1);
    EXPECT_TRUE(refused.error().current_etag.empty() || refused.error().current_etag == etag);
  }
  EXPECT_EQ(store().value(b), "1");
}

TEST_P(TransactionConformance, SeveralEtagsMayBeNamed) {
  HOLDFAST_NEEDS_TRANSACTIONS();
  HOLDFAST_NEEDS_RICH_TRANSACTIONS();
  HOLDFAST_NEEDS(etag);
  const std::string a = key("a");
  const std::string first = store().set(put(a, "1"))->etag;
  const std::string second = store().set(put(a, "2"))->etag;
  const IfMatch either{first, second};
  ASSERT_TRUE(store().transact({put(a, "3", either)}));
  EXPECT_TRUE(is_refused(store().transact({put(a, "4", either)})));
  EXPECT_EQ(store().value(a), "3");
}

TEST_P(TransactionConformance, CreationIsReportedPerOperation) {
  HOLDFAST_NEEDS_TRANSACTIONS();
  HOLDFAST_NEEDS_REPEATED_KEYS();
  HOLDFAST_NEEDS(reports_created);
  HOLDFAST_NEEDS_RICH_TRANSACTIONS();
  const std::string a = key("a");
  const std::string b = key("b");
  ASSERT_TRUE(store().set(put(a, "1")));
  const auto written = store().transact({put(a, "2"), put(b, "1"), put(b, "2")});
  ASSERT_TRUE(written);
  EXPECT_EQ((*written)[0].created, false);
  EXPECT_EQ((*written)[1].created, true);
  EXPECT_EQ((*written)[2].created, false);
}

TEST_P(TransactionConformance, WithoutTransactionsTheyAreUnsupportedAndChangeNothing) {
  HOLDFAST_LACKS(transaction_ops_max);
  const std::string a = key("a");
  const std::string b = key("b");
  ASSERT_TRUE(store().set(put(a, "1")));
  EXPECT_TRUE(is_unsupported(store().transact({put(a, "2"), put(b, "1")})));
  EXPECT_TRUE(is_unsupported(store().transact({drop(a)})));
  EXPECT_EQ(store().value(a), "1");
  EXPECT_FALSE(store().exists(b));
}

}  // namespace
}  // namespace holdfast::conformance
