// Reading, writing and deleting single keys, without conditions.
#include "conformance/conformance.h"

namespace holdfast::conformance {
namespace {

struct ValueCase {
  const char* name;
  std::string_view json;
};
// The values of Dapr's own conformance suite.
constexpr ValueCase kJsonValues[] = {
    {"integer", "123"},
    {"boolean", "true"},
    {"null", "null"},
    {"string", R"("hello world")"},
    {"empty-string", R"("")"},
    {"string-that-holds-JSON-text", R"("{\"a\":1}")"},
    {"object", R"({"a":{"b":[1,2,{"c":null}]},"d":"e"})"},
    {"array", "[1,2,3]"},
    {"small-number", "1e-7"},
    {"unicode", R"("grüße, 世界 🌍")"},
};

TEST_P(GetSetConformance, PingAnswers) { EXPECT_TRUE(store().run(store().store().ping({}))); }

TEST_P(GetSetConformance, AMissingKeyIsEmptyAndNoError) {
  const auto found = store().get(key("never"));
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->has_value());
}

TEST_P(GetSetConformance, BytesComeBackAsTheyWereWritten) {
  const std::string bytes("\x00\x01\xff\x7f\x80 plain", 11);
  ASSERT_TRUE(store().set(put(key("bytes"), bytes)));
  const state::Record record = store().record(key("bytes"));
  EXPECT_EQ(record.value, bytes);
  EXPECT_EQ(record.shape, state::Shape::bytes);
}

// Dapr stores protobuf messages of its actors and workflows as bytes; -1 as a varint is ten bytes
// of 0xff.
TEST_P(GetSetConformance, ProtobufBytesWithANegativeNumberSurvive) {
  const std::string message("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x12\x02{}", 15);
  ASSERT_TRUE(store().set(put(key("proto"), message)));
  EXPECT_EQ(store().value(key("proto")), message);
}

TEST_P(GetSetConformance, JsonComesBackWithTheSameMeaning) {
  for (const auto& [name, json] : kJsonValues) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(store().set(put_json(key(name), json)));
    const state::Record record = store().record(key(name));
    EXPECT_EQ(canonical(record.value), canonical(json));
    EXPECT_EQ(record.shape, state::Shape::json);
  }
}

TEST_P(GetSetConformance, JsonTextComesBackByteForByteWhereThatIsDeclared) {
  HOLDFAST_NEEDS(exact_json);
  const std::string_view odd = "{ \"b\" : 1.50,\n\t\"a\":\"<&>\", \"b\":12345678901234567890 }";
  ASSERT_TRUE(store().set(put_json(key("odd"), odd)));
  EXPECT_EQ(store().value(key("odd")), odd);
}

TEST_P(GetSetConformance, WithoutExactJsonTheSameJsonComesBack) {
  HOLDFAST_LACKS(exact_json);
  const std::string_view text = "{ \"b\" : [1.5, true],\n\t\"a\":\"<&>\" }";
  ASSERT_TRUE(store().set(put_json(key("a"), text)));
  EXPECT_EQ(canonical(*store().value(key("a"))), canonical(text));
}

TEST_P(GetSetConformance, AnOverwriteReplacesTheWholeValueAndItsShape) {
  ASSERT_TRUE(store().set(put_json(key("a"), R"({"one":1,"two":2})")));
  ASSERT_TRUE(store().set(put(key("a"), "short")));
  EXPECT_EQ(store().value(key("a")), "short");
  EXPECT_EQ(store().record(key("a")).shape, state::Shape::bytes);
  // MongoDB's store in Dapr merges the members of objects.
  ASSERT_TRUE(store().set(put_json(key("a"), R"({"three":3})")));
  EXPECT_EQ(canonical(*store().value(key("a"))), R"({"three":3})");
}

TEST_P(GetSetConformance, KeysDoNotDisturbEachOther) {
  ASSERT_TRUE(store().set(put(key("a"), "1")));
  ASSERT_TRUE(store().set(put(key("ab"), "2")));
  ASSERT_TRUE(store().set(put(key("A"), "3")));
  ASSERT_TRUE(store().erase(drop(key("ab"))));
  EXPECT_EQ(store().value(key("a")), "1");
  EXPECT_EQ(store().value(key("ab")), std::nullopt);
  EXPECT_EQ(store().value(key("A")), "3");
}

TEST_P(GetSetConformance, ADeletedKeyIsAbsent) {
  ASSERT_TRUE(store().set(put(key("a"), "1")));
  ASSERT_TRUE(store().erase(drop(key("a"))));
  EXPECT_FALSE(store().exists(key("a")));
  ASSERT_TRUE(store().set(put(key("a"), "2")));
  EXPECT_EQ(store().value(key("a")), "2");
}

TEST_P(GetSetConformance, DeletingAKeyThatWasNeverSetSucceeds) { EXPECT_TRUE(store().erase(drop(key("never")))); }

TEST_P(GetSetConformance, CreationAndExistenceAreReportedWhereDeclared) {
  HOLDFAST_NEEDS(reports_created);
  EXPECT_EQ(store().set(put(key("a"), "1"))->created, true);
  EXPECT_EQ(store().set(put(key("a"), "2"))->created, false);
  EXPECT_EQ(store().erase(drop(key("a")))->existed, true);
  EXPECT_EQ(store().erase(drop(key("a")))->existed, false);
  EXPECT_EQ(store().set(put(key("a"), "3"))->created, true);
}

TEST_P(GetSetConformance, WithoutReportingNothingIsClaimedOfWhatWasThere) {
  HOLDFAST_LACKS(reports_created);
  EXPECT_EQ(store().set(put(key("a"), "1"))->created, std::nullopt);
  EXPECT_EQ(store().set(put(key("a"), "2"))->created, std::nullopt);
  EXPECT_EQ(store().erase(drop(key("a")))->existed, std::nullopt);
  EXPECT_EQ(store().erase(drop(key("a")))->existed, std::nullopt);
}

TEST_P(GetSetConformance, ReadingWithoutTheValueStillFindsTheRecord) {
  ASSERT_TRUE(store().set(put(key("a"), "1")));
  const std::string name = key("a");
  state::GetRequest request;
  request.key = name;
  request.want_value = false;
  const auto found = store().run(store().store().get({}, request));
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->etag, store().etag(name));
}

TEST_P(GetSetConformance, ASecondHandleSeesWhatTheFirstWrote) {
  test::TestLoop other_loop;
  Handle other(instance(), other_loop);
  ASSERT_TRUE(store().set(put(key("a"), "1")));
  EXPECT_EQ(other.value(key("a")), "1");
  ASSERT_TRUE(other.set(put(key("a"), "2")));
  EXPECT_EQ(store().value(key("a")), "2");
  ASSERT_TRUE(other.erase(drop(key("a"))));
  EXPECT_FALSE(store().exists(key("a")));
}

}  // namespace
}  // namespace holdfast::conformance
