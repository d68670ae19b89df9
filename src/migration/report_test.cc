#include "migration/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/json/json.h"

namespace holdfast::migration {
namespace {

using testing::HasSubstr;
using testing::Not;

Summary finished() {
  Summary summary;
  summary.journal.from = "a (state.sqlite)";
  summary.journal.to = "b (state.redis)";
  summary.journal.copy.is_done = summary.journal.check.is_done = true;
  summary.journal.copy.tally.add(Count::read, 3);
  summary.journal.copy.tally.add(Count::written, 3);
  summary.journal.check.tally.add(Count::equal, 3);
  return summary;
}

TEST(Report, EverythingThatIsMissingIsAFailure) {
  EXPECT_TRUE(is_success(finished()));
  for (const Count count :
       {Count::refused_ttl, Count::refused_key, Count::refused_value, Count::rejected, Count::different}) {
    Summary summary = finished();
    summary.journal.copy.tally.add(count);
    EXPECT_FALSE(is_success(summary)) << name_of(count);
  }
  for (const Count count : {Count::missing, Count::unequal, Count::changed_since}) {
    Summary summary = finished();
    summary.journal.check.tally.add(count);
    EXPECT_FALSE(is_success(summary)) << name_of(count);
    summary.is_compared = false;
    EXPECT_TRUE(is_success(summary)) << name_of(count);
  }
  Summary unfinished = finished();
  unfinished.journal.check.is_done = false;
  EXPECT_FALSE(is_success(unfinished));
}

TEST(Report, WhatWasSkippedMayDifferAndNoMore) {
  Summary summary = finished();
  summary.existing = Existing::skip;
  summary.journal.copy.tally.add(Count::different);
  summary.journal.check.tally.add(Count::unequal);
  EXPECT_TRUE(is_success(summary));
  summary.journal.check.tally.add(Count::unequal);
  EXPECT_FALSE(is_success(summary));
}

TEST(Report, ThePlainOneHasNoLineForWhatDidNotHappen) {
  const std::string text = text_of(finished());
  EXPECT_THAT(text, HasSubstr("3  written\n"));
  EXPECT_THAT(text, HasSubstr("3  equal in the target\n"));
  EXPECT_THAT(text, Not(HasSubstr("NOT")));
  EXPECT_THAT(text, Not(HasSubstr("MISSING")));
}

TEST(Report, TheOneForProgramsIsOneObject) {
  Summary summary = finished();
  summary.notes = {"a \"note\""};
  summary.journal.copy.tally.add_example(Count::rejected, "k\xff", "why");
  const std::string text = json_of(summary);
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  json::Parser parser;
  const auto parsed = parser.parse(text, json::Reading::whole_text);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(std::uint64_t((*parsed)["copy"]["counts"]["written"]), 3u);
  EXPECT_EQ(std::string_view((*parsed)["copy"]["examples"].at(0)["keyBase64"]), "a/8=");
  EXPECT_EQ(bool((*parsed)["success"]), false);
}

TEST(Report, KeysCannotSteerATerminal) {
  Summary summary = finished();
  summary.journal.copy.tally.add_example(Count::rejected, "\x1b[2J", "why");
  EXPECT_THAT(text_of(summary), HasSubstr("\\x1b[2J: why"));
}

}  // namespace
}  // namespace holdfast::migration
