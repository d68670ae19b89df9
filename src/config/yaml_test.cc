#include "config/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::config {
namespace {

using testing::HasSubstr;

YamlNode parse(std::string_view text, int line = 1) {
  auto node = parse_yaml({text, line});
  if (!node) {
    ADD_FAILURE() << node.error().message;
    return {};
  }
  return std::move(*node);
}

std::string error_of(std::string_view text, int line = 1) {
  const auto node = parse_yaml({text, line});
  return node ? "no error" : node.error().message;
}

TEST(SplitDocuments, EndsADocumentAtEveryLineOfDashes) {
  const auto documents = split_documents("a: 1\n--- # next\nb: 2\nc: 3\n---\nd: 4\n");
  ASSERT_EQ(documents.size(), 3u);
  EXPECT_EQ(documents[0].text, "a: 1");
  EXPECT_EQ(documents[1].text, "b: 2\nc: 3");
  EXPECT_EQ(documents[2].text, "d: 4\n");
  EXPECT_EQ(documents[0].line, 1);
  EXPECT_EQ(documents[1].line, 3);
  EXPECT_EQ(documents[2].line, 6);
}

TEST(SplitDocuments, TakesLeadingDashesAndATrailingSeparator) {
  const auto documents = split_documents("---\na: 1\r\n---");
  ASSERT_EQ(documents.size(), 1u);
  EXPECT_EQ(to_text(parse(documents[0].text)["a"]), "1");
  EXPECT_EQ(split_documents("").size(), 1u);
}

TEST(ParseYaml, KeepsScalarsAsTheyAreWritten) {
  const YamlNode node = parse("a: 0755\nb: true\nc: '5'\nd: 1.50\ne:\nf: ~\ng: |\n  two\n  lines\n");
  EXPECT_EQ(to_text(node["a"]), "0755");
  EXPECT_EQ(to_text(node["b"]), "true");
  EXPECT_EQ(to_text(node["c"]), "5");
  EXPECT_EQ(to_text(node["d"]), "1.50");
  EXPECT_EQ(to_text(node["e"]), "");
  EXPECT_EQ(to_text(node["f"]), "");
  EXPECT_EQ(to_text(node["g"]), "two\nlines\n");
  EXPECT_EQ(to_text(node["absent"]["deeper"]), "");
}

TEST(ParseYaml, TreesBecomeCompactSortedJson) {
  const YamlNode node =
      parse("v: {b: [1, '1', x, null, ~], a: true, c: 0x1F, d: -1.5e3, \"q\\\"\": <tag>, e: {}, f: []}");
  EXPECT_EQ(to_text(node["v"]),
            R"({"a":true,"b":[1,"1","x",null,null],"c":"0x1F","d":-1.5e3,"e":{},"f":[],"q\"":"\u003ctag\u003e"})");
}

TEST(ParseYaml, KnowsTheLineOfEveryNode) {
  const YamlNode node = parse("a: 1\nb:\n- x\n- y\n", 10);
  EXPECT_EQ(node["a"].line, 10);
  EXPECT_EQ(node["b"].items[1].line, 13);
}

TEST(ParseYaml, KnowsTheLineOfEveryName) {
  const YamlNode node = parse("a:\n  b:\n\n    - x\nc:\n", 10);
  EXPECT_THAT(node.name_lines, testing::ElementsAre(10, 14));
  EXPECT_THAT(node["a"].name_lines, testing::ElementsAre(11));
  EXPECT_EQ(node["a"]["b"].items[0].line, 13);
}

TEST(ParseYaml, ANameIsThereTwiceOnlyWhenItWasWrittenTwice) {
  const YamlNode node =
      parse("base: &base {a: 1, b: 1}\nmerged: {<<: *base, a: 2, c: 3}\ntwice: {a: 1, <<: *base, a: 2}\n");
  EXPECT_THAT(node["merged"].names, testing::ElementsAre("b", "a", "c"));
  EXPECT_THAT(node["twice"].names, testing::ElementsAre("b", "a", "a"));
  EXPECT_EQ(node["merged"].name_lines.size(), 3u);
}

TEST(ParseYaml, TheLastOfEqualNamesHolds) { EXPECT_EQ(to_text(parse("a: 1\na: 2\n")["a"]), "2"); }

TEST(ParseYaml, MergeKeysGiveWayToOwnMembersAndEarlierSources) {
  const YamlNode node = parse(
      "one: &one {a: 1, b: 1, c: 1}\ntwo: &two {b: 2, c: 2, d: 2}\n"
      "single: {<<: *one, a: own}\nboth: {c: own, <<: [*one, *two]}\n");
  EXPECT_EQ(to_text(node["single"]), R"({"a":"own","b":1,"c":1})");
  EXPECT_EQ(to_text(node["both"]), R"({"a":1,"b":1,"c":"own","d":2})");
}

TEST(ParseYaml, ErrorsNameTheLineOfTheFile) {
  EXPECT_THAT(error_of("a: 1\nb: [1\n", 10), HasSubstr("12: "));
  EXPECT_THAT(error_of("a: 1\n\tb: 2\n", 5), HasSubstr("6: "));
  EXPECT_THAT(error_of("a: *nowhere\n"), HasSubstr("1: "));
  EXPECT_THAT(error_of("? {a: 1}\n: 2\n"), HasSubstr("a name that is no text"));
}

TEST(ParseYaml, DepthIsBounded) {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(parse_yaml({nested(kYamlDepthMax), 1}));
  EXPECT_THAT(error_of(nested(kYamlDepthMax + 1)), HasSubstr("nested deeper than 64 levels"));
  EXPECT_FALSE(parse_yaml({nested(50'000), 1}));
}

TEST(ParseYaml, AliasesCannotGrowWithoutBound) {
  EXPECT_THAT(error_of("a: &a [*a, *a]\n"), HasSubstr("nested deeper"));
  std::string bomb = "a0: &a0 x\n";
  for (int i = 1; i < 30; ++i) {
    const std::string alias = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + alias + "," + alias + "]\n";
  }
  EXPECT_THAT(error_of(bomb), HasSubstr("more than 100000 nodes"));
  std::string large = "a: &a " + std::string(1 << 19, 'x') + "\nb: [*a,*a,*a,*a,*a,*a,*a,*a]\n";
  EXPECT_THAT(error_of(large), HasSubstr("bytes of text"));
}

}  // namespace
}  // namespace holdfast::config
