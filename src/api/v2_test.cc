#include "api/v2.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/record_json.h"
#include "wire/json/json.h"

namespace holdfast::api {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(EntityTag, QuotesWhatMayStandInATag) {
  EXPECT_EQ(entity_tag("17"), "\"17\"");
  EXPECT_EQ(entity_tag("a-b_c~!"), "\"a-b_c~!\"");
  EXPECT_EQ(entity_tag(""), "\"\"");
}

TEST(EntityTag, BytesThatMayNotStandInATagAreEncoded) {
  EXPECT_EQ(entity_tag("a b"), "\"b64.YSBi\"");
  EXPECT_EQ(entity_tag("a\"b"), "\"b64.YSJi\"");
  EXPECT_EQ(entity_tag(std::string_view("\0\xff", 2)), "\"b64.AP8\"");
}

TEST(EntityTag, InJsonItIsTheSame) {
  for (const std::string_view etag : {"17", "", "a<b\\c&", "a b", "a\"b", "b64.x", "1795759427015120"}) {
    std::string expected;
    json::append_string(expected, entity_tag(etag));
    std::string out;
    append_entity_tag_json(out, etag);
    EXPECT_EQ(out, expected);
  }
}

TEST(EntityTag, AnEtagThatLooksEncodedIsEncodedSoThatItComesBack) {
  EXPECT_EQ(from_entity_tag(entity_tag("b64.YSBi")), "b64.YSBi");
}

TEST(EntityTag, IsReadWithAndWithoutItsQuotesAndWeak) {
  EXPECT_EQ(from_entity_tag("\"17\""), "17");
  EXPECT_EQ(from_entity_tag("17"), "17");
  EXPECT_EQ(from_entity_tag("W/\"17\""), "17");
  EXPECT_EQ(from_entity_tag("\"b64.YSBi\""), "a b");
  EXPECT_EQ(from_entity_tag("b64.not base64"), "b64.not base64");
}

TEST(EntityTags, AListIsSplitAtCommasOutsideTheQuotes) {
  EXPECT_THAT(entity_tags("\"a\", \"b,c\" ,d"), ElementsAre("a", "b,c", "d"));
  EXPECT_THAT(entity_tags("W/\"a\",W/\"b\""), ElementsAre("a", "b"));
  EXPECT_THAT(entity_tags(" , ,"), IsEmpty());
  EXPECT_THAT(entity_tags("\"open"), ElementsAre("\"open"));
}

TEST(EntityTags, OnlyABareStarMeansAny) {
  EXPECT_THAT(entity_tags("*"), ElementsAre("*"));
  EXPECT_THAT(entity_tags("\"*\""), ElementsAre("\"*\""));
}

TEST(V2Key, IsOneTo1024BytesOfUtf8WithoutASeparator) {
  EXPECT_TRUE(check_v2_key("a"));
  EXPECT_TRUE(check_v2_key("orders/17|x y\u00e4"));
  EXPECT_TRUE(check_v2_key(std::string(1024, 'k')));
  for (const std::string& key : {std::string(), std::string(1025, 'k'), std::string("a||b"), std::string("\xff")})
    EXPECT_EQ(check_v2_key(key).error().code, Errc::invalid_argument);
}

TEST(ContentType, JsonIsKnownByItsNameOrSuffix) {
  EXPECT_TRUE(is_json_type("application/json"));
  EXPECT_TRUE(is_json_type("Application/JSON; charset=utf-8"));
  EXPECT_TRUE(is_json_type("application/vnd.api+json"));
  EXPECT_FALSE(is_json_type("+json"));
  EXPECT_FALSE(is_json_type("text/json"));
  EXPECT_FALSE(is_json_type(""));
}

TEST(ContentType, OfARecordIsItsOwnOrFollowsItsShape) {
  state::Record record;
  EXPECT_EQ(content_type_of(record), "application/octet-stream");
  record.shape = state::Shape::json;
  EXPECT_EQ(content_type_of(record), "application/json");
  record.fields.emplace().content_type = "text/css";
  EXPECT_EQ(content_type_of(record), "text/css");
}

std::string record_json(const state::Record& record, std::string_view value, WallTime now = {}) {
  service::StoreEntry entry;
  entry.name = "s";
  std::string out;
  append_record_json(out, {entry}, "k", record, value, now);
  return out;
}

TEST(RecordJson, WhatTheStoreDoesNotKnowIsNull) {
  state::Record record;
  record.etag = "1";
  EXPECT_EQ(
      record_json(record, "hi"),
      R"({"id":"k","partitionKey":"k","key":"k","created":null,"createdBy":null,"modified":null,"modifiedBy":null,"tags":null,)"
      R"("stateStoreName":"s","isolationMode":false,"isolationKey":null,"ttl":-1,"expires":null,"etag":"\"1\"",)"
      R"("contentType":"application/octet-stream","valueBase64":"aGk=","stateReference":{"stateStoreName":"s","id":"k"}})");
}

TEST(RecordJson, NamesTheIsolationKeyOfARecordThatHasOne) {
  service::StoreEntry entry;
  entry.name = "s";
  std::string out;
  append_record_json(out, {entry, "K"}, "k", state::Record(), "", {});
  EXPECT_THAT(out, HasSubstr(R"("stateStoreName":"s","isolationMode":true,"isolationKey":"K")"));
}

TEST(RecordJson, FieldsTagsAndJsonValuesAreShown) {
  state::Record record;
  record.shape = state::Shape::json;
  record.etag = "1";
  record.fields.emplace();
  record.fields->created = WallTime{1'500'000};
  record.fields->created_by = "a";
  record.fields->modified = WallTime{2'000'000};
  record.fields->modified_by = "b";
  record.fields->tags = {{"x", "y"}};
  const std::string json = record_json(record, "[1, 2.50]");
  EXPECT_THAT(json, HasSubstr(R"("created":"1970-01-01T00:00:01.5000000+00:00","createdBy":"a")"));
  EXPECT_THAT(json, HasSubstr(R"("modified":"1970-01-01T00:00:02.0000000+00:00","modifiedBy":"b","tags":{"x":"y"})"));
  EXPECT_THAT(json, HasSubstr(R"("value":[1,2.50])"));
}

TEST(RecordJson, JsonThatIsDamagedIsShownAsBytes) {
  state::Record record;
  record.shape = state::Shape::json;
  EXPECT_THAT(record_json(record, "{"), HasSubstr(R"("valueBase64":"ew==")"));
}

TEST(RecordJson, TheTtlIsWhatIsLeftInSeconds) {
  state::Record record;
  record.expires_at = WallTime::from_ms(3'600'000);
  EXPECT_THAT(record_json(record, ""), HasSubstr("\"ttl\":3600,"));
  // Stores round an expiry up to a millisecond: that is no further second.
  EXPECT_THAT(record_json(record, "", WallTime{-500}), HasSubstr("\"ttl\":3600,"));
  EXPECT_THAT(record_json(record, "", WallTime::from_ms(3'599'500)), HasSubstr("\"ttl\":1,"));
  EXPECT_THAT(record_json(record, "", WallTime::from_ms(4'000'000)), HasSubstr("\"ttl\":0,"));
}

}  // namespace
}  // namespace holdfast::api
