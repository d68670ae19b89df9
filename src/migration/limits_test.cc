// Targets that can less than the source.
#include "migration/testing.h"
#include "support/map_store.h"

namespace holdfast::migration {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class LimitsTest : public MigrationTest {
 protected:
  state::Capabilities& can() { return to.store().can; }
};

TEST_F(LimitsTest, ARecordWithAnExpiryIsNeverMadeImmortalUnasked) {
  from.set(put("timed", "1", Milliseconds(100'000)));
  from.set("plain", "1");
  can().ttl = false;
  auto done = migrate();
  ASSERT_TRUE(done);
  EXPECT_FALSE(to.get("timed"));
  EXPECT_TRUE(to.get("plain"));
  EXPECT_EQ(done->copy.tally[Count::refused_ttl], 1u);
  EXPECT_FALSE(is_success(summary_of(*done)));
  EXPECT_THAT(text_of(summary_of(*done)), HasSubstr("timed: it has an expiry"));

  policy.drop_ttl = true;
  done = migrate();
  ASSERT_TRUE(done);
  EXPECT_FALSE(to.get("timed")->expires_at);
  EXPECT_EQ(done->copy.tally[Count::lost_ttl], 1u);
  EXPECT_TRUE(is_success(summary_of(*done))) << text_of(summary_of(*done));
}

TEST_F(LimitsTest, WhatIsTooLargeIsNamedAndTheRestGoesOn) {
  from.set("short", "1");
  from.set("a key that is long", "1");
  from.set("large", "123456789");
  can().key_bytes_max = 10;
  can().value_bytes_max = 8;
  const auto done = migrate();
  ASSERT_TRUE(done);
  EXPECT_EQ(to.all(), (std::map<std::string, std::string>{{"short", "1"}}));
  EXPECT_EQ(done->copy.tally[Count::refused_key], 1u);
  EXPECT_EQ(done->copy.tally[Count::refused_value], 1u);
  EXPECT_FALSE(is_success(summary_of(*done)));
  EXPECT_EQ(done->check.tally[Count::missing], 0u) << "it is known why they are not there";
}

TEST_F(LimitsTest, WithoutRecordFieldsTheyAreCountedAndNotCompared) {
  const state::Pairs tags{{"a", "b"}};
  from.set(put_tagged(put("tagged", "1"), tags));
  from.set("bare", "1");
  can().record_fields = false;
  const auto done = migrate();
  ASSERT_TRUE(done);
  EXPECT_EQ(done->copy.tally[Count::lost_fields], 1u);
  EXPECT_TRUE(is_success(summary_of(*done))) << text_of(summary_of(*done));
  EXPECT_THAT(notes_on(from.store().can, can()), testing::Contains(HasSubstr("tags")));
}

TEST_F(LimitsTest, JsonOfWhichOnlyTheMeaningIsKeptIsComparedByIt) {
  from.set(put_json("k", R"({"b":1,"a":[2, 3]})"));
  to.set(put_json("k", R"({"a": [2,3], "b": 1})"));
  can().exact_json = false;
  auto done = migrate();
  ASSERT_TRUE(done);
  EXPECT_EQ(done->copy.tally[Count::same], 1u);
  EXPECT_EQ(done->copy.tally[Count::changed_json], 1u);
  EXPECT_EQ(done->check.tally[Count::reformatted], 1u);
  EXPECT_EQ(done->check.tally.carried, done->check.tally.target);
  EXPECT_TRUE(is_success(summary_of(*done)));
  can().exact_json = true;
  done = migrate();
  ASSERT_TRUE(done);
  EXPECT_EQ(done->copy.tally[Count::different], 1u);
}

// The least that a store can be: it refuses what it does not declare.
TEST_F(LimitsTest, AStoreWithoutAnyAbilityIsReadBeforeItIsWritten) {
  fill(10);
  test::MapStore target;
  ASSERT_TRUE(loop.run(target.set({}, put("key103", "theirs"))));
  other_target = &target;
  auto done = migrate();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->copy.tally[Count::written], 9u);
  EXPECT_EQ(done->copy.tally[Count::different], 1u);
  EXPECT_EQ((*loop.run(target.get({}, {.key = "key103"})))->value, "theirs");
  policy.existing = Existing::replace;
  done = migrate();
  ASSERT_TRUE(done);
  EXPECT_EQ(done->copy.tally[Count::same], 9u);
  EXPECT_EQ(done->copy.tally[Count::replaced], 1u);
  EXPECT_TRUE(is_success(summary_of(*done)));
}

TEST_F(LimitsTest, ARecordThatTheTargetRefusesIsNamedAndTheRestGoesOn) {
  fill(6);
  int calls = 0;
  to.store().on_set_many = [&calls] {
    return calls++ == 0 ? std::optional(Error(Errc::invalid_argument, "not such a key")) : std::nullopt;
  };
  const auto done = migrate();
  ASSERT_TRUE(done);
  EXPECT_EQ(done->copy.tally[Count::rejected], 3u);
  EXPECT_EQ(done->copy.tally[Count::written], 3u);
  EXPECT_THAT(text_of(summary_of(*done)), HasSubstr("key100: not such a key"));
}

TEST_F(LimitsTest, WhatCannotBeReadUnderAKeyIsLeftAndNamed) {
  fill(6);
  to.set("key102", "of another kind");
  to.store().unreadable = "key102";
  const auto done = migrate();
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->copy.tally[Count::different], 1u);
  EXPECT_EQ(done->copy.tally[Count::written], 5u);
  EXPECT_EQ(done->check.tally[Count::unequal], 1u);
  EXPECT_FALSE(is_success(summary_of(*done)));
  EXPECT_THAT(text_of(summary_of(*done)), HasSubstr("key102: it is of another kind"));
}

TEST_F(LimitsTest, ATargetThatContradictsItselfEndsIt) {
  fill(1);
  to.store().on_set_many = [] { return std::optional(Error(Errc::precondition_failed, "there is one")); };
  const auto done = migrate();
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().message, HasSubstr("does somebody else write to it?"));
}

TEST_F(LimitsTest, FewerReplicasThanAskedForIsAWrittenRecord) {
  fill(3);
  int calls = 0;
  to.store().loses_answers = true;
  to.store().on_set_many = [&calls] {
    return calls++ == 0 ? std::optional(Error(Errc::replication_shortfall, "1 of 2")) : std::nullopt;
  };
  const auto done = migrate();
  ASSERT_TRUE(done);
  EXPECT_EQ(done->copy.tally[Count::written], 3u);
  EXPECT_EQ(done->copy.tally[Count::under_replicated], 3u);
  EXPECT_TRUE(is_success(summary_of(*done)));
}

TEST_F(LimitsTest, NothingIsNotedOfStoresThatCanTheSame) {
  EXPECT_THAT(notes_on(from.store().can, to.store().can), IsEmpty());
  can() = {};
  const auto notes = notes_on(from.store().can, can());
  for (const char* word : {"conditional", "expiry", "content type", "JSON", "consistency strong"})
    EXPECT_THAT(notes, testing::Contains(HasSubstr(word))) << word;
}

}  // namespace
}  // namespace holdfast::migration
