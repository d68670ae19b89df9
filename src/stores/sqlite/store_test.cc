#include "state/store.h"

#include <gmock/gmock.h>

#include "stores/sqlite/testing.h"

namespace holdfast::stores::sqlite {
namespace {

using state::Precondition;
using state::Shape;

// Every case runs on a file, with the write-ahead log and with the rollback journal, and in memory.
class SqliteStoreTest : public testing::TestWithParam<const char*> {
 protected:
  Fields fields() {
    const std::string how = GetParam();
    if (how == "memory") return {{"connectionString", ":memory:"}};
    return {{"connectionString", folder_.file("state.db")}, {"disableWAL", how == "journal" ? "true" : "false"}};
  }
  TempFolder folder_;
  OpenStore db_{fields()};
};

std::vector<std::string_view> one(std::string_view etag) { return {etag}; }

TEST_P(SqliteStoreTest, ARecordComesBackAsItWasSaved) {
  const std::string bytes("\0\xff binary \n", 11);
  auto written = db_.set("k", bytes);
  ASSERT_TRUE(written);
  EXPECT_EQ(written->created, true);
  EXPECT_EQ(written->etag.size(), 36u);
  EXPECT_EQ(written->etag[14], '4');
  auto found = db_.get("k");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->value, bytes);
  EXPECT_EQ((*found)->shape, Shape::bytes);
  EXPECT_EQ((*found)->etag, written->etag);
  EXPECT_FALSE((*found)->expires_at);
  EXPECT_FALSE((*found)->fields);
}

TEST_P(SqliteStoreTest, JsonTextComesBackByteForByte) {
  const std::string json = R"({ "b" : 1.0, "a":[1e-7, "ü\u00fc"] })";
  ASSERT_TRUE(db_.set_json("k", json));
  auto found = db_.get("k");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->value, json);
  EXPECT_EQ((*found)->shape, Shape::json);
}

TEST_P(SqliteStoreTest, EmptyAndLargeValuesAreKept) {
  ASSERT_TRUE(db_.set("empty", ""));
  EXPECT_EQ(db_.value("empty"), "");
  const std::string large(3'000'001, 'x');
  ASSERT_TRUE(db_.set("large", large));
  EXPECT_EQ(db_.value("large"), large);
}

TEST_P(SqliteStoreTest, AMissingKeyIsNothingAndNoError) {
  auto found = db_.get("nowhere");
  ASSERT_TRUE(found);
  EXPECT_FALSE(*found);
  auto erased = db_.erase("nowhere");
  ASSERT_TRUE(erased);
  EXPECT_EQ(erased->existed, false);
}

TEST_P(SqliteStoreTest, EveryWriteGivesANewEtag) {
  const auto first = db_.set("k", "1")->etag;
  const auto second = db_.set("k", "1");
  EXPECT_NE(first, second->etag);
  EXPECT_EQ(second->created, false);
  ASSERT_TRUE(db_.erase("k"));
  EXPECT_NE(db_.set("k", "1")->etag, first);
}

TEST_P(SqliteStoreTest, APreconditionThatDoesNotHoldChangesNothing) {
  const std::string etag = db_.set("k", "old")->etag;
  const auto wrong = one("no-such-etag");
  for (const Precondition& when : {Precondition::absent(), Precondition::one_of(wrong)}) {
    auto set = db_.set("k", "new", when);
    ASSERT_FALSE(set);
    EXPECT_EQ(set.error().code, Errc::precondition_failed);
    EXPECT_EQ(set.error().current_etag, etag);
    auto erased = db_.erase("k", when);
    ASSERT_FALSE(erased);
    EXPECT_EQ(erased.error().code, Errc::precondition_failed);
    EXPECT_EQ(erased.error().current_etag, etag);
  }
  EXPECT_EQ(db_.value("k"), "old");
  EXPECT_EQ((*db_.get("k"))->etag, etag);
}

