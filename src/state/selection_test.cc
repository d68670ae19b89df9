#include "state/selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::state {
namespace {

using testing::ElementsAre;

Query parse(std::string_view text) {
  auto query = parse_query(text);
  if (!query) throw std::runtime_error(query.error().message);
  return std::move(*query);
}

bool selects(std::string_view filter, std::string_view value) {
  const Query query = parse(std::string(R"({"filter":)").append(filter).append("}"));
  json::Parser parser;
  return matches(query.filter.front(), *parser.parse(value));
}

std::vector<std::string> run(const Query& query, const std::vector<std::pair<std::string, std::string>>& rows,
                             std::string& token) {
  auto selection = Selection::begin(query);
  if (!selection) throw std::runtime_error(selection.error().message);
  for (const auto& [key, value] : rows) {
    ListedRecord record;
    record.key = key;
    record.record.value = value;
    record.record.shape = Shape::json;
    selection->offer(std::move(record));
  }
  const QueryPage page = std::move(*selection).finish();
  token = page.token;
  std::vector<std::string> keys;
  for (const auto& item : page.items) keys.push_back(item.key);
  return keys;
}

TEST(Matches, AValueThatIsNoObjectHasNoMembers) {
  for (const char* value : {"1", "\"a\"", "[]", "null", "true"}) {
    EXPECT_FALSE(selects(R"({"EQ":{"a":1}})", value)) << value;
    EXPECT_TRUE(selects(R"({"NEQ":{"a":1}})", value)) << value;
  }
}

TEST(Matches, IntegersAndFractionsAreOneKindOfNumber) {
  EXPECT_TRUE(selects(R"({"EQ":{"a":1}})", R"({"a":1.0})"));
  EXPECT_TRUE(selects(R"({"EQ":{"a":18446744073709551615}})", R"({"a":18446744073709551615})"));
  EXPECT_TRUE(selects(R"({"GT":{"a":-1e300}})", R"({"a":0})"));
}

TEST(Matches, NullAndBooleansAreNeitherGreaterNorLess) {
  EXPECT_FALSE(selects(R"({"GTE":{"a":null}})", R"({"a":null})"));
  EXPECT_FALSE(selects(R"({"LTE":{"a":true}})", R"({"a":false})"));
}

TEST(Selection, ValuesOfEveryKindHaveOneOrder) {
  const Query query = parse(R"({"sort":[{"key":"v"}]})");
  std::string token;
  EXPECT_THAT(run(query,
                  {{"object", R"({"v":{}})"},
                   {"string", R"({"v":"a"})"},
                   {"ten", R"({"v":10})"},
                   {"nine", R"({"v":9})"},
                   {"true", R"({"v":true})"},
                   {"false", R"({"v":false})"},
                   {"null", R"({"v":null})"},
                   {"absent", "{}"}},
                  token),
              ElementsAre("absent", "null", "false", "true", "nine", "ten", "string", "object"));
}

TEST(Selection, EveryPageContinuesThroughValuesOfEveryKind) {
  const std::vector<std::pair<std::string, std::string>> rows{
      {"object", R"({"v":{}})"}, {"array", R"({"v":[]})"},  {"string", R"({"v":"q\"\u0000,é"})"},
      {"ten", R"({"v":1e-7})"},  {"same", R"({"v":1e-7})"}, {"true", R"({"v":true})"},
      {"null", R"({"v":null})"}, {"absent", "{}"}};
  for (const std::string order : {"ASC", "DESC"}) {
    Query query = parse(R"({"sort":[{"key":"v","order":")" + order + R"("}]})");
    std::string token;
    const auto all = run(query, rows, token);
    EXPECT_EQ(token, "");
    query.limit = 1;
    std::vector<std::string> paged;
    do {
      const auto page = run(query, rows, query.token);
      paged.insert(paged.end(), page.begin(), page.end());
      ASSERT_LE(paged.size(), rows.size());
    } while (!query.token.empty());
    EXPECT_EQ(paged, all);
  }
}

TEST(Selection, RowsThatGoBetweenPagesMoveNoOthers) {
  Query query = parse(R"({"sort":[{"key":"v"}],"page":{"limit":2}})");
  EXPECT_THAT(
      run(query, {{"a", R"({"v":1})"}, {"b", R"({"v":2})"}, {"c", R"({"v":3})"}, {"d", R"({"v":4})"}}, query.token),
      ElementsAre("a", "b"));
  EXPECT_THAT(run(query, {{"c", R"({"v":3})"}, {"d", R"({"v":4})"}}, query.token), ElementsAre("c", "d"));
  EXPECT_EQ(query.token, "");
}

TEST(Selection, APageOfManyMatchesIsTheFirstOfThem) {
  const Query query = parse(R"({"sort":[{"key":"v","order":"DESC"}],"page":{"limit":2}})");
  std::vector<std::pair<std::string, std::string>> rows;
  for (int i = 0; i < 5000; ++i)
    rows.emplace_back("k" + std::to_string(i), R"({"v":)" + std::to_string(i * 7919 % 5000) + "}");
  std::string token;
  EXPECT_THAT(run(query, rows, token), ElementsAre(testing::_, testing::_));
  const auto keys = run(query, rows, token);
  EXPECT_EQ(keys[0], "k" + std::to_string([] {
                       for (int i = 0;; ++i)
                         if (i * 7919 % 5000 == 4999) return i;
                     }()));
}

TEST(Selection, TextThatIsNoTokenOfTheQueryIsRefused) {
  for (const char* token : {"x", "W10", "W251bGxd", "????", "e30", "W10x"}) {
    Query query = parse("{}");
    query.token = token;
    const auto selection = Selection::begin(query);
    ASSERT_FALSE(selection) << token;
    EXPECT_EQ(selection.error().code, Errc::invalid_argument);
  }
}

}  // namespace
}  // namespace holdfast::state
