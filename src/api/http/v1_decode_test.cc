#include "api/http/v1_decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::api {
namespace {

using testing::ElementsAre;
using testing::Pair;

Result<std::vector<V1Item>> save(std::string_view body) {
  json::Parser parser;
  return decode_save(parser, body);
}

TEST(DecodeSave, TakesEveryField) {
  const auto items = save(R"([{"key":"k","value":{"b":2.50,"a":"<"},"etag":"7","metadata":{"ttlInSeconds":"5"},)"
                          R"("options":{"concurrency":"first-write","consistency":"strong"},"contentType":"text/x"}])");
  ASSERT_TRUE(items) << items.error().message;
  ASSERT_EQ(items->size(), 1u);
  const V1Item& item = items->front();
  EXPECT_EQ(item.key, "k");
  EXPECT_EQ(item.value, R"({"a":"\u003c","b":2.5})");
  EXPECT_EQ(item.shape, state::Shape::json);
  EXPECT_EQ(item.etag, "7");
  EXPECT_EQ(item.concurrency, "first-write");
  EXPECT_EQ(item.consistency, "strong");
  EXPECT_THAT(item.metadata, ElementsAre(Pair("ttlInSeconds", "5"), Pair("contentType", "text/x")));
}

TEST(DecodeSave, NamesAreReadInAnyCaseAndUnknownOnesPassedOver) {
  const auto items = save(R"([{"KEY":"k","VaLuE":1,"other":[{}]}])");
  ASSERT_TRUE(items);
  EXPECT_EQ(items->front().key, "k");
  EXPECT_EQ(items->front().value, "1");
}

TEST(DecodeSave, AMissingValueIsNull) {
  EXPECT_EQ(save(R"([{"key":"k"}])")->front().value, "null");
  EXPECT_EQ(save(R"([{"key":"k","value":null}])")->front().value, "null");
}

TEST(DecodeSave, NumbersBecomeDoubles) {
  EXPECT_EQ(save(R"([{"value":12345678901234567890}])")->front().value, "12345678901234567000");
  EXPECT_EQ(save(R"([{"value":1e30}])")->front().value, "1e+30");
}

TEST(DecodeSave, NullAndEmptyListsHoldNothing) {
  EXPECT_TRUE(save("null")->empty());
  EXPECT_TRUE(save("[]")->empty());
  EXPECT_TRUE(save("[] rubbish")->empty());
}

TEST(DecodeSave, ABodyThatIsAStringHoldingTheListIsRead) {
  const auto items = save(R"("[{\"key\":\"k\",\"value\":1}]")");
  ASSERT_TRUE(items);
  EXPECT_EQ(items->front().key, "k");
}

TEST(DecodeSave, AnEtagGivenAsANumberKeepsItsDigits) {
  EXPECT_EQ(save(R"([{"etag":18446744073709551615}])")->front().etag, "18446744073709551615");
  EXPECT_EQ(save(R"([{"etag":-3}])")->front().etag, "-3");
}

struct Bad {
  const char* name;
  const char* body;
  const char* says;
};

class BadSave : public testing::TestWithParam<Bad> {};

TEST_P(BadSave, IsToldInGosWords) {
  const auto items = save(GetParam().body);
  ASSERT_FALSE(items);
  EXPECT_EQ(items.error().code, Errc::invalid_argument);
  EXPECT_EQ(items.error().message, GetParam().says);
}

INSTANTIATE_TEST_SUITE_P(
    All, BadSave,
    testing::Values(
        Bad{"Empty", "", "EOF"}, Bad{"CutShort", "[", "unexpected EOF"},
        Bad{"Object", "{}", "json: cannot unmarshal object into Go value of type []state.SetRequest"},
        Bad{"ListOfNumbers", "[1]", "json: cannot unmarshal number into Go value of type state.SetRequest"},
        Bad{"KeyIsNumber", R"([{"key":1}])",
            "json: cannot unmarshal number into Go struct field SetRequest.key of type string"},
        Bad{"EtagIsObject", R"([{"etag":{}}])",
            "json: cannot unmarshal object into Go struct field SetRequest.etag of type string"},
        Bad{"MetadataIsList", R"([{"metadata":[]}])",
            "json: cannot unmarshal array into Go struct field SetRequest.metadata of type map[string]string"},
        Bad{"MetadataValueIsNumber", R"([{"metadata":{"ttlInSeconds":5}}])",
            "json: cannot unmarshal number into Go struct field SetRequest.metadata of type string"},
        Bad{"OptionIsBool", R"([{"options":{"concurrency":true}}])",
            "json: cannot unmarshal bool into Go struct field SetStateOption.options.concurrency of type "
            "string"},
        Bad{"NotJson", "[}", "invalid character '}' looking for beginning of value"}),
    [](const auto& info) { return info.param.name; });

TEST(DecodeBulkGet, TakesKeysInOrderAndNullAsEmpty) {
  json::Parser parser;
  const auto body = decode_bulk_get(parser, R"({"keys":["b","a",null],"parallelism":3,"metadata":{"x":"y"}})");
  ASSERT_TRUE(body);
  EXPECT_THAT(body->keys, ElementsAre("b", "a", ""));
  EXPECT_THAT(body->metadata, ElementsAre(Pair("x", "y")));
  EXPECT_TRUE(decode_bulk_get(parser, "{}")->keys.empty());
  EXPECT_TRUE(decode_bulk_get(parser, "null")->keys.empty());
}

TEST(DecodeBulkGet, ParallelismHasToBeAnInteger) {
  json::Parser parser;
  const auto body = decode_bulk_get(parser, R"({"parallelism":"3"})");
  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().message,
            "json: cannot unmarshal string into Go struct field BulkGetRequest.parallelism of type int");
}

struct Transaction {
  json::Parser parser;
  bool bad_operation = true;
  Result<TransactionBody> body;
  explicit Transaction(std::string_view text) : body(decode_transaction(parser, text, bad_operation)) {}
};

TEST(DecodeTransaction, TakesOperationsInOrder) {
  const Transaction t(R"({"operations":[{"operation":"upsert","request":{"key":"a","value":[1]}},)"
                      R"({"operation":"delete","request":{"key":"b","etag":"3"}},{"operation":"upsert"}]})");
  ASSERT_TRUE(t.body) << t.body.error().message;
  EXPECT_FALSE(t.bad_operation);
  const auto& operations = t.body->operations;
  ASSERT_EQ(operations.size(), 3u);
  EXPECT_FALSE(operations[0].is_delete);
  EXPECT_EQ(operations[0].item.value, "[1]");
  EXPECT_TRUE(operations[1].is_delete);
  EXPECT_EQ(operations[1].item.etag, "3");
  EXPECT_EQ(operations[2].item.key, "");
  EXPECT_EQ(operations[2].item.value, "null");
}

TEST(DecodeTransaction, AnotherOperationIsTheFirstError) {
  const Transaction t(R"({"operations":[{"operation":"Upsert","request":7},{"operation":"upsert","request":7}]})");
  ASSERT_FALSE(t.body);
  EXPECT_TRUE(t.bad_operation);
  EXPECT_EQ(t.body.error().message, "Upsert");
}

TEST(DecodeTransaction, RequestsOfTheWrongKindAreToldInMapstructuresWords) {
  const Transaction text(R"({"operations":[{"operation":"upsert","request":"x"}]})");
  ASSERT_FALSE(text.body);
  EXPECT_FALSE(text.bad_operation);
  EXPECT_EQ(text.body.error().message, "'' expected a map, got 'string'");
  const Transaction key(R"({"operations":[{"operation":"upsert","request":{"key":1}}]})");
  ASSERT_FALSE(key.body);
  EXPECT_EQ(key.body.error().message,
            "1 error(s) decoding:\n\n* 'Key' expected type 'string', got unconvertible type 'float64', value: '1'");
}

TEST(DecodeTransaction, NothingIsAnEmptyTransaction) {
  EXPECT_TRUE(Transaction("{}").body->operations.empty());
  EXPECT_TRUE(Transaction("null").body->operations.empty());
  EXPECT_TRUE(Transaction(R"({"operations":null})").body->operations.empty());
}

}  // namespace
}  // namespace holdfast::api