TEST_P(SqliteStoreTest, OnAMissingKeyOnlyAnyAndAbsentHold) {
  const auto some = one("e");
  for (const Precondition& when : {Precondition::present(), Precondition::one_of(some)}) {
    auto set = db_.set("k", "v", when);
    ASSERT_FALSE(set);
    EXPECT_EQ(set.error().code, Errc::precondition_failed);
    EXPECT_EQ(set.error().current_etag, "");
    EXPECT_FALSE(db_.erase("k", when));
  }
  EXPECT_EQ(db_.value("k"), "(none)");
  EXPECT_TRUE(db_.set("k", "v", Precondition::absent()));
}

TEST_P(SqliteStoreTest, AMatchingPreconditionLetsTheWriteThrough) {
  const std::string etag = db_.set("k", "1")->etag;
  const std::vector<std::string_view> etags{"other", etag};
  auto second = db_.set("k", "2", Precondition::one_of(etags));
  ASSERT_TRUE(second);
  EXPECT_TRUE(db_.set("k", "3", Precondition::present()));
  EXPECT_EQ(db_.value("k"), "3");
  auto erased = db_.erase("k", Precondition::present());
  ASSERT_TRUE(erased);
  EXPECT_EQ(erased->existed, true);
  EXPECT_EQ(db_.value("k"), "(none)");
}

TEST_P(SqliteStoreTest, AnExpiredRecordIsHiddenToTheMillisecondAndCountsAsAbsent) {
  const auto written = db_.set("k", "v", {}, Milliseconds(1500));
  ASSERT_TRUE(written && written->expires_at);
  EXPECT_EQ(written->expires_at->ms(), db_.clock.wall().ms() + 1500);
  db_.clock.advance(Milliseconds(1499));
  EXPECT_EQ(db_.value("k"), "v");
  EXPECT_EQ((*db_.get("k"))->expires_at, written->expires_at);
  db_.clock.advance(Milliseconds(1));
  EXPECT_EQ(db_.value("k"), "(none)");
  EXPECT_FALSE(db_.set("k", "w", Precondition::present()));
  const auto stale = one(written->etag);
  EXPECT_FALSE(db_.set("k", "w", Precondition::one_of(stale)));
  EXPECT_EQ(db_.erase("k")->existed, false);
  auto again = db_.set("k", "w", Precondition::absent());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->created, true);
  EXPECT_FALSE(again->expires_at);
}

TEST_P(SqliteStoreTest, ASaveWithoutTtlClearsAnEarlierOne) {
  ASSERT_TRUE(db_.set("k", "1", {}, Milliseconds(1000)));
  ASSERT_TRUE(db_.set("k", "2"));
  db_.clock.advance(Milliseconds(5000));
  EXPECT_EQ(db_.value("k"), "2");
  ASSERT_TRUE(db_.set("zero", "1", {}, Milliseconds(0)));
  EXPECT_FALSE((*db_.get("zero"))->expires_at);
  ASSERT_TRUE(db_.set("far", "1", {}, Milliseconds::max()));
  EXPECT_TRUE((*db_.get("far"))->expires_at);
}

TEST_P(SqliteStoreTest, RecordFieldsComeBackAndCreatedSurvivesOverwrites) {
  const state::Pairs tags{{"colour", "red & blue"}, {"a=b", ""}};
  const state::Pairs indexes{{"user_id", "12%3"}};
  state::SetRequest request;
  request.key = "k";
  request.value = "v";
  request.content_type = "text/plain";
  request.tags = tags;
  request.indexes = indexes;
  const WallTime created = db_.clock.wall();
  ASSERT_TRUE(db_.loop.run(db_.store->set(as("alice"), request)));
  db_.clock.advance(Milliseconds(10));
  request.tags = {};
  request.want_record = true;
  auto second = db_.loop.run(db_.store->set(as("bob"), request));
  ASSERT_TRUE(second && second->fields);
  auto found = db_.get("k", true);
  ASSERT_TRUE(found && *found && (*found)->fields);
  for (const state::RecordFields& fields : {*second->fields, *(*found)->fields}) {
    EXPECT_EQ(fields.created, created);
    EXPECT_EQ(fields.created_by, "alice");
    EXPECT_EQ(fields.modified, db_.clock.wall());
    EXPECT_EQ(fields.modified_by, "bob");
    EXPECT_EQ(fields.content_type, "text/plain");
    EXPECT_TRUE(fields.tags.empty());
    EXPECT_EQ(fields.indexes, indexes);
  }
  request.tags = tags;
  ASSERT_TRUE(db_.set(request));
  EXPECT_EQ((*db_.get("k", true))->fields->tags, tags);
}

