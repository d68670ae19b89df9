#include "api/http/v2_decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using Kind = state::Precondition::Kind;

std::string items(const std::string& item) { return R"({"items":[)" + item + "]}"; }

PutCommand put_in(const std::string& item) {
  auto commands = decode_commands(items(item), "items");
  EXPECT_TRUE(commands) << commands.error().message;
  return std::get<PutCommand>(commands.value().at(0));
}

std::string refusal_of(const std::string& item) {
  const auto commands = decode_commands(items(item), "items");
  EXPECT_FALSE(commands) << item;
  if (commands) return {};
  EXPECT_EQ(commands.error().code, Errc::invalid_argument);
  return commands.error().message;
}

TEST(V2Commands, APutOfJsonKeepsItsText) {
  const PutCommand put =
      put_in(R"({"op":"put","key":"a\u0062","value": {"n":1.00} ,"ttl":"1m30s","tags":{"c":"red"},"indexes":{"u":"7"},)"
             R"("createdBy":"me","modifiedBy":"you"})");
  EXPECT_EQ(put.key, "ab");
  EXPECT_EQ(put.value, R"({"n":1.00})");
  EXPECT_EQ(put.content_type, "application/json");
  EXPECT_EQ(put.ttl, std::chrono::seconds(90));
  EXPECT_THAT(put.tags, ElementsAre(Pair("c", "red")));
  EXPECT_THAT(put.indexes, ElementsAre(Pair("u", "7")));
  EXPECT_EQ(put.created_by, "me");
  EXPECT_EQ(put.modified_by, "you");
  EXPECT_EQ(put.when.kind, Kind::any);
  EXPECT_FALSE(put.force_bytes);
}

TEST(V2Commands, APutOfBytesIsBase64) {
  const PutCommand put = put_in(R"({"op":"put","key":"a","valueBase64":"AAE=","shape":"bytes","ttl":-1})");
  EXPECT_EQ(put.value, std::string("\0\1", 2));
  EXPECT_EQ(put.content_type, "application/octet-stream");
  EXPECT_TRUE(put.force_bytes);
  EXPECT_EQ(put.ttl, std::nullopt);
  EXPECT_EQ(put_in(R"({"op":"put","key":"a","valueBase64":"","contentType":"text/plain"})").content_type, "text/plain");
}

TEST(V2Commands, ConditionsAreThoseOfTheHeaders) {
  EXPECT_THAT(put_in(R"({"op":"put","key":"a","value":1,"ifMatch":"\"7\", 8"})").when.etags, ElementsAre("7", "8"));
  EXPECT_THAT(put_in(R"({"op":"put","key":"a","value":1,"ifMatch":["\"7\"","8"]})").when.etags, ElementsAre("7", "8"));
  EXPECT_EQ(put_in(R"({"op":"put","key":"a","value":1,"ifMatch":"*"})").when.kind, Kind::present);
  EXPECT_EQ(put_in(R"({"op":"put","key":"a","value":1,"ifNoneMatch":"*"})").when.kind, Kind::absent);
}

TEST(V2Commands, DeletionsAndChecks) {
  const auto commands = decode_commands(
      R"({"operations":[{"op":"delete","key":"a"},{"key":"b","op":"check","ifMatch":"7"}]})", "operations");
  ASSERT_TRUE(commands);
  EXPECT_EQ(std::get<DeleteCommand>((*commands)[0]).key, "a");
  EXPECT_THAT(std::get<CheckCommand>((*commands)[1]).when.etags, ElementsAre("7"));
}

TEST(V2Commands, TheRefusalSaysWhere) {
  EXPECT_THAT(refusal_of(R"({"op":"put","key":"a","value":1},7)"), HasSubstr("items[1]: is a number"));
  EXPECT_THAT(refusal_of(R"({"op":"move","key":"a"})"), HasSubstr("put, delete or check"));
  EXPECT_THAT(refusal_of(R"({"key":"a"})"), HasSubstr("no \"op\""));
  EXPECT_THAT(refusal_of(R"({"op":"put","value":1})"), HasSubstr("no \"key\""));
  EXPECT_THAT(refusal_of(R"({"op":"put","key":"a"})"), HasSubstr("either \"value\""));
  EXPECT_THAT(refusal_of(R"({"op":"put","key":"a","value":1,"valueBase64":""})"), HasSubstr("either \"value\""));
  EXPECT_THAT(refusal_of(R"({"op":"put","key":7,"value":1})"), HasSubstr("\"key\": is a number"));
  EXPECT_THAT(refusal_of(R"({"op":"put","key":"a","value":1,"ttl":"soon"})"), HasSubstr("\"ttl\""));
  EXPECT_THAT(refusal_of(R"({"op":"put","key":"a","value":1,"ttl":true})"), HasSubstr("\"ttl\""));
  EXPECT_THAT(refusal_of(R"({"op":"put","key":"a","value":1,"tags":{"x":1}})"), HasSubstr("\"tags\": \"x\""));
  EXPECT_THAT(refusal_of(R"({"op":"put","key":"a","value":1,"etag":"1"})"), HasSubstr("known: op"));
  EXPECT_THAT(refusal_of(R"({"op":"put","key":"a","valueBase64":"*"})"), HasSubstr("base64"));
  EXPECT_THAT(refusal_of(R"({"op":"put","key":"a","value":1,"shape":"x"})"), HasSubstr("\"shape\""));
  EXPECT_THAT(refusal_of(R"({"op":"put","key":"a","value":1,"ifMatch":"1","ifNoneMatch":"*"})"), HasSubstr("excludes"));
  EXPECT_THAT(refusal_of(R"({"op":"put","key":"a","value":1,"ifMatch":[]})"), HasSubstr("no etag"));
  EXPECT_THAT(refusal_of(R"({"op":"put","key":"a","value":1,"ifNoneMatch":"1"})"), HasSubstr("only *"));
  EXPECT_THAT(refusal_of(R"({"op":"delete","key":"a","value":1})"), HasSubstr("a delete has no \"value\""));
  EXPECT_THAT(refusal_of(R"({"op":"check","key":"a"})"), HasSubstr("a check needs"));
}

