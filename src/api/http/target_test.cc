#include "api/http/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::api {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(Target, SplitsAtTheFirstQuestionMark) {
  const Target target = Target::split("/v1.0/state/s/k?a=1?b");
  EXPECT_EQ(target.raw_path, "/v1.0/state/s/k");
  EXPECT_EQ(target.query, "a=1?b");
  EXPECT_EQ(Target::split("/k").query, "");
}

TEST(Target, AnAbsoluteFormLosesItsAuthority) {
  EXPECT_EQ(Target::split("http://host:3500/v2/stores?x=1").raw_path, "/v2/stores");
  EXPECT_EQ(Target::split("http://host:3500").raw_path, "/");
}

struct Path {
  const char* name;
  const char* raw;
  const char* clean;
};

class CleanPath : public testing::TestWithParam<Path> {};

TEST_P(CleanPath, IsWhatGosMuxMatches) { EXPECT_EQ(clean_path(GetParam().raw), GetParam().clean); }

INSTANTIATE_TEST_SUITE_P(All, CleanPath,
                         testing::Values(Path{"Plain", "/v1.0/state/s/k", "/v1.0/state/s/k"},
                                         Path{"DoubleSlash", "/v1.0//state///s", "/v1.0/state/s"},
                                         Path{"Dot", "/a/./b/.", "/a/b"}, Path{"DotDot", "/a/b/../c", "/a/c"},
                                         Path{"DotDotAboveTheTop", "/../../a", "/a"},
                                         Path{"TrailingSlash", "/a/b/", "/a/b"}, Path{"OnlySlashes", "///", "/"},
                                         Path{"Empty", "", "/"}, Path{"EscapedDotsStay", "/a/%2e%2e/b", "/a/%2e%2e/b"},
                                         Path{"ThreeDotsAreAName", "/a/.../b", "/a/.../b"}),
                         [](const auto& info) { return info.param.name; });

TEST(Segments, AreThePartsBetweenSlashes) {
  const Segments segments("/v1.0/state/s");
  ASSERT_EQ(segments.size(), 3U);
  EXPECT_EQ(segments[0], "v1.0");
  EXPECT_EQ(segments[2], "s");
  EXPECT_EQ(Segments("/").size(), 0U);
  EXPECT_EQ(Segments("/1/2/3/4/5/6/7/8/9/10").size(), 10U);
}

TEST(QueryParameters, AreDecodedOnceWithPlusAsSpace) {
  EXPECT_THAT(query_parameters("a=1+2&b=%2B&c&=x&&d=e=f"),
              ElementsAre(Pair("a", "1 2"), Pair("b", "+"), Pair("c", ""), Pair("", "x"), Pair("d", "e=f")));
}

TEST(QueryParameters, MalformedEscapesArePassedOver) {
  EXPECT_THAT(query_parameters("a=%zz&%=1&b=2"), ElementsAre(Pair("b", "2")));
  EXPECT_EQ(query_value("a=%zz&a=2", "a"), "2");
}

TEST(QueryValue, TheFirstOfANameCounts) {
  EXPECT_EQ(query_value("a=1&a=2", "a"), "1");
  EXPECT_EQ(query_value("%61=1", "a"), "1");
  EXPECT_EQ(query_value("A=1", "a"), std::nullopt);
}

TEST(QueryMetadata, TakesTheFirstOfEachNameWithoutThePrefix) {
  EXPECT_THAT(query_metadata("metadata.ttlInSeconds=5&x=1&metadata.a=b&metadata.ttlInSeconds=9"),
              ElementsAre(Pair("ttlInSeconds", "5"), Pair("a", "b")));
  EXPECT_TRUE(query_metadata("Metadata.a=1&metadataa=1").empty());
}

}  // namespace
}  // namespace holdfast::api
