#include "cli/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr OptionRow kOptions[] = {{.name = "json"}, {.name = "app-id", .argument = "ID"}};
constexpr CommandRow kRow{.name = "check", .arguments = "PATH", .options = kOptions, .words_min = 1, .words_max = 2};

Result<ParsedArguments> parse(std::vector<std::string> arguments) {
  return parse_arguments(kRow, "holdfast check", arguments);
}

std::string error_of(std::vector<std::string> arguments) {
  const auto parsed = parse(std::move(arguments));
  return parsed ? "no error" : parsed.error().message;
}

TEST(ParseArguments, TellsOptionsFromWords) {
  const auto parsed = parse({"a", "--json", "--app-id", "x", "b"});
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_THAT(parsed->words, ElementsAre("a", "b"));
  EXPECT_TRUE(parsed->has("json"));
  EXPECT_EQ(parsed->value("app-id"), "x");
  EXPECT_FALSE(parsed->help);
}

TEST(ParseArguments, TheLastValueHoldsAndAnAbsentOneIsTheFallback) {
  EXPECT_EQ(parse({"a", "--app-id=x", "--app-id=y=z"})->value("app-id"), "y=z");
  EXPECT_EQ(parse({"a", "--app-id="})->value("app-id", "app"), "");
  EXPECT_EQ(parse({"a"})->value("app-id", "app"), "app");
  EXPECT_FALSE(parse({"a"})->has("json"));
}

TEST(ParseArguments, ADashAndWhatFollowsTwoDashesAreWords) {
  EXPECT_THAT(parse({"-", "--", "--json"})->words, ElementsAre("-", "--json"));
}

TEST(ParseArguments, HelpIsAnswerEnough) {
  for (const char* help : {"-h", "--help"}) {
    const auto parsed = parse({help, "--nosuch"});
    ASSERT_TRUE(parsed);
    EXPECT_TRUE(parsed->help);
    EXPECT_THAT(parsed->words, IsEmpty());
  }
}

TEST(ParseArguments, MistakesAreNamed) {
  EXPECT_EQ(error_of({"a", "--jsn"}), "\"holdfast check\" has no option --jsn; did you mean --json?");
  EXPECT_EQ(error_of({"a", "--colour"}), "\"holdfast check\" has no option --colour");
  EXPECT_EQ(error_of({"a", "--json=1"}), "--json takes no value");
  EXPECT_EQ(error_of({"a", "--app-id"}), "--app-id needs a value");
  EXPECT_EQ(error_of({}), "\"holdfast check\" needs PATH");
  EXPECT_EQ(error_of({"a", "b", "c"}), "\"c\" is one word too many for \"holdfast check\"");
}

TEST(SplitWords, TakesWhatIsBetweenBlanks) {
  EXPECT_THAT(split_words(" a  bc d "), ElementsAre("a", "bc", "d"));
  EXPECT_THAT(split_words(""), IsEmpty());
}

}  // namespace
}  // namespace holdfast::cli
