// Queries over JSON values, with the sets of Dapr's own suite.
#include <algorithm>

#include "conformance/conformance.h"

namespace holdfast::conformance {
namespace {

class QueryCase {
 public:
  QueryCase(Handle& store, const std::string& base) : store_(store), base_(base) {}

  void add(const std::string& name, const std::string& json) {
    const auto written = store_.set(put_json(base_ + name, json));
    EXPECT_TRUE(written) << name;
  }
  Result<state::QueryPage> page(std::string_view text, const std::string& token = "") {
    auto query = state::parse_query(text);
    if (!query) return fail(query.error());
    query->key_prefix = base_;
    if (!token.empty()) query->token = token;
    return store_.run(store_.store().query({}, *query));
  }
  // The names of what the query selects, in its order.
  std::vector<std::string> names(std::string_view text) { return names_of(page(text)); }
  std::vector<std::string> names_of(const Result<state::QueryPage>& page) {
    std::vector<std::string> names;
    if (!page) {
      ADD_FAILURE() << page.error().message;
      return names;
    }
    for (const auto& item : page->items) {
      EXPECT_TRUE(item.key.starts_with(base_)) << item.key;
      names.push_back(item.key.substr(std::min(base_.size(), item.key.size())));
    }
    return names;
  }
  std::vector<std::string> unordered(std::string_view text) {
    auto found = names(text);
    std::ranges::sort(found);
    return found;
  }

