#include "api/patch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::api {
namespace {

using testing::HasSubstr;

// The examples of RFC 7396, appendix A, and what they leave open.
TEST(MergePatch, DoesAsTheStandardSays) {
  const struct {
    const char *value, *patch, *result;
  } kCases[] = {
      {R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
      {R"({"a":"b"})", R"({"a":null})", R"({})"},
      {R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
      {R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
      {R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
      {R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
      {R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
      {R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
      {R"({"a":"b"})", R"(["c"])", R"(["c"])"},
      {R"({"a":"foo"})", R"(null)", R"(null)"},
      {R"({"a":"foo"})", R"("bar")", R"("bar")"},
      {R"({"e":null})", R"({"a":1})", R"({"e":null,"a":1})"},
      {R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
      {R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"},
      {R"({"big":12345678901234567890, "exact" : 1.00})", R"({"x":1e400})",
       R"({"big":12345678901234567890,"exact":1.00,"x":1e400})"},
      {R"({"a":1,"a":2})", R"({"b":1,"b":2})", R"({"a":2,"b":2})"},
  };
  for (const auto& each : kCases) EXPECT_EQ(merge_patch(each.value, each.patch).value(), each.result) << each.patch;
}

TEST(MergePatch, RefusesWhatIsNoJsonAndWhatIsTooDeep) {
  EXPECT_EQ(merge_patch("{}", "{").error().code, Errc::invalid_argument);
  EXPECT_THAT(merge_patch("\x01", "{}").error().message, HasSubstr("stored value"));
  std::string deep = "1";
  for (std::size_t i = 0; i <= kPatchDepthMax; ++i) deep = "{\"a\":" + deep + "}";
  EXPECT_THAT(merge_patch("{}", deep).error().message, HasSubstr("deeper"));
  EXPECT_TRUE(merge_patch("{}", deep.substr(5, deep.size() - 6)));
}

Result<std::string> count(std::string_view value, std::string_view body) {
  const auto increment = read_increment(body);
  if (!increment) return fail(increment.error());
  return incremented(value, *increment);
}

TEST(Increment, CountsIntegersExactly) {
  EXPECT_EQ(count("1", "{}").value(), "2");
  EXPECT_EQ(count(" 9007199254740993 ", R"({"by":2})").value(), "9007199254740995");
  EXPECT_EQ(count("5", R"({"by":-7})").value(), "-2");
  EXPECT_EQ(count("9223372036854775806", "{}").value(), "9223372036854775807");
  EXPECT_EQ(count("9223372036854775807", "{}").error().code, Errc::invalid_argument);
}

TEST(Increment, CountsInDoublesWhereOneIsInvolved) {
  EXPECT_EQ(count("1.5", R"({"by":1})").value(), "2.5");
  EXPECT_EQ(count("1", R"({"by":0.25})").value(), "1.25");
  EXPECT_EQ(count("1e308", R"({"by":1e308})").error().code, Errc::invalid_argument);
}

TEST(Increment, StaysWithinItsBounds) {
  EXPECT_EQ(count("9", R"({"max":10})").value(), "10");
  const auto over = count("10", R"({"max":10})");
  EXPECT_EQ(over.error().code, Errc::precondition_failed);
  EXPECT_THAT(over.error().message, HasSubstr("10"));
  EXPECT_EQ(count("0", R"({"by":-1,"min":0})").error().code, Errc::precondition_failed);
  EXPECT_EQ(count("1", R"({"by":-1,"min":0})").value(), "0");
  EXPECT_EQ(count("0.5", R"({"by":1,"max":1.4})").error().code, Errc::precondition_failed);
}

TEST(Increment, SaysWhatIsWrong) {
  EXPECT_THAT(read_increment("[]").error().message, HasSubstr("an array"));
  EXPECT_THAT(read_increment(R"({"by":"1"})").error().message, HasSubstr("\"by\""));
  EXPECT_THAT(read_increment(R"({"step":1})").error().message, HasSubstr("known: by"));
  EXPECT_EQ(count("\"7\"", "{}").error().code, Errc::invalid_argument);
  EXPECT_EQ(count("7 8", "{}").error().code, Errc::invalid_argument);
}

TEST(Append, PutsAnElementBehindTheLast) {
  EXPECT_EQ(with_element("[]", "1").value(), "[1]");
  EXPECT_EQ(with_element(" [1.0, {\"a\":[]}] ", " \"x\" ").value(), "[1.0, {\"a\":[]},\"x\"]");
  EXPECT_EQ(with_element("{}", "1").error().code, Errc::invalid_argument);
  EXPECT_EQ(with_element("[]", "").error().code, Errc::invalid_argument);
}

}  // namespace
}  // namespace holdfast::api
