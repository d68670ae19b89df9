#include "migration/canonical.h"

#include <gtest/gtest.h>

namespace holdfast::migration {
namespace {

TEST(CanonicalJson, TheOrderOfMembersAndWhiteSpaceDoNotMatter) {
  EXPECT_EQ(canonical_json(R"({"b": [1, true], "a": null})"), R"({"a":null,"b":[1,true]})");
  EXPECT_EQ(canonical_json(R"({"a":null,"b":[1,true]})"), canonical_json("{\"b\" :[1,\n true],\t\"a\":null}"));
}

TEST(CanonicalJson, EscapesOfTheSameTextAreTheSame) {
  EXPECT_EQ(canonical_json(R"("\u0041\/")"), canonical_json(R"("A/")"));
}

TEST(CanonicalJson, IntegersBeyondADoubleStayApart) {
  EXPECT_NE(canonical_json("9007199254740993"), canonical_json("9007199254740992"));
  EXPECT_NE(canonical_json("18446744073709551615"), canonical_json("18446744073709551614"));
  EXPECT_EQ(canonical_json("1.0"), canonical_json("1"));
  EXPECT_EQ(canonical_json("1e2"), canonical_json("100"));
}

TEST(CanonicalJson, WhatIsNoJsonOrTooDeepHasNoForm) {
  EXPECT_FALSE(canonical_json("{"));
  EXPECT_FALSE(canonical_json(""));
  EXPECT_FALSE(canonical_json("1 2"));
  EXPECT_TRUE(canonical_json(std::string(kNestingMax - 1, '[') + std::string(kNestingMax - 1, ']')));
  EXPECT_FALSE(canonical_json(std::string(kNestingMax + 1, '[') + std::string(kNestingMax + 1, ']')));
}

}  // namespace
}  // namespace holdfast::migration
