#include "cli/state_show.h"

#include <gtest/gtest.h>

namespace holdfast::cli {
namespace {

HttpResponse answer(int status, std::string body) {
  HttpResponse response;
  response.status = status;
  response.body = std::move(body);
  return response;
}

TEST(StateFailure, AProblemDocumentIsToldInItsOwnWords) {
  const auto response =
      answer(412, R"({"type":"urn:holdfast:problem:precondition-failed","title":"Not as expected","status":412,)"
                  R"("detail":"a live record is there","etag":"\"e1\""})");
  EXPECT_EQ(failure_text(response), "Not as expected: a live record is there\nThe record's etag is \"e1\" (412)");
  EXPECT_EQ(exit_code_of(response), kFailed);
}

TEST(StateFailure, PlainTextAndNothingAreToldWithTheStatus) {
  EXPECT_EQ(failure_text(answer(503, "too many bytes in flight\n")), "503: too many bytes in flight");
  EXPECT_EQ(failure_text(answer(500, "")), "500");
  EXPECT_EQ(failure_text(answer(500, "{}")), "the request failed (500)");
}

TEST(StateFailure, AWrongTokenSaysWhereTheTokenComesFrom) {
  EXPECT_NE(failure_text(answer(401, "invalid api token\n")).find("DAPR_API_TOKEN"), std::string::npos);
}

TEST(StateFailure, ExitCodesTellMissingFromFailed) {
  EXPECT_EQ(exit_code_of(answer(201, "")), kDone);
  EXPECT_EQ(exit_code_of(answer(204, "")), kDone);
  EXPECT_EQ(exit_code_of(answer(304, "")), kFailed);
  EXPECT_EQ(exit_code_of(answer(404, "")), kNotFound);
  EXPECT_EQ(exit_code_of(answer(500, "")), kFailed);
}

TEST(StateRecord, IsShownLineByLine) {
  const auto text = record_text(
      R"({"key":"k","created":"C","createdBy":"app","modified":"M","modifiedBy":"","tags":{"a":"1","b":"2"},"ttl":9,)"
      R"("etag":"\"e\"","contentType":"application/json","value":{"x": 1}})");
  ASSERT_TRUE(text);
  EXPECT_EQ(*text,
            "key       k\n"
            "etag      \"e\"\n"
            "type      application/json\n"
            "created   C by app\n"
            "modified  M\n"
            "ttl       9 s\n"
            "tags      a=1, b=2\n"
            "value     {\"x\":1}\n");
}

TEST(StateRecord, UnknownFieldsAndNoExpiryAreLeftOut) {
  const auto text = record_text(R"({"key":"k","created":null,"createdBy":null,"tags":null,"ttl":-1,"etag":"\"e\"",)"
                                R"("contentType":"text/plain","valueBase64":"aGk="})");
  ASSERT_TRUE(text);
  EXPECT_EQ(*text,
            "key       k\n"
            "etag      \"e\"\n"
            "type      text/plain\n"
            "value     hi\n");
}

TEST(StateRecord, BytesThatAreNoTextAreCounted) {
  const auto text = record_text(R"({"key":"k","valueBase64":"/w=="})");
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, "key       k\nvalue     (1 bytes)\n");
}

TEST(StateRecord, ALongValueIsCutBetweenCharacters) {
  std::string body = R"({"key":"k","value":")" + std::string(198, 'a') + "\u00e9\u00e9\"}";
  const auto text = record_text(body);
  ASSERT_TRUE(text);
  // The quote, 198 letters, and no half of the next character.
  EXPECT_EQ(*text, "key       k\nvalue     \"" + std::string(198, 'a') + "... (204 bytes)\n");
}

TEST(StateRecord, WhatIsNoRecordIsAnError) {
  EXPECT_FALSE(record_text("[]"));
  EXPECT_FALSE(record_text("{"));
}

TEST(StateListing, KeysStandOneToALineAndTheCursorIsKept) {
  const auto page =
      page_of(R"({"items":[{"key":"a","etag":"1"},{"key":"b\nc","etag":"2"}],"cursor":"C"})", false, false, true);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->text, "a\nb\\x0ac\n");
  EXPECT_EQ(page->items, 2u);
  EXPECT_EQ(page->cursor, "C");
}

TEST(StateListing, ValuesFollowTheirKeys) {
  const auto page = page_of(R"({"items":[{"key":"a","value":[1, 2]},{"key":"b","valueBase64":"aGk="}],"cursor":null})",
                            true, false, true);
  ASSERT_TRUE(page);
  EXPECT_EQ(page->text, "a\t[1,2]\nb\thi\n");
  EXPECT_EQ(page->cursor, "");
}

