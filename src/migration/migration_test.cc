#include "migration/migration.h"

#include "migration/testing.h"

namespace holdfast::migration {
namespace {

using state::Shape;
using stores::sqlite::TempFolder;
using testing::HasSubstr;

// A record with everything that a record can have.
state::SetRequest full_request(std::string_view key, const state::Pairs& tags) {
  state::SetRequest request;
  request.key = key;
  request.value = R"({ "n": 1.0, "s": "caf\u00e9" })";
  request.shape = Shape::json;
  request.ttl = Milliseconds(3'600'001);
  request.content_type = "application/json";
  request.tags = tags;
  request.indexes = tags;
  request.created_by = "alice";
  request.modified_by = "bob";
  return request;
}

TEST_F(MigrationTest, EverythingIsCarriedWhoeverItBelongsTo) {
  const state::Pairs tags{{"color", "red"}, {"&=", "\xff"}};
  from.set(full_request("app||full", tags));
  const std::string bytes("\0\xff\n", 3);
  for (const char* key : {"", "plain", "app||cart", "app||type||7||state", "app||outbox-1", "other||cart"})
    from.set(key, bytes);
  const auto done = migrate();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_TRUE(is_success(summary_of(*done)));
  EXPECT_EQ(from.all(), to.all());
  EXPECT_EQ(done->copy.tally[Count::written], 7u);
  EXPECT_EQ(done->check.tally[Count::equal], 7u);
  EXPECT_EQ(done->check.tally.carried, done->check.tally.target);
  const auto before = from.get("app||full");
  const auto after = to.get("app||full");
  ASSERT_TRUE(before && after && after->fields);
  EXPECT_EQ(after->value, before->value);
  EXPECT_EQ(after->shape, Shape::json);
  EXPECT_EQ(after->expires_at, before->expires_at);
  EXPECT_EQ(after->fields->tags, tags);
  EXPECT_EQ(after->fields->indexes, tags);
  EXPECT_EQ(after->fields->content_type, "application/json");
  EXPECT_EQ(after->fields->created_by, "alice");
  EXPECT_EQ(after->fields->modified_by, "bob");
}

TEST_F(MigrationTest, ToSqliteAndBackIsTheSame) {
  const state::Pairs tags{{"color", "red"}};
  fill(25);
  from.set(full_request("app||full", tags));
  TempFolder folder;
  SqliteEnd database(clock, loop, folder.file("state.db"));
  other_target = &database.store();
  const auto there = migrate();
  ASSERT_TRUE(there) << there.error().message;
  EXPECT_TRUE(is_success(summary_of(*there))) << text_of(summary_of(*there));

  other_target = nullptr;
  StoreSource back(database.store(), clock, "", 4);
  other_source = &back;
  const auto here = migrate();
  ASSERT_TRUE(here) << here.error().message;
  EXPECT_TRUE(is_success(summary_of(*here))) << text_of(summary_of(*here));
  EXPECT_EQ(here->copy.tally.source, there->copy.tally.source);
  EXPECT_EQ(here->check.tally.target, there->check.tally.target);
  EXPECT_EQ(to.all(), from.all());
}

TEST_F(MigrationTest, TheRestOfATimeToLiveIsCarriedAndWhatRanOutIsNot) {
  from.set(put("gone", "1", Milliseconds(1000)));
  from.set(put("stays", "1", Milliseconds(10'000)));
  clock.advance(Milliseconds(1001));
  ASSERT_TRUE(migrate());
  EXPECT_FALSE(to.get("gone"));
  EXPECT_EQ(to.get("stays")->expires_at, from.get("stays")->expires_at);
  clock.advance(Milliseconds(8999));
  EXPECT_FALSE(to.get("stays"));
}

TEST_F(MigrationTest, WhatRunsOutOnTheWayIsCounted) {
  from.set(put("short", "1", Milliseconds(1000)));
  StoreSink sink(to.store(), loop, clock, policy, kept());
  auto read = loop.run(from_source().next(""));
  clock.advance(Milliseconds(1000));
  const auto written = loop.run(sink.write(std::move(read->items)));
  ASSERT_TRUE(written);
  EXPECT_EQ((*written)[Count::expired], 1u);
  EXPECT_TRUE(to.all().empty());
}

TEST_F(MigrationTest, OnlyKeysUnderThePrefixAreCarriedAndItMayBecomeAnother) {
  from.set("old||a", "1");
  from.set("old||t||7||s", "2");
  from.set("older||a", "3");
  options.prefix = "old||";
  options.to_prefix = "new||";
  const auto done = migrate();
  ASSERT_TRUE(done);
  EXPECT_TRUE(is_success(summary_of(*done)));
  EXPECT_EQ(to.all(), (std::map<std::string, std::string>{{"new||a", "1"}, {"new||t||7||s", "2"}}));
}

TEST_F(MigrationTest, ASecondRunFindsEverythingThere) {
  fill(10);
  ASSERT_TRUE(migrate());
  const std::string etag = to.get("key100")->etag;
  const auto again = migrate();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->copy.tally[Count::same], 10u);
  EXPECT_EQ(again->copy.tally[Count::written], 0u);
  EXPECT_EQ(to.get("key100")->etag, etag) << "nothing was written again";
  EXPECT_TRUE(is_success(summary_of(*again)));
}

struct Policy {
  Existing existing;
  Count counted;
  std::string kept;
  bool is_success;
};

TEST_F(MigrationTest, ARecordThatDiffersIsLeftSkippedOrOverwritten) {
  for (const Policy& expected : {Policy{Existing::refuse, Count::different, "theirs", false},
                                 Policy{Existing::skip, Count::different, "theirs", true},
                                 Policy{Existing::replace, Count::replaced, "ours", true}}) {
    from.set(put_by("k", "ours", "us"));
    to.set(put_by("k", "theirs", "them"));
    policy.existing = expected.existing;
    const auto done = migrate();
    ASSERT_TRUE(done);
    EXPECT_EQ(done->copy.tally[expected.counted], 1u);
    EXPECT_EQ(to.get("k")->value, expected.kept);
    EXPECT_EQ(is_success(summary_of(*done)), expected.is_success) << text_of(summary_of(*done));
  }
  EXPECT_EQ(to.get("k")->fields->created_by, "them") << "a live record keeps who made it";
  EXPECT_EQ(to.get("k")->fields->modified_by, "us");
}

TEST_F(MigrationTest, DifferencesAreNamedByKey) {
  from.set("k1", "a");
  to.set("k1", "b");
  from.set(put("k2", "a", Milliseconds(100'000)));
  to.set("k2", "a");
  const auto done = migrate();
  ASSERT_TRUE(done);
  const std::string text = text_of(summary_of(*done));
  EXPECT_THAT(text, HasSubstr("k1: the target has another value"));
  EXPECT_THAT(text, HasSubstr("k2: the target has another expiry"));
}

// A failure of every write, before or after it took effect, one after the other; then the next run.
TEST_F(MigrationTest, ARunThatFailsAtAnyBatchIsFinishedByTheNext) {
  fill(20);
  for (const bool took_effect : {false, true}) {
    for (int fails_at = 0; fails_at < 7; ++fails_at) {
      for (const auto& [key, value] : to.all()) to.erase(key);
      last_kept = {};
      int calls = 0;
      to.store().loses_answers = took_effect;
      to.store().on_set_many = [&]() -> std::optional<Error> {
        return calls++ == fails_at ? std::optional(Error(Errc::internal, "cut")) : std::nullopt;
      };
      const auto failed = migrate();
      ASSERT_FALSE(failed) << fails_at;
      ASSERT_FALSE(last_kept.copy.is_done);
      to.store().on_set_many = nullptr;
      const auto parsed = Journal::parse(last_kept.began.us == 0 ? Journal{}.text() : last_kept.text());
      ASSERT_TRUE(parsed);
      const auto done = migrate(*parsed);
      ASSERT_TRUE(done) << done.error().message;
      EXPECT_EQ(to.all(), from.all());
      EXPECT_EQ(done->copy.tally[Count::read], 20u) << "each is counted once";
      EXPECT_EQ(done->copy.tally[Count::written] + done->copy.tally[Count::same], 20u);
      EXPECT_TRUE(is_success(summary_of(*done)));
    }
  }
}

TEST_F(MigrationTest, WhatIsKeptNeverClaimsMoreThanTheTargetHas) {
  fill(20);
  on_batch = [this](const Journal& at) {
    if (at.check.tally[Count::read] == 0) EXPECT_GE(to.all().size(), at.copy.tally[Count::read]);
  };
  ASSERT_TRUE(migrate());
  EXPECT_GE(times_kept, 7);
}

TEST_F(MigrationTest, AStopLetsTheBatchOnItsWayArriveAndTheNextRunGoesOn) {
  fill(20);
  on_batch = [this](const Journal& at) { stop.requested = at.copy.tally[Count::read] >= 6; };
  const auto stopped = migrate();
  ASSERT_TRUE(stopped);
  EXPECT_FALSE(stopped->copy.is_done);
  EXPECT_LT(to.all().size(), 20u);
  EXPECT_EQ(to.all().size(), last_kept.copy.tally[Count::read]) << "nothing is left half counted";
  stop.requested = false;
  on_batch = nullptr;
  const auto done = migrate(last_kept);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->copy.tally[Count::written], 20u) << "nothing was written twice";
  EXPECT_TRUE(is_success(summary_of(*done)));
}

TEST_F(MigrationTest, ACursorThatIsNoLongerGoodBeginsTheWalkAgain) {
  fill(20);
  int lists = 0;
  from.store().on_list = [&lists](const state::ListRequest& request) -> std::optional<Error> {
    if (++lists != 4) return std::nullopt;
    EXPECT_FALSE(request.cursor.empty());
    return Error(Errc::invalid_argument, "this cursor is of a server that was restarted");
  };
  const auto done = migrate();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->copy.restarts, 1u);
  EXPECT_EQ(done->copy.written_before, 9u);
  EXPECT_EQ(done->copy.tally[Count::read], 20u);
  EXPECT_EQ(done->copy.tally[Count::same], 9u);
  EXPECT_EQ(to.all(), from.all());
  EXPECT_THAT(text_of(summary_of(*done)), HasSubstr("the walk began again"));
}

TEST_F(MigrationTest, ACursorOfAnEarlierRunThatHasExpiredBeginsTheWalkAgain) {
  fill(8);
  Journal journal;
  journal.copy.cursor = "a cursor of another time";
  journal.copy.tally.add(Count::read, 5);
  const auto done = migrate(journal);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->copy.restarts, 1u);
  EXPECT_EQ(to.all(), from.all());
}

TEST_F(MigrationTest, CursorsThatNeverHoldEndItWithAWord) {
  fill(20);
  from.store().on_list = [](const state::ListRequest& request) {
    return request.cursor.empty() ? std::nullopt : std::optional(Error(Errc::invalid_argument, "no"));
  };
  const auto done = migrate();
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("again and again"));
}

TEST_F(MigrationTest, WhatPassesIsTriedAgain) {
  fill(20);
  int sets = 0;
  int lists = 0;
  to.store().loses_answers = true;
  to.store().on_set_many = [&]() -> std::optional<Error> {
    return sets++ % 3 < 2 ? std::optional(Error(Errc::outcome_unknown, "lost")) : std::nullopt;
  };
  from.store().on_list = [&](const state::ListRequest&) {
    return lists++ % 3 < 2 ? std::optional(Error(Errc::unavailable, "away")) : std::nullopt;
  };
  const auto done = migrate();
  ASSERT_TRUE(done) << done.error().message;
  from.store().on_list = nullptr;
  EXPECT_EQ(to.all(), from.all());
  EXPECT_TRUE(is_success(summary_of(*done)));
}

TEST_F(MigrationTest, AStopEndsTheTriesToo) {
  fill(20);
  policy.retries = 1'000'000;
  policy.stop = &stop;
  int calls = 0;
  to.store().on_set_many = [&] {
    stop.requested = ++calls >= 3;
    return std::optional(Error(Errc::unavailable, "away"));
  };
  EXPECT_FALSE(migrate());
  EXPECT_LT(calls, 10);
}

TEST_F(MigrationTest, WhatDoesNotPassEndsIt) {
  fill(20);
  to.store().on_set_many = [] { return std::optional(Error(Errc::unavailable, "away for good")); };
  const auto done = migrate();
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "away for good");
  EXPECT_EQ(last_kept.copy.tally[Count::read], 0u);
}

TEST_F(MigrationTest, PagesGrowWhileRecordsAreSmallAndShrinkWhenTheyAreLarge) {
  std::vector<std::uint32_t> limits;
  from.store().on_list = [&limits](const state::ListRequest& request) -> std::optional<Error> {
    limits.push_back(request.limit);
    return std::nullopt;
  };
  for (int i = 0; i < 100; ++i) from.set("a" + std::to_string(1000 + i), "small");
  const std::string large(1u << 20, 'x');
  for (int i = 0; i < 80; ++i) from.set("b" + std::to_string(100 + i), large);
  page = 64;
  compares = false;
  ASSERT_TRUE(migrate());
  EXPECT_EQ(limits, (std::vector<std::uint32_t>{32, 64, 64, 32}));
  EXPECT_EQ(to.all().size(), 180u);
}

TEST_F(MigrationTest, ADamageToTheTargetIsFound) {
  fill(20);
  on_batch = [this](const Journal& at) {
    if (!at.copy.is_done || at.check.tally[Count::read] > 0) return;
    to.erase("key105");
    to.set("key107", "other");
  };
  const auto done = migrate();
  ASSERT_TRUE(done);
  EXPECT_FALSE(is_success(summary_of(*done)));
  EXPECT_EQ(done->check.tally[Count::missing], 1u);
  EXPECT_EQ(done->check.tally[Count::unequal], 1u);
  EXPECT_NE(done->check.tally.carried, done->check.tally.target);
  const std::string text = text_of(summary_of(*done));
  EXPECT_THAT(text, HasSubstr("key105: the target has nothing"));
  EXPECT_THAT(text, HasSubstr("key107: the target has another value"));
  EXPECT_THAT(json_of(summary_of(*done)), HasSubstr(R"("success":false)"));
}

TEST_F(MigrationTest, AChangeOfTheSourceMeanwhileIsNoDamage) {
  fill(20);
  on_batch = [this](const Journal& at) {
    if (!at.copy.is_done || at.check.tally[Count::read] > 0) return;
    clock.advance(Milliseconds(10));
    from.set("key107", "newer");
    from.set("later", "new");
  };
  const auto done = migrate();
  ASSERT_TRUE(done);
  EXPECT_EQ(done->check.tally[Count::changed_since], 2u);
  EXPECT_EQ(done->check.tally[Count::unequal] + done->check.tally[Count::missing], 0u);
  EXPECT_FALSE(is_success(summary_of(*done))) << "the target is not as the source is";
  EXPECT_THAT(text_of(summary_of(*done)), HasSubstr("key107: it was written in the source after"));
}

TEST_F(MigrationTest, ARehearsalWritesNothing) {
  fill(5);
  to.set("key101", "value 1");
  to.set("key102", "other");
  const auto before = to.all();
  Comparison check(to.store(), loop, clock, policy, kept(), clock.wall());
  auto done = move(from_source(), check, nullptr);
  ASSERT_TRUE(done);
  EXPECT_EQ(to.all(), before);
  Summary summary = summary_of(*done);
  summary.is_rehearsal = true;
  summary.journal.check = summary.journal.copy;
  EXPECT_FALSE(is_success(summary));
  EXPECT_THAT(text_of(summary), HasSubstr("3  would be written"));
  EXPECT_THAT(text_of(summary), HasSubstr("key102: the target has another value"));
}

}  // namespace
}  // namespace holdfast::migration
