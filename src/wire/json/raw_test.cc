#include "wire/json/raw.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/json/json.h"

namespace holdfast::json {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Kind = RawValue::Kind;

RawValue read(std::string_view text) {
  auto value = RawValue::read(text);
  EXPECT_TRUE(value) << text << ": " << value.error().message;
  return value.value();
}

std::vector<std::string> texts(const RawValue& value) {
  std::vector<std::string> out;
  for (const RawMember& member : value.members()) out.push_back(member.name + "=" + std::string(member.value.text()));
  for (const RawValue& element : value.elements()) out.emplace_back(element.text());
  return out;
}

TEST(RawValue, KnowsItsKind) {
  EXPECT_EQ(read(" {} ").kind(), Kind::object);
  EXPECT_EQ(read("[]").kind(), Kind::array);
  EXPECT_EQ(read("\"\"").kind(), Kind::string);
  EXPECT_EQ(read("-1").kind(), Kind::number);
  EXPECT_EQ(read("true").kind(), Kind::boolean);
  EXPECT_EQ(read("false").kind(), Kind::boolean);
  EXPECT_EQ(read("null").kind(), Kind::null);
}

TEST(RawValue, PartsKeepTheirText) {
  EXPECT_THAT(texts(read(R"( { "a" : 1.00 , "b":[ 1, {"c":"}"} ],"\u0063":"x\"y" } )")),
              ElementsAre("a=1.00", R"(b=[ 1, {"c":"}"} ])", R"(c="x\"y")"));
  EXPECT_THAT(texts(read("[ 12345678901234567890 ,-0, \"a,b\",[[]],{}]")),
              ElementsAre("12345678901234567890", "-0", "\"a,b\"", "[[]]", "{}"));
  EXPECT_THAT(texts(read("{}")), IsEmpty());
  EXPECT_THAT(texts(read("[ ]")), IsEmpty());
  EXPECT_THAT(texts(read("7")), IsEmpty());
}

TEST(RawValue, StringsAreResolved) {
  EXPECT_EQ(read(R"("a\n\u00e4\\")").string(), "a\n\u00e4\\");
  EXPECT_EQ(read("\"\xff\"").string(), "\xef\xbf\xbd");
  EXPECT_EQ(read("1").string(), "");
}

TEST(RawValue, WhatIsNotOneValueIsRefused) {
  for (const char* text : {"", " ", "{", "[1,]", "{\"a\"}", "1 2", "nul", "\"a"})
    EXPECT_THAT(RawValue::read(text).error().message, HasSubstr("not valid JSON")) << text;
}

TEST(RawValue, DeepNestingNeedsNoStack) {
  const std::string deep = std::string(9999, '[') + std::string(9999, ']');
  EXPECT_EQ(read(deep).elements().at(0).text().size(), deep.size() - 2);
}

}  // namespace
}  // namespace holdfast::json