TEST_P(SqliteStoreTest, ARecordThatIsMadeAnewGetsANewCreated) {
  ASSERT_TRUE(db_.set("k", "v", {}, Milliseconds(5)));
  db_.clock.advance(Milliseconds(10));
  ASSERT_TRUE(db_.set("k", "v"));
  EXPECT_EQ((*db_.get("k", true))->fields->created, db_.clock.wall());
  db_.clock.advance(Milliseconds(10));
  ASSERT_TRUE(db_.erase("k"));
  ASSERT_TRUE(db_.set("k", "v"));
  EXPECT_EQ((*db_.get("k", true))->fields->created, db_.clock.wall());
}

TEST_P(SqliteStoreTest, BulkReadsGiveOneResultForEachKeyInOrder) {
  std::vector<std::string> keys;
  for (int i = 0; i < 40; ++i) keys.push_back("k" + std::to_string(i));
  for (int i = 0; i < 40; i += 2) ASSERT_TRUE(db_.set(keys[static_cast<std::size_t>(i)], std::to_string(i)));
  for (const std::size_t count : {0u, 1u, 16u, 17u, 40u}) {
    std::vector<state::GetRequest> requests;
    for (std::size_t i = 0; i < count; ++i)
      requests.push_back({.key = keys[i], .want_value = true, .want_fields = i % 4 == 0});
    const auto found = db_.loop.run(db_.store->get_many({}, requests));
    ASSERT_EQ(found.size(), count);
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_TRUE(found[i]);
      ASSERT_EQ(found[i]->has_value(), i % 2 == 0) << i;
      if (i % 2 == 0) EXPECT_EQ((*found[i])->value, std::to_string(i));
      if (i % 2 == 0) EXPECT_EQ((*found[i])->fields.has_value(), i % 4 == 0);
    }
  }
}

TEST_P(SqliteStoreTest, BulkWritesSucceedAndFailEachOnItsOwn) {
  ASSERT_TRUE(db_.set("b", "old"));
  std::vector<state::SetRequest> sets(3);
  sets[0].key = "a", sets[1].key = "b", sets[2].key = "c";
  for (auto& set : sets) set.value = "new", set.when = Precondition::absent();
  const auto written = db_.loop.run(db_.store->set_many({}, sets));
  ASSERT_EQ(written.size(), 3u);
  EXPECT_TRUE(written[0] && written[2]);
  ASSERT_FALSE(written[1]);
  EXPECT_EQ(written[1].error().code, Errc::precondition_failed);
  EXPECT_EQ(db_.value("b"), "old");
  EXPECT_EQ(db_.value("c"), "new");
  std::vector<state::DeleteRequest> erases{
      {.key = "a", .when = {}}, {.key = "x", .when = Precondition::present()}, {.key = "c", .when = {}}};
  const auto erased = db_.loop.run(db_.store->erase_many({}, erases));
  ASSERT_EQ(erased.size(), 3u);
  EXPECT_TRUE(erased[0] && erased[2]);
  EXPECT_FALSE(erased[1]);
  EXPECT_EQ(db_.value("a"), "(none)");
  EXPECT_TRUE(db_.loop.run(db_.store->set_many({}, {})).empty());
}

