#include "stores/redis/query_text.h"

#include <gmock/gmock.h>

#include "wire/resp/reply.h"

namespace holdfast::stores::redis {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Type = SearchIndex::Type;

const SearchIndex kIndex{"people", {{"person.org", Type::text}, {"person.id", Type::numeric}, {"state", Type::tag}}};

std::vector<std::string> words_of(std::string_view command) {
  auto reply = resp::Reply::parse(command);
  std::vector<std::string> words;
  if (!reply) return words;
  for (const resp::Value word : reply->root()) words.emplace_back(word.text());
  return words;
}

Result<SearchCommand> compile(std::string_view json) {
  auto query = state::parse_query(json);
  if (!query) return fail(std::move(query.error()));
  return compile_search(kIndex, *query);
}

std::string text_of(std::string_view filter) {
  auto command = compile(R"({"filter":)" + std::string(filter) + "}");
  return command ? words_of(command->bytes).at(2) : command.error().message;
}

struct FilterCase {
  const char* name;
  const char* filter;
  const char* text;
};
class QueryText : public testing::TestWithParam<FilterCase> {};

TEST_P(QueryText, SaysWhatTheFilterSays) { EXPECT_EQ(text_of(GetParam().filter), GetParam().text); }

INSTANTIATE_TEST_SUITE_P(
    Filters, QueryText,
    testing::Values(
        FilterCase{"Everything", "{}", "*"},
        FilterCase{"Words", R"({"EQ":{"person.org":"Dev Ops"}})", R"(@var0:("Dev Ops"))"},
        FilterCase{"Number", R"({"EQ":{"person.id":1036}})", "@var1:[1036 1036]"},
        FilterCase{"Fraction", R"({"EQ":{"person.id":-1.5}})", "@var1:[-1.5 -1.5]"},
        FilterCase{"Tag", R"({"EQ":{"state":"CA"}})", "@var2:{CA}"},
        FilterCase{"TagOfABoolean", R"({"EQ":{"state":true}})", "@var2:{true}"},
        FilterCase{"NotAlone", R"({"NEQ":{"state":"CA"}})", "(-@var2:{CA})"},
        FilterCase{"Greater", R"({"GT":{"person.id":1}})", "@var1:[(1 +inf]"},
        FilterCase{"GreaterOrEqual", R"({"GTE":{"person.id":1}})", "@var1:[1 +inf]"},
        FilterCase{"Less", R"({"LT":{"person.id":1}})", "@var1:[-inf (1]"},
        FilterCase{"LessOrEqual", R"({"LTE":{"person.id":1}})", "@var1:[-inf 1]"},
        FilterCase{"OneOfWords", R"({"IN":{"person.org":["A","B C"]}})", R"(@var0:("A" | "B C"))"},
        FilterCase{"OneOfTags", R"({"IN":{"state":["CA","WA"]}})", "@var2:{CA | WA}"},
        FilterCase{"OneOfNumbers", R"({"IN":{"person.id":[1,2]}})", "(@var1:[1 1] | @var1:[2 2])"},
        FilterCase{"And", R"({"AND":[{"EQ":{"state":"CA"}},{"NEQ":{"person.id":5}}]})", "(@var2:{CA} (-@var1:[5 5]))"},
        FilterCase{"Or", R"({"OR":[{"EQ":{"state":"CA"}},{"AND":[{"EQ":{"person.id":5}},{"EQ":{"state":"WA"}}]}]})",
                   "(@var2:{CA} | (@var1:[5 5] @var2:{WA}))"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(QueryText, NothingInAValueMeansAnythingToTheModule) {
  EXPECT_EQ(text_of(R"({"EQ":{"person.org":"a\") | @var1:[0 9] | (\"b*"}})"), R"(@var0:("a var1 0 9 b"))");
  EXPECT_EQ(text_of(R"({"EQ":{"state":"a} | @var1:[0 9]"}})"), R"(@var2:{a\}\ \|\ \@var1\:\[0\ 9\]})");
  EXPECT_EQ(text_of(R"({"EQ":{"state":"\\{x\\}"}})"), R"(@var2:{\\\{x\\\}})");
  EXPECT_EQ(text_of(R"({"EQ":{"state":"Zürich"}})"), "@var2:{Zürich}");
}

TEST(QueryText, WhatTheModuleCannotDoIsRefusedAndExplained) {
  for (const auto& [filter, why] :
       {std::pair(R"({"EQ":{"other":1}})", "does not cover the path \"other\""),
        std::pair(R"({"EQ":{"person.org":1}})", "TEXT field"), std::pair(R"({"EQ":{"person.id":"1"}})", "strings"),
        std::pair(R"({"EQ":{"state":null}})", "null"), std::pair(R"({"EQ":{"person.org":true}})", "booleans"),
        std::pair(R"({"GT":{"person.org":"a"}})", "the greater"), std::pair(R"({"GT":{"state":3}})", "numbers"),
        std::pair(R"({"EQ":{"person.org":" - "}})", "no letter or digit"),
        std::pair("{\"EQ\":{\"state\":\"a\\u0000b\"}}", "control characters"),
        std::pair(R"({"IN":{"person.id":[1,"x"]}})", "strings")}) {
    auto query = state::parse_query(R"({"filter":)" + std::string(filter) + "}");
    ASSERT_TRUE(query) << filter;
    const auto command = compile_search(kIndex, *query);
    ASSERT_FALSE(command) << filter;
    EXPECT_EQ(command.error().code, Errc::invalid_argument);
    EXPECT_THAT(command.error().message, HasSubstr(why)) << filter;
  }
}

TEST(QueryText, ASortAndAPageBecomeTheirWords) {
  const auto command = compile(
      R"({"filter":{"EQ":{"state":"CA"}},"sort":[{"key":"person.id","order":"DESC"}],"page":{"limit":3,"token":"6"}})");
  ASSERT_TRUE(command) << command.error().message;
  EXPECT_THAT(words_of(command->bytes),
              ElementsAre("FT.SEARCH", "people", "@var2:{CA}", "VERBATIM", "SORTBY", "var1", "DESC", "LIMIT", "6", "3",
                          "RETURN", "2", "$.data", "$.version", "DIALECT", "3"));
  EXPECT_EQ(command->offset, 6u);
  EXPECT_EQ(search_token_after(*command, 3, 10), "9");
  EXPECT_EQ(search_token_after(*command, 3, 9), "");
  EXPECT_EQ(search_token_after(*command, 0, 100), "") << "no progress would be a page that never ends";
}

TEST(QueryText, TwoSortKeysAndForeignTokensAreRefused) {
  EXPECT_FALSE(compile(R"({"sort":[{"key":"state"},{"key":"person.id"}]})"));
  EXPECT_FALSE(compile(R"({"sort":[{"key":"other"}]})"));
  for (const char* token : {"x", "-1", "1x", "99999999999"})
    EXPECT_FALSE(compile(R"({"page":{"token":")" + std::string(token) + "\"}}")) << token;
}

TEST(QueryText, TheIndexIsTheOneNamedOrTheFirstThatCanAnswer) {
  const std::vector<SearchIndex> indexes{kIndex, {"places", {{"city", Type::tag}}}, {"more", {{"city", Type::text}}}};
  const auto chosen = [&](std::string_view json, std::string_view name) -> std::string {
    auto query = state::parse_query(json);
    query->index = name;
    const auto plan = plan_search(indexes, *query);
    return plan ? plan->index->name + ": " + words_of(plan->command.bytes).at(2) : plan.error().message;
  };
  EXPECT_EQ(chosen(R"({"filter":{"EQ":{"city":"Bern"}}})", ""), "places: @var0:{Bern}");
  EXPECT_EQ(chosen(R"({"filter":{"EQ":{"city":"Bern"}}})", "more"), "more: @var0:(\"Bern\")");
  EXPECT_EQ(chosen("{}", ""), "people: *");
  EXPECT_THAT(chosen(R"({"filter":{"EQ":{"city":"Bern"}}})", "people"),
              HasSubstr("\"people\" does not cover the path"));
  EXPECT_THAT(chosen(R"({"filter":{"EQ":{"other":1}}})", ""), HasSubstr("\"people\" does not cover the path"));
  EXPECT_EQ(chosen("{}", "nobody"),
            "there is no search index \"nobody\"; the component's queryIndexes have \"people\", \"places\", \"more\"");
}

TEST(QueryText, AnIndexIsMadeAsDaprMakesIt) {
  std::string out;
  append_create_index(out, kIndex);
  EXPECT_THAT(words_of(out), ElementsAre("FT.CREATE", "people", "ON", "JSON", "SCHEMA", "$.data.person.org", "AS",
                                         "var0", "TEXT", "SORTABLE", "$.data.person.id", "AS", "var1", "NUMERIC",
                                         "SORTABLE", "$.data.state", "AS", "var2", "TAG", "SORTABLE"));
}

TEST(QueryText, IndexesThatCannotBeMadeAreRefused) {
  for (const char* json :
       {"{", "{}", "[1]", R"([{"indexes":[]}])", R"([{"name":"i","indexes":[]}])", R"([{"name":"i","indexes":[1]}])",
        R"([{"name":"i","indexes":[{"key":"a"}]}])", R"([{"name":"i","indexes":[{"key":"a","type":"GEO"}]}])",
        R"([{"name":"i","indexes":[{"key":"a[*]","type":"TAG"}]}])",
        R"([{"name":"i","indexes":[{"key":"a","type":"TAG"}]},{"name":"i","indexes":[{"key":"a","type":"TAG"}]}])"})
    EXPECT_FALSE(parse_search_indexes(json)) << json;
  EXPECT_TRUE(parse_search_indexes("  ")->empty());
}

}  // namespace
}  // namespace holdfast::stores::redis
