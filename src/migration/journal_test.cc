#include "migration/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::migration {
namespace {

using testing::HasSubstr;

Journal full_journal() {
  Journal journal;
  journal.from = "a (state.sqlite)";
  journal.to = "b (state.redis)";
  journal.identity = "0123";
  journal.policy = "skip";
  journal.began.us = 1'790'000'000'000'000;
  journal.seconds = 12.5;
  journal.copy.is_done = true;
  journal.copy.cursor = std::string("n:\xff\0", 4);
  journal.copy.mark = "7 0:0";
  journal.copy.restarts = 2;
  journal.copy.written_before = 9;
  journal.copy.tally.add(Count::read, 17);
  journal.copy.tally.source.add(sha256("x"));
  journal.copy.tally.add_example(Count::rejected, "k\xff", "because");
  journal.check.cursor = "later";
  journal.check.tally.carried.add(sha256("y"));
  journal.check.tally.target.add(sha256("z"));
  return journal;
}

TEST(Journal, ComesBackFromItsText) {
  const Journal journal = full_journal();
  const auto read = Journal::parse(journal.text());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->text(), journal.text());
  EXPECT_EQ(read->copy.cursor, journal.copy.cursor);
  EXPECT_EQ(read->copy.tally[Count::read], 17u);
  ASSERT_EQ(read->copy.tally.examples.size(), 1u);
  EXPECT_EQ(read->copy.tally.examples[0].key, "k\xff");
  EXPECT_EQ(read->check.tally.target, journal.check.tally.target);
}

TEST(Journal, AFileThatWasCutOffAnywhereIsRefused) {
  const std::string text = full_journal().text();
  for (std::size_t length = 0; length + 2 < text.size(); ++length)
    EXPECT_FALSE(Journal::parse(text.substr(0, length))) << length;
}

TEST(Journal, WhatIsNoStateFileIsRefusedWithAWordAboutIt) {
  for (const char* text :
       {"", "[]", "{}", R"({"holdfastMigration":2})", R"({"holdfastMigration":1})",
        R"({"holdfastMigration":1,"copy":{},"check":{}})", R"({"holdfastMigration":1,"copy":1,"check":[]})",
        R"({"holdfastMigration":1,"copy":{"tally":{"counts":[],"examples":{}}},"check":{}})"})
    EXPECT_FALSE(Journal::parse(text)) << text;
  const auto missing = read_journal("/nonexistent/file.state");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::not_found);
}

TEST(Tally, OnlyTheFirstExamplesOfAKindAreKept) {
  Tally tally;
  Tally more;
  for (int i = 0; i < 15; ++i) tally.add_example(Count::missing, std::to_string(i), "");
  for (int i = 15; i < 30; ++i) more.add_example(Count::missing, std::to_string(i), "");
  more.add_example(Count::unequal, "x", "");
  tally += more;
  EXPECT_EQ(tally[Count::missing], 30u);
  EXPECT_EQ(tally.examples.size(), kExamplesMax + 1);
  EXPECT_EQ(tally.examples.back().key, "x");
}

}  // namespace
}  // namespace holdfast::migration
