// Expiry. From the moment a record expires it is absent for reads, listings and every precondition.
#include <cmath>

#include "conformance/conformance.h"

namespace holdfast::conformance {
namespace {

using state::Precondition;

TEST_P(TtlConformance, WithoutATimeARecordDoesNotExpire) {
  HOLDFAST_NEEDS(ttl);
  const auto written = store().set(put(key("a"), "1"));
  ASSERT_TRUE(written);
  EXPECT_FALSE(written->expires_at);
  // etcd v2 in Dapr reports an expiry for records that have none.
  EXPECT_FALSE(store().record(key("a")).expires_at);
}

TEST_P(TtlConformance, ExpiryIsReportedWhereItWillBe) {
  HOLDFAST_NEEDS(ttl);
  const test::ManualClock* clock = instance().clock();
  const WallTime before = clock != nullptr ? clock->wall() : Clock::system().wall();
  ASSERT_TRUE(store().set(put_for(key("a"), "1", kLongTtl)));
  const auto expires = store().record(key("a")).expires_at;
  ASSERT_TRUE(expires) << "Redis and memcached in Dapr do not report it";
  const std::int64_t lived_ms = expires->ms() - before.ms();
  // The server's clock may differ from ours by minutes, by hours only if a time zone got in the
  // way.
  const std::int64_t slack_ms = clock != nullptr ? 0 : 10 * 60 * 1000;
  EXPECT_GE(lived_ms, kLongTtl.count() - slack_ms);
  EXPECT_LE(lived_ms, kLongTtl.count() + slack_ms + can().ttl_grain_ms);
}

TEST_P(TtlConformance, ExpiredRecordIsAbsentAndNotBefore) {
  HOLDFAST_NEEDS(ttl);
  HOLDFAST_JUDGES(ttl_grain_ms);
  const auto began_at = std::chrono::steady_clock::now();
  ASSERT_TRUE(store().set(put_for(key("a"), "1", kShortTtl)));
  EXPECT_EQ(store().value(key("a")), "1");
  if (test::ManualClock* clock = instance().clock()) {
    clock->advance(kShortTtl - Milliseconds(1));
    EXPECT_EQ(store().value(key("a")), "1") << "it expired early";
    run_out(key("a"), Milliseconds(1));
  } else {
    run_out(key("a"), kShortTtl);
    EXPECT_GE(std::chrono::steady_clock::now() - began_at, kShortTtl - Milliseconds(10)) << "it expired early";
  }
}

TEST_P(TtlConformance, ZeroAndMinusOneMeanNoExpiry) {
  HOLDFAST_NEEDS(ttl);
  // In Dapr these expire the record at once on SQL Server, MongoDB, DynamoDB and etcd; Cassandra
  // refuses them.
  for (const Milliseconds none : {Milliseconds(0), Milliseconds(-1), Milliseconds(-1000)}) {
    ASSERT_TRUE(store().set(put_for(key("a"), "1", none)));
    EXPECT_FALSE(store().record(key("a")).expires_at) << none.count();
    ASSERT_TRUE(store().set(put_for(key("a"), "1", kLongTtl)));
    ASSERT_TRUE(store().set(put_for(key("a"), "2", none)));
    EXPECT_FALSE(store().record(key("a")).expires_at) << none.count() << " did not clear the earlier time";
  }
}

// Redis in Dapr keeps the old expiry when a write names none.
TEST_P(TtlConformance, AWriteWithoutATimeClearsTheEarlierOne) {
  HOLDFAST_NEEDS(ttl);
  ASSERT_TRUE(store().set(put_for(key("a"), "1", kShortTtl)));
  ASSERT_TRUE(store().set(put_for(key("timed"), "1", kShortTtl)));
  const auto written = store().set(put(key("a"), "2"));
  ASSERT_TRUE(written);
  EXPECT_FALSE(written->expires_at);
  EXPECT_FALSE(store().record(key("a")).expires_at);
  run_out(key("timed"), kShortTtl);
  EXPECT_EQ(store().value(key("a")), "2");
}

// What an update in place needs: counting a record up must neither keep it alive nor end it.
TEST_P(TtlConformance, AWriteMayKeepTheTimeThatThereIs) {
  HOLDFAST_NEEDS(ttl);
  HOLDFAST_NEEDS_KEPT_EXPIRY();
  const std::string name = key("a");
  ASSERT_TRUE(store().set(put_for(name, "1", kLongTtl)));
  const auto expires = store().record(name).expires_at;
  state::SetRequest keep = put(name, "2");
  keep.keep_expiry = true;
  for (int i = 0; i < 3; ++i) {
    const auto written = store().set(keep);
    ASSERT_TRUE(written) << written.error().message;
    ASSERT_TRUE(written->expires_at);
    EXPECT_NEAR(static_cast<double>(written->expires_at->ms()), static_cast<double>(expires->ms()), 1000);
  }
  EXPECT_EQ(store().value(name), "2");
  EXPECT_EQ(store().record(name).expires_at, expires);
  ASSERT_TRUE(store().set(put(name, "3")));
  ASSERT_TRUE(store().set(keep));
  EXPECT_FALSE(store().record(name).expires_at) << "there was no time to keep";
}

TEST_P(TtlConformance, KeepingTheTimeOfWhatIsNotThereIsNone) {
  HOLDFAST_NEEDS(ttl);
  HOLDFAST_NEEDS_KEPT_EXPIRY();
  ASSERT_TRUE(store().set(put_for(key("a"), "1", kShortTtl)));
  run_out(key("a"), kShortTtl);
  for (const char* rest : {"a", "b"}) {
    const std::string name = key(rest);
    state::SetRequest keep = put(name, "2");
    keep.keep_expiry = true;
    ASSERT_TRUE(store().set(keep));
    EXPECT_FALSE(store().record(name).expires_at) << rest;
  }
}

TEST_P(TtlConformance, ATransactionKeepsTimesToo) {
  HOLDFAST_NEEDS(ttl);
  HOLDFAST_NEEDS_KEPT_EXPIRY();
  HOLDFAST_NEEDS_TRANSACTIONS_OF(1);
  const std::string name = key("a");
  ASSERT_TRUE(store().set(put_for(name, "1", kLongTtl)));
  const auto expires = store().record(name).expires_at;
  state::SetRequest keep = put(name, "2");
  keep.keep_expiry = true;
  ASSERT_TRUE(store().transact({keep}));
  EXPECT_EQ(store().value(name), "2");
  EXPECT_EQ(store().record(name).expires_at, expires);
}

TEST_P(TtlConformance, AGuardedWriteWithoutATimeClearsTheEarlierOne) {
  HOLDFAST_NEEDS(ttl);
  HOLDFAST_NEEDS(etag);
  const auto first = store().set(put_for(key("a"), "1", kLongTtl));
  ASSERT_TRUE(first);
  ASSERT_TRUE(store().set(put(key("a"), "2", IfMatch{first->etag})));
  EXPECT_FALSE(store().record(key("a")).expires_at);
}

TEST_P(TtlConformance, ALaterTimeReplacesTheEarlierOne) {
  HOLDFAST_NEEDS(ttl);
  ASSERT_TRUE(store().set(put_for(key("a"), "1", kShortTtl)));
  ASSERT_TRUE(store().set(put_for(key("timed"), "1", kShortTtl)));
  ASSERT_TRUE(store().set(put_for(key("a"), "2", kLongTtl)));
  run_out(key("timed"), kShortTtl);
  EXPECT_EQ(store().value(key("a")), "2");
  ASSERT_TRUE(store().set(put_for(key("a"), "3", kShortTtl)));
  run_out(key("a"), kShortTtl);
}

TEST_P(TtlConformance, ARefusedWriteLeavesTheExpiryAsItWas) {
  HOLDFAST_NEEDS(ttl);
  HOLDFAST_NEEDS(etag);
  ASSERT_TRUE(store().set(put_for(key("a"), "1", kLongTtl)));
  const auto before = store().record(key("a")).expires_at;
  const std::string name = key("a");
  EXPECT_FALSE(store().set(put(name, "2", IfMatch{"bad-etag"})));
  state::SetRequest shorter = put(name, "2", Precondition::absent());
  shorter.ttl = kShortTtl;
  EXPECT_FALSE(store().set(shorter));
  EXPECT_EQ(store().record(name).expires_at, before);
}

// MySQL, SQL Server, MongoDB and DynamoDB in Dapr let an expired row block a first-write.
TEST_P(TtlConformance, FirstWriteOverAnExpiredRecordSucceeds) {
  HOLDFAST_NEEDS(ttl);
  HOLDFAST_NEEDS(etag);
  ASSERT_TRUE(store().set(put_for(key("a"), "1", kShortTtl)));
  run_out(key("a"), kShortTtl);
  const auto written = store().set(put(key("a"), "2", Precondition::absent()));
  ASSERT_TRUE(written) << written.error().message;
  if (can().reports_created) {
    EXPECT_EQ(written->created, true);
  }
  EXPECT_EQ(store().value(key("a")), "2");
  EXPECT_FALSE(store().record(key("a")).expires_at);
}

// The in-memory store of Dapr accepts the etag of an expired record until its sweeper has passed.
TEST_P(TtlConformance, TheEtagOfAnExpiredRecordDoesNotMatch) {
  HOLDFAST_NEEDS(ttl);
  HOLDFAST_NEEDS(etag);
  const std::string name = key("a");
  const std::string etag = store().set(put_for(name, "1", kShortTtl))->etag;
  run_out(name, kShortTtl);
  const auto written = store().set(put(name, "2", IfMatch{etag}));
  EXPECT_TRUE(is_refused(written));
  const auto erased = store().erase(drop(name, IfMatch{etag}));
  EXPECT_TRUE(is_refused(erased));
  const auto present = store().set(put(name, "2", Precondition::present()));
  EXPECT_TRUE(is_refused(present));
  EXPECT_FALSE(store().exists(name));
}

TEST_P(TtlConformance, AnExpiredRecordWasNotThereWhenItIsDeletedOrReplaced) {
  HOLDFAST_NEEDS(ttl);
  HOLDFAST_NEEDS(reports_created);
  ASSERT_TRUE(store().set(put_for(key("a"), "1", kShortTtl)));
  ASSERT_TRUE(store().set(put_for(key("b"), "1", kShortTtl)));
  run_out(key("b"), kShortTtl);
  EXPECT_EQ(store().erase(drop(key("a")))->existed, false);
  EXPECT_EQ(store().set(put(key("b"), "2"))->created, true);
}

TEST_P(TtlConformance, ARecordRecreatedAfterExpiryHasAnotherEtag) {
  HOLDFAST_NEEDS(ttl);
  HOLDFAST_NEEDS(etag);
  const std::string etag = store().set(put_for(key("a"), "1", kShortTtl))->etag;
  run_out(key("a"), kShortTtl);
  EXPECT_NE(store().set(put(key("a"), "1"))->etag, etag);
}

TEST_P(TtlConformance, ExpiredRecordsAreInNoBulkReadAndNoListing) {
  HOLDFAST_NEEDS(ttl);
  ASSERT_TRUE(store().set(put(key("kept"), "1")));
  ASSERT_TRUE(store().set(put_for(key("timed"), "1", kShortTtl)));
  run_out(key("timed"), kShortTtl);
  const std::string kept = key("kept");
  const std::string timed = key("timed");
  const state::GetRequest requests[] = {{.key = timed}, {.key = kept}};
  const auto records = store().run(store().store().get_many({}, requests));
  ASSERT_TRUE(records[0] && records[1]);
  EXPECT_FALSE(records[0]->has_value());
  EXPECT_TRUE(records[1]->has_value());
  if (can().list) {
    EXPECT_EQ(store().keys(base()), std::vector{kept});
  }
  if (can().keys_like) {
    const std::string pattern = base() + "%";
    const auto page = store().run(store().store().keys_like({}, {.pattern = pattern, .cursor = {}}));
    ASSERT_TRUE(page);
    EXPECT_EQ(page->keys, std::vector{kept});
  }
  if (can().delete_prefix) {
    const auto erased = store().run(store().store().erase_prefix({}, {.prefix = base(), .own_bytes = 0}));
    ASSERT_TRUE(erased);
    EXPECT_EQ(*erased, 1u);
  }
}

TEST_P(TtlConformance, TransactionsSetTimesAndSeeExpiredRecordsAsAbsent) {
  HOLDFAST_NEEDS(ttl);
  HOLDFAST_NEEDS_TRANSACTIONS_OF(2);
  const std::string a = key("a");
  const std::string b = key("b");
  ASSERT_TRUE(store().transact({put_for(a, "1", kShortTtl), put_for(b, "1", kLongTtl)}));
  EXPECT_TRUE(store().record(b).expires_at);
  run_out(a, kShortTtl);
  ASSERT_TRUE(store().transact({put(b, "2")}));
  EXPECT_FALSE(store().record(b).expires_at);
  if (can().etag) {
    if (GetParam().rich_transactions) {
      const auto refused = store().transact({put(b, "3"), put(a, "2", Precondition::present())});
      EXPECT_TRUE(is_refused(refused));
    }
    ASSERT_TRUE(store().transact({put(b, "3"), put(a, "2", Precondition::absent())}));
    EXPECT_EQ(store().value(a), "2");
  }
}

TEST_P(TtlConformance, BulkWritesSetTimes) {
  HOLDFAST_NEEDS(ttl);
  const std::string a = key("a");
  const std::string b = key("b");
  const state::SetRequest requests[] = {put_for(a, "1", kLongTtl), put(b, "1")};
  for (const auto& written : store().run(store().store().set_many({}, requests))) ASSERT_TRUE(written);
  EXPECT_TRUE(store().record(a).expires_at);
  EXPECT_FALSE(store().record(b).expires_at);
}

TEST_P(TtlConformance, TheLongestTimeOfDaprsApiIsKept) {
  HOLDFAST_NEEDS(ttl);
  const Milliseconds longest = std::chrono::seconds(2147483647);
  ASSERT_TRUE(store().set(put_for(key("a"), "1", longest)));
  EXPECT_EQ(store().value(key("a")), "1");
  ASSERT_TRUE(store().record(key("a")).expires_at);
}

TEST_P(TtlConformance, WithoutTtlATimeIsUnsupportedAndChangesNothing) {
  HOLDFAST_LACKS(ttl);
  ASSERT_TRUE(store().set(put(key("a"), "1")));
  const auto refused = store().set(put_for(key("a"), "2", kLongTtl));
  EXPECT_TRUE(is_unsupported(refused));
  EXPECT_EQ(store().value(key("a")), "1");
}

}  // namespace
}  // namespace holdfast::conformance
