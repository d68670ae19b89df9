#include "state/query.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::state {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Query parse(std::string_view text) {
  auto query = parse_query(text);
  if (!query) {
    ADD_FAILURE() << query.error().message;
    return {};
  }
  return std::move(*query);
}

// AND nested `depth` deep around one EQ.
std::string nested(std::size_t depth) {
  std::string text = R"({"EQ":{"a":1}})";
  for (std::size_t i = 1; i < depth; ++i) text = R"({"AND":[)" + text + R"(,{"EQ":{"b":2}}]})";
  return R"({"filter":)" + text + "}";
}

TEST(ParseQuery, ReadsDaprsExample) {
  const Query query = parse(R"({
    "filter": {"OR": [{"EQ": {"person.org": "Dev Ops"}},
                      {"AND": [{"EQ": {"person.org": "Finance"}}, {"IN": {"state": ["CA", "WA"]}}]}]},
    "sort": [{"key": "state", "order": "DESC"}, {"key": "person.id"}],
    "page": {"limit": 3, "token": "t3"}})");
  ASSERT_THAT(query.filter, SizeIs(1));
  const Filter& filter = query.filter[0];
  EXPECT_EQ(filter.op, Filter::Op::any_of);
  ASSERT_THAT(filter.filters, SizeIs(2));
  EXPECT_EQ(filter.filters[0].op, Filter::Op::eq);
  EXPECT_EQ(filter.filters[0].path, "person.org");
  EXPECT_THAT(filter.filters[0].values, ElementsAre(Scalar("Dev Ops")));
  EXPECT_EQ(filter.filters[1].op, Filter::Op::all_of);
  EXPECT_THAT(filter.filters[1].filters[1].values, ElementsAre(Scalar("CA"), Scalar("WA")));
  ASSERT_THAT(query.sort, SizeIs(2));
  EXPECT_EQ(query.sort[0].path, "state");
  EXPECT_TRUE(query.sort[0].descending);
  EXPECT_FALSE(query.sort[1].descending);
  EXPECT_EQ(query.limit, 3u);
  EXPECT_EQ(query.token, "t3");
}

TEST(ParseQuery, EveryComparisonTakesEveryScalar) {
  const std::vector<std::pair<std::string, Filter::Op>> ops{{"EQ", Filter::Op::eq}, {"NEQ", Filter::Op::neq},
                                                            {"GT", Filter::Op::gt}, {"GTE", Filter::Op::gte},
                                                            {"LT", Filter::Op::lt}, {"LTE", Filter::Op::lte}};
  const std::vector<std::pair<std::string, Scalar>> scalars{{"null", nullptr},
                                                            {"true", true},
                                                            {"-2.5", -2.5},
                                                            {"9007199254740993", 9007199254740992.0},
                                                            {"12345678901234567890", 12345678901234567000.0},
                                                            {"\"x\"", "x"}};
  for (const auto& [name, op] : ops)
    for (const auto& [text, scalar] : scalars) {
      const Query query = parse("{\"filter\":{\"" + name + "\":{\"a.b\":" + text + "}}}");
      ASSERT_THAT(query.filter, SizeIs(1));
      EXPECT_EQ(query.filter[0].op, op);
      EXPECT_EQ(query.filter[0].path, "a.b");
      EXPECT_THAT(query.filter[0].values, ElementsAre(scalar));
    }
}

TEST(ParseQuery, WithoutAFilterEverythingMatches) {
  for (const char* text : {"{}", "null", R"({"filter":{}})", R"({"filter":null,"sort":null,"page":null})",
                           R"({"sort":[],"page":{}})", R"({"other":1})"}) {
    const Query query = parse(text);
    EXPECT_THAT(query.filter, IsEmpty()) << text;
    EXPECT_THAT(query.sort, IsEmpty()) << text;
    EXPECT_EQ(query.limit, 0u) << text;
  }
}

TEST(ParseQuery, RepeatedMembersCountOnceAndTheLastHolds) {
  const Query query = parse(R"({"filter":{"EQ":{"a":1},"EQ":{"b":1,"b":2}}})");
  ASSERT_THAT(query.filter, SizeIs(1));
  EXPECT_EQ(query.filter[0].path, "b");
  EXPECT_THAT(query.filter[0].values, ElementsAre(Scalar(2.0)));
}

TEST(ParseQuery, TopLevelNamesAreReadInAnyCaseAndOperatorsAreNot) {
  EXPECT_EQ(parse(R"({"PAGE":{"Limit":7}})").limit, 7u);
  EXPECT_EQ(parse_query(R"({"filter":{"eq":{"a":1}}})").error().message, "unsupported filter \"eq\"");
}

TEST(ParseQuery, UnknownOrdersAreAscendingAndLimitsBelowOneAreNone) {
  const Query query =
      parse(R"({"sort":[{"key":"a","order":"sideways"},{"key":"b","order":"desc"}],"page":{"limit":-5}})");
  EXPECT_FALSE(query.sort[0].descending);
  EXPECT_TRUE(query.sort[1].descending);
  EXPECT_EQ(query.limit, 0u);
  EXPECT_EQ(parse(R"({"page":{"limit":99999999999}})").limit, 4294967295u);
}