 private:
  Handle& store_;
  const std::string base_;
};

using Names = std::vector<std::string>;

void add_messages(QueryCase& query) {
  query.add("1", R"({"message":"foo","product":{"value":10.1},"status":"ACTIVE"})");
  query.add("2", R"({"message":"bar","product":{"value":11.1},"status":"INACTIVE"})");
  query.add("3", R"({"message":"foo","product":{"value":0.5},"status":"ACTIVE"})");
  query.add("4", R"({"message":"baz","product":{"value":-3},"status":"DELETED"})");
  query.add("5", R"({"message":"qux","product":null})");
}

TEST_P(QueryConformance, EqualityAndMembership) {
  HOLDFAST_NEEDS(query);
  QueryCase query(store(), base());
  add_messages(query);
  EXPECT_EQ(query.unordered(R"({"filter":{"EQ":{"message":"foo"}}})"), (Names{"1", "3"}));
  EXPECT_EQ(query.unordered(R"({"filter":{"OR":[{"EQ":{"message":"bar"}},{"IN":{"message":["baz","qux","none"]}}]}})"),
            (Names{"2", "4", "5"}));
  EXPECT_EQ(query.unordered(R"({"filter":{"EQ":{"product.value":11.1}}})"), Names{"2"});
  EXPECT_EQ(query.unordered(R"({"filter":{"IN":{"product.value":[0.5,-3]}}})"), (Names{"3", "4"}));
}

TEST_P(QueryConformance, CaseOfLettersMattersAndAnyPathMayBeAsked) {
  HOLDFAST_NEEDS(query);
  HOLDFAST_LACKS(query_by_index);
  QueryCase query(store(), base());
  add_messages(query);
  EXPECT_EQ(query.unordered(R"({"filter":{"EQ":{"message":"Foo"}}})"), Names{});
  EXPECT_EQ(query.unordered(R"({"filter":{"EQ":{"nowhere.at.all":1}}})"), Names{});
}

TEST_P(QueryConformance, WhatAnIndexDoesNotCoverIsRefused) {
  HOLDFAST_NEEDS(query);
  HOLDFAST_NEEDS(query_by_index);
  QueryCase query(store(), base());
  add_messages(query);
  for (const char* text : {R"({"filter":{"EQ":{"nowhere.at.all":1}}})", R"({"sort":[{"key":"nowhere"}]})",
                           R"({"filter":{"GT":{"message":"baz"}}})", R"({"filter":{"EQ":{"product.value":"11.1"}}})",
                           R"({"filter":{"EQ":{"message":null}}})"})
    EXPECT_TRUE(failed_with(query.page(text), {Errc::invalid_argument})) << text;
}

TEST_P(QueryConformance, MoreSortKeysThanDeclaredAreRefused) {
  HOLDFAST_NEEDS(query);
  HOLDFAST_JUDGES(query_sort_keys_max);
  if (can().query_sort_keys_max == state::kUnlimited) GTEST_SKIP() << "this store sorts by any number of keys";
  QueryCase query(store(), base());
  std::string keys;
  for (std::uint32_t i = 0; i <= can().query_sort_keys_max; ++i)
    keys += (i == 0 ? R"({"key":")" : R"(,{"key":")") + std::string(i % 2 == 0 ? "s" : "n") + "\"}";
  EXPECT_TRUE(failed_with(query.page("{\"sort\":[" + keys + "]}"), {Errc::invalid_argument}));
}

// PostgreSQL in Dapr compares numbers as text: "10.1" < "9".
TEST_P(QueryConformance, NumbersAreComparedAsNumbers) {
  HOLDFAST_NEEDS(query);
  QueryCase query(store(), base());
  add_messages(query);
  EXPECT_EQ(query.unordered(R"({"filter":{"GT":{"product.value":9}}})"), (Names{"1", "2"}));
  EXPECT_EQ(query.unordered(R"({"filter":{"GTE":{"product.value":10.1}}})"), (Names{"1", "2"}));
  EXPECT_EQ(query.unordered(R"({"filter":{"LT":{"product.value":0.5}}})"), Names{"4"});
  EXPECT_EQ(query.unordered(R"({"filter":{"LTE":{"product.value":0.5}}})"), (Names{"3", "4"}));
}

TEST_P(QueryConformance, StringsAreComparedByTheirBytes) {
  HOLDFAST_NEEDS(query);
  HOLDFAST_LACKS(query_by_index);
  QueryCase query(store(), base());
  add_messages(query);
  EXPECT_EQ(query.unordered(R"({"filter":{"GT":{"message":"baz"}}})"), (Names{"1", "3", "5"}));
}

TEST_P(QueryConformance, ConditionsNest) {
  HOLDFAST_NEEDS(query);
  QueryCase query(store(), base());
  add_messages(query);
  EXPECT_EQ(query.unordered(R"({"filter":{"AND":[{"EQ":{"message":"foo"}},{"GTE":{"product.value":0.1}},
                                {"LT":{"product.value":10}},{"NEQ":{"status":"INACTIVE"}}]}})"),
            Names{"3"});
  EXPECT_EQ(query.unordered(R"({"filter":{"OR":[
      {"AND":[{"EQ":{"message":"bar"}},{"EQ":{"product.value":11.1}}]},
      {"AND":[{"EQ":{"message":"foo"}},{"EQ":{"product.value":0.5}}]}]}})"),
            (Names{"2", "3"}));
}

// Redis in Dapr answers a lone NEQ as if it were EQ.
TEST_P(QueryConformance, NotEqualIsTheOppositeOfEqual) {
  HOLDFAST_NEEDS(query);
  QueryCase query(store(), base());
  add_messages(query);
  EXPECT_EQ(query.unordered(R"({"filter":{"NEQ":{"message":"foo"}}})"), (Names{"2", "4", "5"}));
  EXPECT_EQ(query.unordered(R"({"filter":{"NEQ":{"product.value":11.1}}})"), (Names{"1", "3", "4", "5"}));
}

TEST_P(QueryConformance, ValuesOfOtherTypesDoNotMatch) {
  HOLDFAST_NEEDS(query);
  HOLDFAST_LACKS(query_by_index);
  QueryCase query(store(), base());
  query.add("number", R"({"v":1})");
  query.add("string", R"({"v":"1"})");
  query.add("boolean", R"({"v":true})");
  query.add("null", R"({"v":null})");
  query.add("object", R"({"v":{"v":1}})");
  EXPECT_EQ(query.unordered(R"({"filter":{"EQ":{"v":1}}})"), Names{"number"});
  EXPECT_EQ(query.unordered(R"({"filter":{"EQ":{"v":"1"}}})"), Names{"string"});
  EXPECT_EQ(query.unordered(R"({"filter":{"EQ":{"v":true}}})"), Names{"boolean"});
  EXPECT_EQ(query.unordered(R"({"filter":{"EQ":{"v":null}}})"), Names{"null"});
  EXPECT_EQ(query.unordered(R"({"filter":{"GT":{"v":0}}})"), Names{"number"});
}