TEST(StateListing, JsonPagesJoinToOneList) {
  constexpr std::string_view kBody = R"({"items":[{"key":"a"},{"key":"b"}],"cursor":null})";
  EXPECT_EQ(page_of(kBody, false, true, true)->text, "{\"key\":\"a\"},\n{\"key\":\"b\"}");
  EXPECT_EQ(page_of(kBody, false, true, false)->text, ",\n{\"key\":\"a\"},\n{\"key\":\"b\"}");
  EXPECT_EQ(page_of(R"({"items":[],"cursor":null})", false, true, false)->text, "");
}

TEST(StateListing, WhatIsNoListingIsAnError) {
  EXPECT_FALSE(page_of("{}", false, false, true));
  EXPECT_FALSE(page_of(R"({"items":{}})", false, false, true));
}

TEST(StateTransaction, IsALineForEachOperation) {
  const auto text =
      transaction_text(R"({"results":[{"key":"a","status":201,"etag":"\"1\""},{"key":"b","status":200,"etag":"\"2\""},)"
                       R"({"key":"c","status":204},{"key":"d","status":404},{"key":"e","status":200}]})");
  ASSERT_TRUE(text);
  EXPECT_EQ(*text, "created  a \"1\"\nsaved    b \"2\"\ndeleted  c \nabsent   d \nchecked  e \n");
  EXPECT_FALSE(transaction_text("[]"));
}

constexpr const char* kStores =
    R"({"stores":[{"name":"mem","type":"state.in-memory","version":"v1","capabilities":{"etag":true,"list":false,)"
    R"("keyBytesMax":null,"reads":{"strong":"strong","session":"strong"}}},{"name":"far","type":"state.redis","version":"v1"}]})";
constexpr const char* kHealth =
    R"({"stores":{"mem":{"status":"up"},"far":{"status":"down","reason":"no answer"}},"status":"down"})";

TEST(StateInfo, IsALineForEachStoreOrAllOfOne) {
  EXPECT_EQ(info_text(kStores, kHealth, "", false).value(),
            "mem                  state.in-memory    v1   up\n"
            "far                  state.redis        v1   down: no answer\n");
  EXPECT_EQ(info_text(kStores, kHealth, "mem", false).value(),
            "store     mem\ntype      state.in-memory/v1\nhealth    up\n\n"
            "etag                    yes\nlist                    no\nkeyBytesMax             no limit\n"
            "reads                   strong, session (as strong)\n");
  EXPECT_EQ(info_text(kStores, kHealth, "none", false).error().code, Errc::not_found);
  EXPECT_EQ(info_text(kStores, kHealth, "far", true).value(),
            "{\"name\":\"far\",\"type\":\"state.redis\",\"version\":\"v1\",\"health\":\"down: no answer\"}\n");
}

TEST(StateClear, CountsAndSaysWhetherToGoOn) {
  const auto step = cleared_of(R"({"deleted":7,"more":true})");
  ASSERT_TRUE(step);
  EXPECT_EQ(step->deleted, 7u);
  EXPECT_TRUE(step->more);
  EXPECT_FALSE(cleared_of("{}"));
}

TEST(StateEvent, IsALineForPeopleOrForPrograms) {
  const http::ServerEvent put{"put", "a.2", R"({"key":"k\n","etag":"\"7\""})"};
  EXPECT_EQ(event_text(put, false, false), "put     k\\x0a \"7\"\n");
  EXPECT_EQ(event_text(put, false, true), R"({"event":"put","key":"k\n","etag":"\"7\"","resume":"a.2"})"
                                          "\n");
  const http::ServerEvent record{"put", "", R"({"key":"k","etag":"\"7\"","value":{"a": 1}})"};
  EXPECT_EQ(event_text(record, true, false), "put     k \"7\"\t{\"a\":1}\n");
  EXPECT_EQ(event_text(record, true, true),
            R"({"event":"put","key":"k","etag":"\"7\"","record":{"key":"k","etag":"\"7\"","value":{"a":1}}})"
            "\n");
  EXPECT_EQ(event_text({"expire", "a.3", R"({"key":"k"})"}, true, false), "expire  k\n");
  EXPECT_EQ(event_text({"ready", "a.1", "{}"}, false, false), "ready\n");
  EXPECT_EQ(event_text({"resync", "a.1", "{}"}, false, true), "{\"event\":\"resync\",\"resume\":\"a.1\"}\n");
  EXPECT_FALSE(event_text({"put", "a.1", "no JSON"}, false, false));
}

}  // namespace
}  // namespace holdfast::cli
