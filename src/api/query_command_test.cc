#include "api/query_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::api {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::string refusal(std::string_view body) {
  const auto command = read_query_body(body);
  if (command) return "taken";
  EXPECT_EQ(command.error().code, Errc::invalid_argument);
  return command.error().message;
}

std::string projected(const std::vector<std::string>& paths, std::string_view json) {
  const auto projection = Projection::of(paths);
  return projection ? projection->of_value(json) : projection.error().message;
}

TEST(QueryCommand, EveryMemberIsRead) {
  const auto command = read_query_body(
      R"({"filter":{"EQ":{"a":1}},"sort":[{"key":"b","order":"DESC"}],"page":{"limit":3,"token":"t"},"prefix":"p/",)"
      R"("tags":{"color":"red"},"indexes":{"user_id":"123"},"fields":["a.b"],"scan":true})");
  ASSERT_TRUE(command) << command.error().message;
  ASSERT_EQ(command->query.filter.size(), 1u);
  EXPECT_EQ(command->query.filter[0].path, "a");
  EXPECT_TRUE(command->query.sort[0].descending);
  EXPECT_EQ(command->query.limit, 3u);
  EXPECT_EQ(command->query.token, "t");
  EXPECT_EQ(command->prefix, "p/");
  EXPECT_EQ(command->tags, (state::Pairs{{"color", "red"}}));
  EXPECT_EQ(command->indexes, (state::Pairs{{"user_id", "123"}}));
  EXPECT_EQ(command->fields.of_value(R"({"a":{"b":1,"c":2}})"), R"({"a":{"b":1}})");
  EXPECT_TRUE(command->may_scan);
}

TEST(QueryCommand, WithoutMembersItIsEverything) {
  const auto command = read_query_body("{}");
  ASSERT_TRUE(command);
  EXPECT_TRUE(command->query.filter.empty());
  EXPECT_TRUE(command->fields.is_everything());
  EXPECT_FALSE(command->may_scan);
}

TEST(QueryCommand, ItsTextIsThatOfFilterAndSortAlone) {
  QueryCommand one, other;
  ASSERT_TRUE(read_query(R"({"filter":{"EQ":{"a":1}}})", one));
  ASSERT_TRUE(read_query(R"({"filter":{"EQ":{"a":2}}})", other));
  EXPECT_NE(one.text, other.text);
  const auto paged = read_query_body(R"({"page":{"limit":3},"filter":{"EQ":{"a":1}},"scan":true})");
  ASSERT_TRUE(paged);
  EXPECT_EQ(paged->text, one.text);
}

TEST(QueryCommand, WhatIsWrongIsNamed) {
  EXPECT_THAT(refusal("[]"), HasSubstr("should be an object"));
  EXPECT_THAT(refusal("{"), StartsWith("the query"));
  EXPECT_THAT(refusal(R"({"Filter":{}})"), HasSubstr("\"Filter\": is unknown"));
  EXPECT_THAT(refusal(R"({"filter":{"XX":{"a":1}}})"), HasSubstr("unsupported filter"));
  EXPECT_THAT(refusal(R"({"prefix":1})"), HasSubstr("\"prefix\": is a number"));
  EXPECT_THAT(refusal(R"({"tags":{"a":1}})"), HasSubstr("\"tags\": a: is a number"));
  EXPECT_THAT(refusal(R"({"indexes":[]})"), HasSubstr("\"indexes\""));
  EXPECT_THAT(refusal(R"({"fields":"a"})"), HasSubstr("\"fields\""));
  EXPECT_THAT(refusal(R"({"fields":["a..b"]})"), HasSubstr("\"a..b\" is no path"));
  EXPECT_THAT(refusal(R"({"scan":"yes"})"), HasSubstr("\"scan\""));
  QueryCommand command;
  EXPECT_FALSE(read_query(R"({"page":{"limit":3}})", command));
  EXPECT_TRUE(read_query("", command));
}

TEST(Projection, KeepsWhatIsNamedAsItStands) {
  EXPECT_EQ(projected({"a"}, R"({"a": 1.50,"b":2})"), R"({"a":1.50})");
  EXPECT_EQ(projected({"a.b", "a.c", "d"}, R"({"d":[1, 2],"a":{"c":"x","y":0,"b":null}})"),
            R"({"d":[1, 2],"a":{"c":"x","b":null}})");
  EXPECT_EQ(projected({"a", "a.b"}, R"({"a":{"b":1,"c":2}})"), R"({"a":{"b":1,"c":2}})");
  EXPECT_EQ(projected({"a.b", "a"}, R"({"a":{"b":1,"c":2}})"), R"({"a":{"b":1,"c":2}})");
  EXPECT_EQ(projected({"gr\u00fc\u00dfe"}, "{\"gr\\u00fc\u00dfe\":1}"), "{\"gr\u00fc\u00dfe\":1}");
}

TEST(Projection, WhatIsNotThereIsLeftOut) {
  EXPECT_EQ(projected({"b", "a.x", "a.b.c"}, R"({"a":{"b":1}})"), "{}");
  for (const char* value : {"1", "\"a\"", "[{\"a\":1}]", "null", "{}"})
    EXPECT_EQ(projected({"a"}, value), "{}") << value;
}

TEST(Projection, OfANameThatIsThereTwiceTheFirstCounts) {
  EXPECT_EQ(projected({"a"}, R"({"a":1,"a":2})"), R"({"a":1})");
}

TEST(Projection, IsBounded) {
  EXPECT_THAT(projected(std::vector<std::string>(65, "a"), "{}"), HasSubstr("at most 64"));
  std::string deep = "a";
  for (int i = 0; i < 64; ++i) deep += ".a";
  EXPECT_THAT(projected({deep}, "{}"), HasSubstr("more than 64 names"));
}

}  // namespace
}  // namespace holdfast::api