state::Operation put(std::string_view key, std::string_view value, Precondition when = {}) {
  state::SetRequest request;
  request.key = key;
  request.value = value;
  request.when = when;
  return request;
}
state::Operation drop(std::string_view key, Precondition when = {}) { return state::DeleteRequest{key, when}; }
state::Operation expect(std::string_view key, Precondition when) { return state::CheckRequest{key, when}; }

TEST_P(SqliteStoreTest, ATransactionIsAllOrNothing) {
  const std::string etag = db_.set("a", "1")->etag;
  const auto stale = one("stale");
  auto refused = db_.transact({put("b", "2"), drop("a"), put("c", "3", Precondition::one_of(stale)), put("d", "4")});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::precondition_failed);
  EXPECT_EQ(refused.error().operation, 2);
  EXPECT_EQ(db_.value("a"), "1");
  EXPECT_EQ(db_.value("b"), "(none)");
  const auto right = one(etag);
  auto done = db_.transact({put("a", "2", Precondition::one_of(right)), put("b", "3"), drop("c")});
  ASSERT_TRUE(done);
  ASSERT_EQ(done->size(), 3u);
  EXPECT_EQ((*db_.get("a"))->etag, (*done)[0].etag);
  EXPECT_EQ((*done)[0].created, false);
  EXPECT_EQ((*done)[1].created, true);
  EXPECT_EQ((*done)[2].etag, "");
  auto stale_again = db_.transact({expect("a", Precondition::one_of(right))});
  ASSERT_FALSE(stale_again);
  EXPECT_EQ(stale_again.error().current_etag, (*done)[0].etag);
  EXPECT_EQ(stale_again.error().operation, 0);
  EXPECT_TRUE(db_.transact({})->empty());
}

TEST_P(SqliteStoreTest, PreconditionsOfATransactionAreJudgedOnTheStateBeforeIt) {
  // The first operation makes the key; the second still sees it absent, the check as well.
  auto done = db_.transact({put("k", "1"), put("k", "2", Precondition::absent()), expect("k", Precondition::absent())});
  ASSERT_TRUE(done);
  EXPECT_EQ(db_.value("k"), "2");
  ASSERT_TRUE(db_.transact({drop("k"), put("k", "3", Precondition::present())}));
  EXPECT_EQ(db_.value("k"), "3");
  ASSERT_TRUE(db_.transact({put("k", "4"), drop("k")}));
  EXPECT_EQ(db_.value("k"), "(none)");
}

TEST_P(SqliteStoreTest, ACallWhoseTimeIsUpDoesNothing) {
  state::CallContext late;
  late.deadline = db_.clock.steady();
  state::SetRequest request;
  request.key = "k";
  EXPECT_EQ(db_.loop.run(db_.store->set(late, request)).error().code, Errc::deadline_exceeded);
  EXPECT_EQ(db_.loop.run(db_.store->get(late, {.key = "k"})).error().code, Errc::deadline_exceeded);
  const Cancellation gone{.requested = true};
  state::CallContext cancelled;
  cancelled.cancel = &gone;
  EXPECT_FALSE(db_.loop.run(db_.store->set(cancelled, request)));
  EXPECT_EQ(db_.value("k"), "(none)");
}

TEST_P(SqliteStoreTest, CapabilitiesSayWhatTheFileGives) {
  const state::Capabilities& able = db_.store->capabilities();
  EXPECT_EQ(able.durable, std::string(GetParam()) != "memory");
  EXPECT_TRUE(able.etag && able.ttl && able.snapshot_read && able.ordered_list && able.exact_json && able.query);
  EXPECT_FALSE(able.watch);
  EXPECT_EQ(able.ttl_grain_ms, 1u);
  EXPECT_TRUE(db_.loop.run(db_.store->ping({})));
  EXPECT_EQ(db_.loop.run(db_.store->watch({}, {})).error().code, Errc::unsupported);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, SqliteStoreTest, testing::Values("wal", "journal", "memory"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace holdfast::stores::sqlite