// In MongoDB, PostgreSQL and CockroachDB such texts become part of Dapr's statement.
TEST_P(QueryConformance, TextsOfAQueryAreOnlyTexts) {
  HOLDFAST_NEEDS(query);
  QueryCase query(store(), base());
  add_messages(query);
  for (const char* text : {R"(' OR '1'='1)", R"(foo' --)", R"(%)", R"($ne)", R"(*)", R"(\\)", R"(@message:foo)"})
    EXPECT_EQ(query.unordered(std::string(R"({"filter":{"EQ":{"message":")") + text + R"("}}})"), Names{}) << text;
  query.add("quote", R"({"message":"it's \"fine\" (really) | yes"})");
  EXPECT_EQ(query.unordered(R"({"filter":{"EQ":{"message":"it's \"fine\" (really) | yes"}}})"), Names{"quote"});
}

TEST_P(QueryConformance, WithoutAFilterEveryJsonRecordIsSelectedAndNoOther) {
  HOLDFAST_NEEDS(query);
  QueryCase query(store(), base());
  add_messages(query);
  ASSERT_TRUE(store().set(put(key("bytes"), R"({"message":"foo"})")));
  EXPECT_EQ(query.unordered("{}"), (Names{"1", "2", "3", "4", "5"}));
  EXPECT_EQ(query.unordered(R"({"filter":{"EQ":{"message":"foo"}}})"), (Names{"1", "3"}));
}

TEST_P(QueryConformance, ResultsCarryValueAndEtag) {
  HOLDFAST_NEEDS(query);
  QueryCase query(store(), base());
  add_messages(query);
  const auto page = query.page(R"({"filter":{"EQ":{"message":"bar"}}})");
  ASSERT_TRUE(page);
  ASSERT_EQ(page->items.size(), 1u);
  EXPECT_EQ(canonical(page->items[0].record.value),
            R"({"message":"bar","product":{"value":11.1},"status":"INACTIVE"})");
  if (can().etag) {
    EXPECT_EQ(page->items[0].record.etag, store().etag(key("2")));
  }
}

TEST_P(QueryConformance, SortsUpAndDown) {
  HOLDFAST_NEEDS(query);
  QueryCase query(store(), base());
  query.add("a", R"({"n":2})");
  query.add("b", R"({"n":-10})");
  query.add("c", R"({"n":10})");
  EXPECT_EQ(query.names(R"({"sort":[{"key":"n"}]})"), (Names{"b", "a", "c"}));
  EXPECT_EQ(query.names(R"({"sort":[{"key":"n","order":"DESC"}]})"), (Names{"c", "a", "b"}));
}

TEST_P(QueryConformance, SortsBySeveralKeysUpAndDown) {
  HOLDFAST_NEEDS(query);
  if (can().query_sort_keys_max < 2) GTEST_SKIP() << "this store sorts by one key";
  QueryCase query(store(), base());
  query.add("a", R"({"s":"x","n":2})");
  query.add("b", R"({"s":"y","n":10})");
  query.add("c", R"({"s":"x","n":10})");
  query.add("d", R"({"s":"y","n":2})");
  EXPECT_EQ(query.names(R"({"sort":[{"key":"n"},{"key":"s","order":"DESC"}]})"), (Names{"d", "a", "b", "c"}));
  EXPECT_EQ(query.names(R"({"sort":[{"key":"s","order":"DESC"},{"key":"n","order":"DESC"}]})"),
            (Names{"b", "d", "c", "a"}));
}

TEST_P(QueryConformance, PagesTogetherHoldEveryRowOnceAndTheLastHasNoToken) {
  HOLDFAST_NEEDS(query);
  QueryCase query(store(), base());
  for (int i = 0; i < 9; ++i)
    query.add(std::to_string(i),
              R"({"even":)" + std::string(i % 2 == 0 ? "true" : "false") + R"(,"n":)" + std::to_string(100 - i) + "}");
  std::vector<std::string> sorts{"", R"("sort":[{"key":"n"}],)"};
  if (can().query_sort_keys_max > 1) sorts.emplace_back(R"("sort":[{"key":"even"},{"key":"n","order":"DESC"}],)");
  for (const std::string& sort : sorts) {
    SCOPED_TRACE(sort);
    Names all;
    std::string token;
    int pages = 0;
    do {
      const auto page = query.page("{" + sort + R"("page":{"limit":3}})", token);
      ASSERT_TRUE(page) << page.error().message;
      const Names names = query.names_of(page);
      ASSERT_LE(names.size(), 3u);
      all.insert(all.end(), names.begin(), names.end());
      token = page->token;
      ASSERT_LT(++pages, 10);
    } while (!token.empty());
    EXPECT_EQ(all, query.names("{" + sort + R"("page":{}})"));
    EXPECT_EQ(all.size(), 9u);
  }
}

TEST_P(QueryConformance, DeletedAndOverwrittenRecordsAreNotFoundByWhatTheyWere) {
  HOLDFAST_NEEDS(query);
  QueryCase query(store(), base());
  add_messages(query);
  ASSERT_TRUE(store().erase(drop(key("1"))));
  query.add("3", R"({"message":"changed"})");
  EXPECT_EQ(query.unordered(R"({"filter":{"EQ":{"message":"foo"}}})"), Names{});
  EXPECT_EQ(query.unordered(R"({"filter":{"EQ":{"message":"changed"}}})"), Names{"3"});
}

TEST_P(QueryConformance, ExpiredRecordsAreNotFound) {
  HOLDFAST_NEEDS(query);
  HOLDFAST_NEEDS(ttl);
  QueryCase query(store(), base());
  query.add("kept", R"({"v":1})");
  const std::string timed = key("timed");
  state::SetRequest request = put_json(timed, R"({"v":1})");
  request.ttl = kShortTtl;
  ASSERT_TRUE(store().set(request));
  EXPECT_EQ(query.unordered(R"({"filter":{"EQ":{"v":1}}})"), (Names{"kept", "timed"}));
  run_out(timed, kShortTtl);
  EXPECT_EQ(query.unordered(R"({"filter":{"EQ":{"v":1}}})"), Names{"kept"});
}

TEST_P(QueryConformance, WithoutQueriesTheyAreUnsupported) {
  HOLDFAST_LACKS(query);
  EXPECT_TRUE(is_unsupported(QueryCase(store(), base()).page("{}")));
}

TEST_P(QueryConformance, OnlyWhatAListingShowsIsSelectedWhenAsked) {
  HOLDFAST_NEEDS(query);
  if (!GetParam().raw_keys) GTEST_SKIP() << "through an API nobody asks a store for this: isolation does";
  QueryCase query(store(), base());
  for (const char* name : {"app||1", "app||isolation::K::state::2", "app||type||id||3", "app||4"})
    query.add(name, R"({"message":"foo"})");
  auto parsed = state::parse_query(R"({"filter":{"EQ":{"message":"foo"}}})");
  ASSERT_TRUE(parsed);
  parsed->key_prefix = base() + "app||";
  parsed->own_bytes = parsed->key_prefix.size();
  const auto selected = [&] {
    Names names = query.names_of(store().run(store().store().query({}, *parsed)));
    std::ranges::sort(names);
    return names;
  };
  EXPECT_EQ(selected(), (Names{"app||1", "app||4", "app||isolation::K::state::2"}));
  parsed->hides_isolated = true;
  EXPECT_EQ(selected(), (Names{"app||1", "app||4"}));
}

}  // namespace
}  // namespace holdfast::conformance