TEST(ParseQuery, NestingAndSizeAreBounded) {
  EXPECT_TRUE(parse_query(nested(kQueryDepthMax)));
  const auto deep = parse_query(nested(kQueryDepthMax + 1));
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().message, "the filter is nested deeper than 64 levels");
  const auto wide = [](std::size_t count) {
    std::string text = R"({"filter":{"OR":[)";
    for (std::size_t i = 0; i < count; ++i) text += std::string(i > 0 ? "," : "") + R"({"EQ":{"a":1}})";
    return parse_query(text + "]}}");
  };
  EXPECT_TRUE(wide(kQueryNodesMax - 1));
  EXPECT_FALSE(wide(kQueryNodesMax));
}

struct RefusedCase {
  const char* name;
  std::string text;
  std::string message;
  friend void PrintTo(const RefusedCase& one, std::ostream* out) { *out << one.name; }
};

class RefusedQuery : public testing::TestWithParam<RefusedCase> {};

TEST_P(RefusedQuery, IsExplainedInDaprsWords) {
  const auto query = parse_query(GetParam().text);
  ASSERT_FALSE(query);
  EXPECT_EQ(query.error().code, Errc::invalid_argument);
  EXPECT_EQ(query.error().message, GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, RefusedQuery,
    testing::Values(
        RefusedCase{"Empty", "", "unexpected end of JSON input"},
        RefusedCase{"Half", R"({"filter":)", "unexpected end of JSON input"},
        RefusedCase{"Trailing", "{} x", "invalid character 'x' after top-level value"},
        RefusedCase{"NoObject", "[]", "json: cannot unmarshal array into Go value of type query.QueryFields"},
        RefusedCase{
            "FilterIsNoObject", R"({"filter":[]})",
            "json: cannot unmarshal array into Go struct field QueryFields.filter of type map[string]interface {}"},
        RefusedCase{"UnitIsNoMap", R"({"filter":{"AND":[1,2]}})", "filter unit must be a map"},
        RefusedCase{"UnitHasTwo", R"({"filter":{"EQ":{"a":1},"NEQ":{"a":2}}})",
                    "filter unit must have a single element"},
        RefusedCase{"UnitHasNone", R"({"filter":{"AND":[{},{}]}})", "filter unit must have a single element"},
        RefusedCase{"UnknownOperator", R"({"filter":{"LIKE":{"a":1}}})", "unsupported filter \"LIKE\""},
        RefusedCase{"QuotesTheOperator", R"({"filter":{"\"\\\n":{"a":1}}})", R"(unsupported filter "\"\\?")"},
        RefusedCase{"ComparisonIsNoMap", R"({"filter":{"GTE":5}})", "GTE filter must be a map"},
        RefusedCase{"ComparisonHasTwo", R"({"filter":{"EQ":{"a":1,"b":2}}})",
                    "EQ filter must contain a single key/value pair"},
        RefusedCase{"ComparisonHasNone", R"({"filter":{"EQ":{}}})", "EQ filter must contain a single key/value pair"},
        RefusedCase{"ComparisonWithoutPath", R"({"filter":{"EQ":{"":1}}})", "EQ filter must name a path"},
        RefusedCase{"ComparisonWithAnObject", R"({"filter":{"EQ":{"a":{}}}})",
                    "EQ filter value must be a string, a number, a boolean or null"},
        RefusedCase{"InIsNoMap", R"({"filter":{"IN":[]}})", "IN filter must be a map"},
        RefusedCase{"InHasTwo", R"({"filter":{"IN":{"a":[1],"b":[2]}}})",
                    "IN filter must contain a single key/value pair"},
        RefusedCase{"InIsNoArray", R"({"filter":{"IN":{"a":1}}})", "IN filter value must be an array"},
        RefusedCase{"InIsEmpty", R"({"filter":{"IN":{"a":[]}}})", "empty IN operator for key \"a\""},
        RefusedCase{"InWithAnArray", R"({"filter":{"IN":{"a":[[]]}}})",
                    "IN filter values must be strings, numbers, booleans or null"},
        RefusedCase{"AndIsNoArray", R"({"filter":{"AND":{}}})", "AND filter must be an array"},
        RefusedCase{"OrHasOne", R"({"filter":{"OR":[{"EQ":{"a":1}}]}})", "OR filter must contain at least two entries"},
        RefusedCase{"SortIsNoArray", R"({"sort":{}})",
                    "json: cannot unmarshal object into Go struct field QueryFields.sort of type []query.Sorting"},
        RefusedCase{"SortOfNumbers", R"({"sort":[1]})",
                    "json: cannot unmarshal number into Go struct field QueryFields.sort of type query.Sorting"},
        RefusedCase{"SortWithoutKey", R"({"sort":[{"order":"ASC"}]})", "sort must name a key"},
        RefusedCase{"SortKeyIsNoText", R"({"sort":[{"key":1}]})",
                    "json: cannot unmarshal number into Go struct field Sorting.sort.key of type string"},
        RefusedCase{"PageIsNoObject", R"({"page":1})",
                    "json: cannot unmarshal number into Go struct field QueryFields.page of type query.Pagination"},
        RefusedCase{"LimitIsText", R"({"page":{"limit":"3"}})",
                    "json: cannot unmarshal string into Go struct field Pagination.page.limit of type int"},
        RefusedCase{"LimitIsFractional", R"({"page":{"limit":2.5}})",
                    "json: cannot unmarshal number into Go struct field Pagination.page.limit of type int"},
        RefusedCase{"TokenIsNoText", R"({"page":{"token":3}})",
                    "json: cannot unmarshal number into Go struct field Pagination.page.token of type string"}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace holdfast::state