TEST(V2Commands, BodiesThatAreNone) {
  for (const char* body : {"", "[]", "{\"items\":{}}", "{\"other\":[]}", "{\"items\":[", "7"})
    EXPECT_EQ(decode_commands(body, "items").error().code, Errc::invalid_argument) << body;
  EXPECT_TRUE(decode_commands(R"({"items":[]})", "items")->empty()) << "that is refused later, by the call";
  std::string many = R"({"items":[7)";
  for (std::size_t i = 0; i < kBatchMax; ++i) many += ",7";
  EXPECT_THAT(decode_commands(many + "]}", "items").error().message, HasSubstr("at most 1000"));
}

TEST(V2BatchGet, IsKeysAndWhetherTheirValuesAreWanted) {
  const auto command = decode_batch_get(R"({"keys":["b","a\n"],"values":false})");
  ASSERT_TRUE(command);
  EXPECT_THAT(command->keys, ElementsAre("b", "a\n"));
  EXPECT_FALSE(command->want_values);
  EXPECT_TRUE(decode_batch_get(R"({"keys":[]})")->want_values);
  for (const char* body : {R"({"keys":"a"})", R"({"keys":[1]})", R"({"values":1})", R"({"key":[]})", "null"})
    EXPECT_EQ(decode_batch_get(body).error().code, Errc::invalid_argument) << body;
}

TEST(V2Patch, ItsContentTypeSaysWhatItDoes) {
  EXPECT_EQ(patch_kind_of("application/merge-patch+json; charset=utf-8").value(), PatchCommand::Kind::merge);
  EXPECT_EQ(patch_kind_of("Application/vnd.holdfast.increment+json").value(), PatchCommand::Kind::increment);
  EXPECT_EQ(patch_kind_of("application/vnd.holdfast.append").value(), PatchCommand::Kind::append);
  EXPECT_EQ(patch_kind_of("application/vnd.holdfast.append+json").value(), PatchCommand::Kind::append_element);
  EXPECT_THAT(patch_kind_of("application/json").error().message, HasSubstr("merge-patch"));
}

TEST(V2Parameters, ThoseOfAListing) {
  ListCommand command;
  ASSERT_TRUE(
      read_list_parameters("like=a%25&limit=7&values=true&tag.c=red&index.user_id=12%203&consistency=strong", command));
  EXPECT_EQ(command.like, "a%");
  EXPECT_EQ(command.limit, 7u);
  EXPECT_TRUE(command.want_values);
  EXPECT_THAT(command.tags, ElementsAre(Pair("c", "red")));
  EXPECT_THAT(command.indexes, ElementsAre(Pair("user_id", "12 3")));
  for (const char* query : {"limit=0", "limit=1001", "limit=x", "like=", "other=1"})
    EXPECT_EQ(read_list_parameters(query, command).error().code, Errc::invalid_argument) << query;
}

TEST(V2Parameters, APatchWithoutATtlKeepsIt) {
  PatchCommand command;
  ASSERT_TRUE(read_patch_parameters("modifiedBy=me", command));
  EXPECT_EQ(command.ttl, std::nullopt);
  ASSERT_TRUE(read_patch_parameters("ttl=0", command));
  EXPECT_EQ(command.ttl, Milliseconds(0));
  ASSERT_TRUE(read_patch_parameters("ttl=2", command));
  EXPECT_EQ(command.ttl, std::chrono::seconds(2));
}

TEST(WatchParameters, AreAPrefixOrAKey) {
  WatchCommand command;
  ASSERT_TRUE(read_watch_parameters("prefix=a%2Fb&values=true", command));
  EXPECT_EQ(command.prefix, "a/b");
  EXPECT_FALSE(command.key);
  EXPECT_TRUE(command.want_values);
  ASSERT_TRUE(read_watch_parameters("key=", command = {}));
  EXPECT_EQ(command.key, "");
  for (const char* query : {"key=a&prefix=b", "values=perhaps", "limit=1"})
    EXPECT_FALSE(read_watch_parameters(query, command = {})) << query;
}

}  // namespace
}  // namespace holdfast::api
