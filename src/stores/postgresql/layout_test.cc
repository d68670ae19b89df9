// Going from Dapr to us and back, in both layouts of Dapr's; and what Dapr's own store does wrong on them.
#include "stores/postgresql/layout_testing.h"

namespace holdfast::stores::postgresql {
namespace {

using state::Precondition;
using state::Shape;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kBytes{"\0\xff\"'\\|", 6};
constexpr std::string_view kJson = R"({"a":[1,2.50],"b":"<ü>"})";
// As jsonb prints it.
constexpr std::string_view kJsonbText = R"({"a": [1, 2.50], "b": "<ü>"})";

std::string json_text() { return std::string(LayoutTest::GetParam() == Layout::v2 ? kJson : kJsonbText); }

using PostgresqlLayout = LayoutTest;

INSTANTIATE_TEST_SUITE_P(Postgresql, PostgresqlLayout, testing::Values(Layout::v1, Layout::v2), name_of);

// ---- From Dapr

TEST_P(PostgresqlLayout, RecordsOfDaprAreRead) {
  dapr().init();
  dapr().save("app||json", Dapr::json(std::string(kJson)));
  dapr().save("app||bytes", Dapr::bytes(std::string(kBytes)));
  dapr().save("app||later", Dapr::json("2"), 3600);
  dapr().save("app||old", Dapr::json("3"));
  dapr().expire("app||old");
  const auto us = open();
  const auto json = us->get("app||json");
  ASSERT_TRUE(json);
  EXPECT_EQ(json->value, json_text());
  EXPECT_EQ(json->shape, is_v2() ? Shape::bytes : Shape::json) << "of v2 nothing tells the two apart";
  EXPECT_EQ(json->etag, dapr().etag("app||json"));
  EXPECT_FALSE(json->expires_at);
  const auto bytes = us->get("app||bytes");
  ASSERT_TRUE(bytes);
  EXPECT_EQ(bytes->value, kBytes);
  EXPECT_EQ(bytes->shape, Shape::bytes);
  const auto later = us->get("app||later");
  ASSERT_TRUE(later && later->expires_at && later->fields);
  EXPECT_EQ(later->expires_at->us - later->fields->modified.us, 3'600'000'000);
  EXPECT_EQ(later->fields->created_by, "");
  EXPECT_FALSE(us->get("app||old"));
  EXPECT_THAT(us->keys("app||"), ElementsAre("app||bytes", "app||json", "app||later"));
}

TEST_P(PostgresqlLayout, RecordsOfDaprAreContinued) {
  dapr().init();
  for (const char* key : {"changed", "erased", "kept", "old"}) dapr().save(key, Dapr::json("1"), 3600);
  dapr().expire("old");
  const auto us = open();
  const Etag changed(dapr().etag("changed")), erased(dapr().etag("erased"));
  EXPECT_TRUE(us->set(put_json("changed", "2", changed.when())));
  EXPECT_EQ(us->set(put_json("changed", "3", changed.when())).error().code, Errc::precondition_failed);
  EXPECT_EQ(us->erase("erased", changed.when()).error().code, Errc::precondition_failed);
  EXPECT_TRUE(us->erase("erased", erased.when()));
  const auto reborn = us->set(put_json("old", "4", Precondition::absent()));
  EXPECT_EQ(reborn.value().created, true);
  const auto before = dapr().get("kept");
  state::SetRequest keeping = put_json("kept", "5");
  keeping.keep_expiry = true;
  EXPECT_TRUE(us->set(keeping));
  EXPECT_EQ(dapr().get("changed")->value.text, "2");
  EXPECT_FALSE(dapr().get("erased"));
  EXPECT_EQ(dapr().get("old")->expires, std::nullopt);
  EXPECT_EQ(dapr().get("kept")->expires, before->expires);
}

TEST_P(PostgresqlLayout, ARecordThatDaprRewroteHasNoFieldsRatherThanStaleOnes) {
  const auto us = open();
  const state::Pairs pairs{{"city", "Köln"}};
  for (const char* key : {"updated", "saved", "made anew"}) {
    state::SetRequest request = put_json(key, "1");
    request.content_type = "application/json";
    request.tags = pairs;
    request.indexes = pairs;
    ASSERT_TRUE(us->set(request));
    ASSERT_EQ(us->get(key)->fields->tags, pairs);
  }
  ASSERT_THAT(us->find("city", "Köln"), ElementsAre("made anew", "saved", "updated"));
  EXPECT_EQ(dapr().update("updated", Dapr::json("2"), dapr().etag("updated")), 1u);
  EXPECT_EQ(dapr().save("saved", Dapr::json("2")), 1u);
  EXPECT_EQ(dapr().remove("made anew"), 1u);
  EXPECT_EQ(dapr().save("made anew", Dapr::json("2")), 1u);
  EXPECT_THAT(us->find("city", "Köln"), IsEmpty());
  for (const char* key : {"updated", "saved", "made anew"}) {
    const auto found = us->get(key);
    ASSERT_TRUE(found && found->fields) << key;
    EXPECT_EQ(found->value, "2");
    EXPECT_EQ(found->shape, is_v2() ? Shape::bytes : Shape::json);
    EXPECT_EQ(found->fields->created_by + found->fields->modified_by + found->fields->content_type, "");
    EXPECT_THAT(found->fields->tags, IsEmpty());
    EXPECT_THAT(found->fields->indexes, IsEmpty());
    // Dapr's columns say when.
    EXPECT_EQ(found->fields->created == found->fields->modified, std::string_view(key) == "made anew");
    ASSERT_TRUE(us->set(put_json(key, "3"), "them"));
    EXPECT_EQ(us->get(key)->fields->created_by, "them") << "not who had made it before Dapr changed it";
  }
  EXPECT_THAT(us->find("city", "Köln"), IsEmpty());
}

// ---- To Dapr

TEST_P(PostgresqlLayout, RowsAreWrittenAsDaprWritesThem) {
  const auto us = open();
  state::SetRequest bytes = put("bytes", kBytes);
  bytes.ttl = Milliseconds(90'500);
  const auto written = us->set(bytes);
  ASSERT_TRUE(us->set(put_json("json", kJson)));
  ASSERT_TRUE(us->set(put_json("json", kJson)));
  const std::string value = is_v2() ? "encode(value, 'escape'), etag::text" : "value::text, isbinary::text, xmin::text";
  const auto rows = dapr().query(
      "SELECT key, {created} BETWEEN now() - interval '1 minute' AND now(), {updated} >= "
      "{created}, {expires} - coalesce({updated}, {created}), row_id, " +
      value + " FROM {table} ORDER BY key");
  ASSERT_EQ(rows.size(), 2u);
  const auto& [key, is_fresh, updated, ttl, row_id, text] =
      std::tie(rows[0][0], rows[0][1], rows[0][2], rows[0][3], rows[0][4], rows[0][5]);
  EXPECT_EQ(key, "bytes");
  EXPECT_EQ(is_fresh, "t");
  EXPECT_EQ(updated, std::nullopt) << "it was never changed";
  EXPECT_EQ(ttl, "00:01:30.5");
  EXPECT_EQ(row_id, "1");
  EXPECT_EQ(text, is_v2() ? R"(\000\377"'\\|)" : R"("AP8iJ1x8")");
  EXPECT_EQ(rows[0].back(), written.value().etag);
  EXPECT_EQ(rows[1][2], "t");
  EXPECT_EQ(rows[1][3], std::nullopt);
  EXPECT_EQ(rows[1][5], is_v2() ? R"({"a":[1,2.50],"b":"<\303\274>"})" : kJsonbText);
  if (!is_v2()) {
    EXPECT_EQ(rows[0][6], "true");
    EXPECT_EQ(rows[1][6], "false");
  }
}

TEST_P(PostgresqlLayout, DaprsStatementsWorkOnOurRows) {
  const auto us = open();
  const std::string etag = us->set(put("k", kBytes)).value().etag;
  ASSERT_TRUE(us->set(put_json("json", kJson)));
  EXPECT_EQ(dapr().get("k")->value.text, kBytes);
  EXPECT_EQ(dapr().get("k")->value.is_bytes, true);
  EXPECT_EQ(dapr().get("k")->etag, etag);
  EXPECT_EQ(dapr().get("json")->value.text, json_text());
  EXPECT_EQ(dapr().get("json")->value.is_bytes, is_v2());
  EXPECT_EQ(dapr().first_write("k", Dapr::json("1")), 0u);
  EXPECT_EQ(dapr().update("k", Dapr::json("1"), etag, 60), 1u);
  EXPECT_EQ(dapr().update("k", Dapr::json("2"), etag), 0u) << "the etag has changed";
  EXPECT_EQ(dapr().remove("k", etag), 0u);
  const Etag daprs(dapr().etag("k"));
  const std::string ours = us->set(put_json("k", "3", daprs.when())).value().etag;
  EXPECT_NE(ours, daprs.bytes);
  EXPECT_EQ(dapr().remove("k", ours), 1u);
  EXPECT_FALSE(us->get("k"));
  dapr().expire("json");
  EXPECT_FALSE(dapr().get("json"));
  EXPECT_EQ(dapr().first_write("json", Dapr::json("4")), 1u);
  EXPECT_EQ(us->value("json"), "4");
}

TEST_P(PostgresqlLayout, DaprListsOurRowsPageByPageAsTheyWereMade) {
  const auto us = open();
  for (const char* key : {"w||c", "w||a", "other", "w||b", "w||old"}) ASSERT_TRUE(us->set(put(key, "1")));
  ASSERT_TRUE(us->set(put("w||c", "2"))) << "which does not move it";
  dapr().expire("w||old");
  std::string token = "0";
  EXPECT_THAT(dapr().keys_like("w||%", 2, token), ElementsAre("w||c", "w||a"));
  EXPECT_THAT(dapr().keys_like("w||%", 2, token), ElementsAre("w||b"));
  EXPECT_THAT(dapr().keys_like("w||%", 2, token), IsEmpty());
}

TEST_P(PostgresqlLayout, DaprsCleanupTakesOurExpiredRowsAndNoOthers) {
  const auto us = open();
  state::SetRequest old = put("old", "1");
  const state::Pairs pairs{{"n", "v"}};
  old.ttl = Milliseconds(3'600'000);
  old.indexes = pairs;
  ASSERT_TRUE(us->set(old));
  old.key = "later";
  ASSERT_TRUE(us->set(old));
  ASSERT_TRUE(us->set(put("ever", "1")));
  dapr().expire("old");
  EXPECT_EQ(dapr().sweep(3'600'000), 1u);
  EXPECT_EQ(dapr().sweep(3'600'000), std::nullopt);
  EXPECT_THAT(us->keys(), ElementsAre("ever", "later"));
  EXPECT_THAT(us->find("n", "v"), ElementsAre("later"));
  EXPECT_EQ(us->set(put("old", "2", Precondition::absent())).value().created, true);
  EXPECT_THAT(us->find("n", "v"), ElementsAre("later"));
}

// ---- Defects of Dapr's that we do not share

TEST_P(PostgresqlLayout, AFirstWriteOfWhatIsThereIsAFailedPrecondition) {
  dapr().init();
  dapr().save("k", Dapr::json("1"));
  const auto us = open();
  const auto refused = us->set(put("k", "2", Precondition::absent()));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::precondition_failed);
  EXPECT_EQ(refused.error().current_etag, dapr().etag("k"));
  EXPECT_EQ(us->value("k"), "1");
}

TEST_P(PostgresqlLayout, AnEtagThatCanBeNoneIsInvalidWithV1AndAMismatchWithV2) {
  const auto us = open();
  ASSERT_TRUE(us->set(put("k", "1")));
  const Errc expected = is_v2() ? Errc::precondition_failed : Errc::etag_invalid;
  for (const char* text : {"x", "-1", "4294967296", "1 OR true", "' OR '1'='1", "99999999999999999999999"}) {
    const Etag etag(text);
    EXPECT_EQ(us->set(put("k", "2", etag.when())).error().code, expected) << text;
    EXPECT_EQ(us->erase("k", etag.when()).error().code, expected) << text;
    EXPECT_EQ(us->transact({put("other", "2"), put("k", "2", etag.when())}).error().code, expected) << text;
  }
  EXPECT_EQ(us->value("k") + us->value("other"), "1(none)");
}

TEST_P(PostgresqlLayout, AnEtagNeverMatchesWhatIsNotThere) {
  const auto us = open();
  const Etag etag(us->set(put("old", "1")).value().etag);
  dapr().save("old", Dapr::json("2"), 3600);
  dapr().expire("old");
  const Etag of_old(dapr().value("SELECT {etag}::text FROM {table} WHERE key = 'old'"));
  for (const auto& [key, given] : {std::pair("none", &etag), std::pair("old", &of_old)}) {
    EXPECT_EQ(us->set(put(key, "3", given->when())).error().code, Errc::precondition_failed) << key;
    EXPECT_EQ(us->erase(key, given->when()).error().code, Errc::precondition_failed) << key;
  }
  EXPECT_THAT(us->keys(), IsEmpty());
}

TEST_P(PostgresqlLayout, ATtlOfZeroOrLessKeepsARecordForEver) {
  const auto us = open();
  for (const std::optional<int> ttl : {std::optional(0), std::optional(-1000), std::optional<int>()}) {
    state::SetRequest request = put("k", "1");
    request.ttl = Milliseconds(60'000);
    ASSERT_TRUE(us->set(request).value().expires_at);
    request.ttl.reset();
    if (ttl) request.ttl = Milliseconds(*ttl);
    EXPECT_FALSE(us->set(request).value().expires_at);
    EXPECT_EQ(dapr().get("k")->expires, std::nullopt);
  }
}

TEST_P(PostgresqlLayout, TheCharacterThatJsonbCannotHoldIsRefusedWithV1AndKeptWithV2) {
  const auto us = open();
  const std::string text = R"({"a":"x\u0000y"})";
  const auto written = us->set(put_json("zero", text));
  const auto many = us->transact({put_json("other", "1"), put_json("zero", text)});
  if (is_v2()) {
    EXPECT_TRUE(written && many);
    EXPECT_EQ(us->value("zero"), text);
    EXPECT_EQ(dapr().get("zero")->value.text, text);
    return;
  }
  for (const Error& error : {written.error(), many.error()}) {
    EXPECT_EQ(error.code, Errc::invalid_argument);
    EXPECT_THAT(error.message, HasSubstr("U+0000"));
    EXPECT_THAT(error.message, HasSubstr("version v2"));
  }
  EXPECT_THAT(us->keys(), IsEmpty());
  const std::vector<state::SetRequest> requests{put_json("good", "1"), put_json("zero", text)};
  const auto each = us->loop().run(us->store().set_many({}, requests));
  EXPECT_TRUE(each[0]);
  EXPECT_EQ(each[1].error().code, Errc::invalid_argument);
  EXPECT_THAT(us->keys(), ElementsAre("good"));
}

TEST_P(PostgresqlLayout, WhatComesFromOutsideIsNeverSql) {
  const auto us = open();
  const std::vector<std::string> texts{
      "'; DROP TABLE state; --",     "\" OR true --", "$1", "\\'); DELETE FROM state; --", "{\"a\"}, NULL", "%", "_",
      "'::text || pg_sleep(60) || '"};
  ASSERT_TRUE(us->set(put("bystander", "1")));
  for (const std::string& text : texts) {
    const state::Pairs pairs{{text, text}};
    state::SetRequest request = put(text, text);
    request.content_type = text;
    request.tags = pairs;
    request.indexes = pairs;
    ASSERT_TRUE(us->set(request, text)) << text;
    const auto found = us->get(text);
    ASSERT_TRUE(found && found->fields) << text;
    EXPECT_EQ(found->value, text);
    EXPECT_EQ(found->fields->created_by, text);
    EXPECT_EQ(found->fields->tags, pairs);
    EXPECT_THAT(us->find(text, text), ElementsAre(text));
    EXPECT_THAT(us->keys(text), ElementsAre(text));
    EXPECT_TRUE(us->like(text)) << text;
    EXPECT_FALSE(us->loop().run(us->store().list({}, {.prefix = "", .cursor = text}))) << text;
    EXPECT_TRUE(us->erase(text)) << text;
    EXPECT_THAT(us->keys(), ElementsAre("bystander")) << text;
  }
  EXPECT_EQ(dapr().value("SELECT count(*) FROM {table}"), "1");
}

TEST_P(PostgresqlLayout, AQueryComparesNumbersAsNumbersAndSeesLiveJsonOnly) {
  dapr().init();
  for (const auto& [key, json] : {std::pair("nine", R"({"n":9})"), std::pair("ten", R"({"n":10})"),
                                  std::pair("eleven", R"({"n":11})"), std::pair("old", R"({"n":12})")})
    dapr().save(key, Dapr::json(json));
  dapr().save("bytes", Dapr::bytes("\x01\x02"));
  dapr().expire("old");
  const auto us = open();
  EXPECT_THAT(us->query(R"({"filter":{"GT":{"n":9.5}},"sort":[{"key":"n","order":"DESC"}]})"),
              ElementsAre("eleven", "ten"));
  EXPECT_THAT(us->query(R"({"filter":{"NEQ":{"n":9}}})"), testing::UnorderedElementsAre("eleven", "ten"));
  EXPECT_THAT(us->query(R"({"filter":{"EQ":{"n' = '' OR true --":"1"}}})"), IsEmpty());
  EXPECT_THAT(us->query(R"({"filter":{"EQ":{"n":"' OR '1'='1"}},"sort":[{"key":"n'; DROP TABLE state; --"}]})"),
              IsEmpty());
  EXPECT_THAT(us->keys(), ElementsAre("bytes", "eleven", "nine", "ten"));
}

TEST_P(PostgresqlLayout, ComponentsWithOneMetadataTableHaveATableEach) {
  const std::string field = is_v2() ? "tablePrefix" : "tableName";
  // With v1 Dapr takes the level of the first for its own, makes no table, and fails at the first save.
  const auto one = open({{field, is_v2() ? "one_" : "one"}});
  const auto two = open({{field, is_v2() ? "two_" : "two"}});
  ASSERT_TRUE(one->set(put("k", "1")));
  ASSERT_TRUE(two->set(put("k", "2")));
  EXPECT_EQ(one->value("k") + two->value("k"), "12");
  EXPECT_EQ(dapr().value("SELECT count(*) FROM dapr_metadata WHERE key LIKE 'migrations%'"), is_v2() ? "2" : "1");
}

}  // namespace
}  // namespace holdfast::stores::postgresql
