#include "migration/export_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::migration {
namespace {

using state::ListedRecord;
using state::Shape;
using testing::HasSubstr;
using testing::Not;

ListedRecord record_of(std::string key, std::string value, Shape shape) {
  ListedRecord item;
  item.key = std::move(key);
  item.record.value = std::move(value);
  item.record.shape = shape;
  return item;
}

std::string without_newline(std::string line) {
  EXPECT_TRUE(line.ends_with('\n'));
  line.pop_back();
  EXPECT_THAT(line, Not(HasSubstr("\n")));
  return line;
}

// Written, and read again.
ListedRecord carried(const ListedRecord& item) {
  const auto read = parse_line(without_newline(line_of(item)));
  if (!read) {
    ADD_FAILURE() << read.error().message;
    return {};
  }
  return std::get<ListedRecord>(*read);
}

TEST(ExportLine, ValuesComeBackByteForByteInTheirShape) {
  const std::string all_bytes = [] {
    std::string bytes;
    for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
    return bytes;
  }();
  for (const Shape shape : {Shape::json, Shape::bytes})
    for (const std::string& value :
         {std::string(), std::string("{}"), std::string("{ \"b\":1.0,\t\"a\" : [1e2, \"\\u0041\\\"}],{\"] }"),
          std::string("[1]\n"), std::string("[\n1\n]"), std::string(" 1"), std::string("\"caf\xc3\xa9\""),
          std::string("\"\xff\""), std::string("\"\\ud800\""), std::string("not json"),
          std::string("12345678901234567890123"), std::string(3000, '[') + std::string(3000, ']'), all_bytes}) {
      const ListedRecord item = carried(record_of("k", value, shape));
      EXPECT_EQ(item.record.value, value);
      EXPECT_EQ(item.record.shape, shape);
    }
}

TEST(ExportLine, JsonStandsInTheLineAsItIs) {
  EXPECT_EQ(line_of(record_of("a", "{\"n\": 1.0}", Shape::json)),
            "{\"key\":\"a\",\"shape\":\"json\",\"value\":{\"n\": 1.0}}\n");
  EXPECT_EQ(line_of(record_of("a", "x", Shape::bytes)),
            "{\"key\":\"a\",\"shape\":\"bytes\",\"valueBase64\":\"eA==\"}\n");
}

TEST(ExportLine, EverythingThatIsKnownOfARecordComesBack) {
  ListedRecord item = record_of("app||a\xff", "1", Shape::json);
  item.record.etag = "7";
  item.record.expires_at = WallTime{1'790'000'000'123'456};
  item.record.fields = state::RecordFields{.created = {1'700'000'000'000'001},
                                           .created_by = "alice",
                                           .modified = {1'700'000'000'999'999},
                                           .modified_by = "b\xff",
                                           .content_type = "application/json",
                                           .tags = {{"color", "red"}, {"", "<&>"}},
                                           .indexes = {{"owner", "a"}, {"owner", "b"}}};
  const ListedRecord read = carried(item);
  EXPECT_EQ(read.key, item.key);
  EXPECT_EQ(read.record.etag, "7");
  EXPECT_EQ(read.record.expires_at, item.record.expires_at);
  ASSERT_TRUE(read.record.fields);
  EXPECT_EQ(read.record.fields->created, item.record.fields->created);
  EXPECT_EQ(read.record.fields->created_by, "alice");
  EXPECT_EQ(read.record.fields->modified, item.record.fields->modified);
  EXPECT_EQ(read.record.fields->modified_by, "b\xff");
  EXPECT_EQ(read.record.fields->content_type, "application/json");
  EXPECT_EQ(read.record.fields->tags, item.record.fields->tags);
  EXPECT_EQ(read.record.fields->indexes, item.record.fields->indexes) << "a name that stands twice";
}

TEST(ExportLine, AnExpiryBeyondTheCalendarIsItsEnd) {
  ListedRecord item = record_of("k", "1", Shape::json);
  item.record.expires_at = WallTime{std::numeric_limits<std::int64_t>::max()};
  EXPECT_THAT(line_of(item), HasSubstr("9999-12-31T23:59:59"));
  EXPECT_TRUE(carried(item).record.expires_at);
}

TEST(ExportLine, TheFirstAndTheLastLineComeBack) {
  const auto header = parse_line(without_newline(
      line_of(ExportHeader{.program = "holdfast 1", .from = "a (b)", .prefix = "p\xff", .exported = "now"})));
  ASSERT_TRUE(header);
  EXPECT_EQ(std::get<ExportHeader>(*header).from, "a (b)");
  EXPECT_EQ(std::get<ExportHeader>(*header).prefix, "p\xff");
  ExportTrailer trailer;
  trailer.content.add(sha256("a"));
  const auto last = parse_line(without_newline(line_of(trailer)));
  ASSERT_TRUE(last);
  EXPECT_EQ(std::get<ExportTrailer>(*last).content, trailer.content);
}

TEST(ExportLine, TimesOfOtherProgramsAreRead) {
  const auto expiry = [](std::string_view time) {
    const auto line =
        parse_line(std::string(R"({"key":"k","shape":"json","value":1,"expires":")").append(time) + "\"}");
    return line ? std::get<ListedRecord>(*line).record.expires_at->us : -1;
  };
  EXPECT_EQ(expiry("2026-11-22T04:49:17Z"), 1'795'322'957'000'000);
  EXPECT_EQ(expiry("2026-11-22T05:49:17.5+01:00"), 1'795'322'957'500'000);
  EXPECT_EQ(expiry("2026-11-22T03:19:17.123456789-01:30"), 1'795'322'957'123'456);
  for (const char* wrong :
       {"", "soon", "2026-11-22", "2026-11-22T04:49:17", "2026-11-22T04:49:17.Z", "2026-11-22T04:49:17+1"})
    EXPECT_EQ(expiry(wrong), -1) << wrong;
}

TEST(ExportLine, WhatIsWrongWithALineIsSaid) {
  const auto problem = [](std::string_view line) {
    const auto read = parse_line(line);
    return read ? std::string("nothing") : read.error().message;
  };
  EXPECT_THAT(problem(""), HasSubstr("it is not JSON"));
  EXPECT_THAT(problem("[1]"), HasSubstr("no JSON object"));
  EXPECT_THAT(problem(R"({"shape":"json","value":1})"), HasSubstr("no \"key\""));
  EXPECT_THAT(problem(R"({"key":1,"shape":"json","value":1})"), HasSubstr("\"key\" has to be a string"));
  EXPECT_THAT(problem(R"({"key":"k","value":1})"), HasSubstr("\"shape\""));
  EXPECT_THAT(problem(R"({"key":"k","shape":"json"})"), HasSubstr("neither"));
  EXPECT_THAT(problem(R"({"key":"k","shape":"bytes","value":1})"), HasSubstr("valueBase64"));
  EXPECT_THAT(problem(R"({"key":"k","shape":"bytes","valueBase64":"?"})"), HasSubstr("not base64"));
  EXPECT_THAT(problem(R"({"key":"k","shape":"json","valu\u0065":1})"), HasSubstr("escapes"));
  EXPECT_THAT(problem(R"({"key":"k","shape":"json","value":1,"fields":true,"tags":{"a":1}})"), HasSubstr("tags"));
  EXPECT_THAT(problem(R"({"key":"k","shape":"json","value":1,"fields":true,"tags":"a"})"), HasSubstr("an object"));
  EXPECT_THAT(problem(R"({"holdfastExport":2})"), HasSubstr("format 2"));
  EXPECT_THAT(problem(R"({"end":true,"content":"x","lines":"y"})"), HasSubstr("COUNT:HASH"));
}

// A name inside a value is not the record's, and the order of members is anybody's.
TEST(ExportLine, TheValueIsFoundWhereverItStands) {
  const auto value = [](std::string_view line) {
    const auto read = parse_line(line);
    return read ? std::get<ListedRecord>(*read).record.value : read.error().message;
  };
  EXPECT_EQ(value(R"({"value": {"value":[{"x":"}"}]} ,"key":"k","shape":"json"})"), R"({"value":[{"x":"}"}]})");
  EXPECT_EQ(value(R"({"tags":{"value":"no"},"key":"value","shape":"json","value" : "a\"b" })"), R"("a\"b")");
}

}  // namespace
}  // namespace holdfast::migration
