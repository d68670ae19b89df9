#include "service/index_entries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::service {
namespace {

using state::Pairs;
using testing::HasSubstr;

std::string refusal(std::string_view text) {
  const auto entries = parse_index_entries(text);
  if (entries) return "taken";
  EXPECT_EQ(entries.error().code, Errc::invalid_argument);
  return entries.error().message;
}

TEST(IndexEntries, AListHasCommasBetweenNamesAndValues) {
  EXPECT_EQ(*parse_index_entries("user_id:123"), (Pairs{{"user_id", "123"}}));
  EXPECT_EQ(*parse_index_entries(" user_id : 123 ,city:Köln"), (Pairs{{"user_id", "123"}, {"city", "Köln"}}));
  EXPECT_EQ(*parse_index_entries(""), Pairs());
  EXPECT_EQ(*parse_index_entries("a:1,,b:2,"), (Pairs{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(*parse_index_entries("at:12:30,empty:"), (Pairs{{"at", "12:30"}, {"empty", ""}}));
}

TEST(IndexEntries, WhatIsNoListIsRefused) {
  for (const char* text : {"user_id", "a:1,b"})
    EXPECT_THAT(refusal(text), HasSubstr("name:value")) << text;
  EXPECT_THAT(refusal(":1"), HasSubstr("no name"));
  EXPECT_THAT(refusal("a:1,a:2"), HasSubstr("\"a\" stands there twice"));
}

TEST(IndexEntries, AreBoundedInNumberAndLength) {
  std::string many;
  for (int i = 0; i < 16; ++i) many += (i > 0 ? "," : "") + std::to_string(i) + ":x";
  EXPECT_EQ(parse_index_entries(many)->size(), 16u);
  EXPECT_THAT(refusal(many + ",16:x"), HasSubstr("more than 16"));
  EXPECT_TRUE(parse_index_entries("n:" + std::string(255, 'v')));
  EXPECT_THAT(refusal("n:" + std::string(256, 'v')), HasSubstr("257 bytes"));
  EXPECT_FALSE(check_index_entries(Pairs(17, {"n", "v"})));
}

}  // namespace
}  // namespace holdfast::service
