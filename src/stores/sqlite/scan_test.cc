#include <gmock/gmock.h>

#include <atomic>

#include "state/query.h"
#include "stores/sqlite/testing.h"

namespace holdfast::stores::sqlite {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class SqliteScanTest : public testing::TestWithParam<const char*> {
 protected:
  void fill(std::initializer_list<std::string_view> keys) {
    for (const std::string_view key : keys) ASSERT_TRUE(db_.set(key, "v:" + std::string(key)));
  }
  // All pages of a listing, with at most `limit` items each; counts the pages.
  std::vector<std::string> list(std::string_view prefix, std::size_t own_bytes, std::uint32_t limit,
                                int* pages = nullptr) {
    std::vector<std::string> keys;
    std::string cursor;
    do {
      auto page = db_.loop.run(
          db_.store->list({}, {.prefix = prefix, .own_bytes = own_bytes, .cursor = cursor, .limit = limit}));
      EXPECT_TRUE(page) << page.error().message;
      if (!page) return keys;
      for (const auto& item : page->items) keys.push_back(item.key);
      cursor = page->cursor;
      if (pages != nullptr) ++*pages;
    } while (!cursor.empty());
    return keys;
  }
  std::vector<std::string> like(std::string_view pattern) {
    auto page = db_.loop.run(db_.store->keys_like({}, {.pattern = pattern, .cursor = {}}));
    EXPECT_TRUE(page);
    return page ? page->keys : std::vector<std::string>();
  }
  // Keys of the answer, in order.
  std::vector<std::string> query(std::string_view text, std::string* token = nullptr) {
    auto parsed = state::parse_query(text);
    EXPECT_TRUE(parsed) << parsed.error().message;
    parsed->key_prefix = "q||";
    auto page = db_.loop.run(db_.store->query({}, *parsed));
    EXPECT_TRUE(page) << page.error().message;
    std::vector<std::string> keys;
    if (page)
      for (const auto& item : page->items) keys.push_back(item.key.substr(3));
    if (page && token != nullptr) *token = page->token;
    return keys;
  }
  void fill_people() {
    for (const auto& [key, json] : std::initializer_list<std::pair<const char*, const char*>>{
             {"q||ann", R"({"name":"ann","age":30,"org":{"id":"7","open":true},"note":null})"},
             {"q||bob", R"({"name":"bob","age":31.5,"org":{"id":7,"open":false}})"},
             {"q||cyd", R"({"name":"cyd","age":"30","org":{"id":"9","open":1}})"},
             {"other||dan", R"({"name":"dan","age":30})"}})
      ASSERT_TRUE(db_.set_json(key, json));
    ASSERT_TRUE(db_.set("q||raw", R"({"name":"raw","age":30})"));
    ASSERT_TRUE(db_.set_json("q||text", "not json"));
    ASSERT_TRUE(db_.set_json("q||gone", R"({"name":"gone","age":30})"));
    ASSERT_TRUE(db_.erase("q||gone"));
    state::SetRequest brief;
    brief.key = "q||brief";
    brief.value = R"({"name":"brief","age":30})";
    brief.shape = state::Shape::json;
    brief.ttl = Milliseconds(10);
    ASSERT_TRUE(db_.set(brief));
    db_.clock.advance(Milliseconds(10));
  }

  TempFolder folder_;
  OpenStore db_{
      Fields{{"connectionString", std::string(GetParam()) == "memory" ? ":memory:" : folder_.file("state.db")}}};
};

TEST_P(SqliteScanTest, AListingIsInBytewiseOrderWithoutForeignKeysAndOutboxMarkers) {
  fill({"app||b", "app||a", "app||B", "app||\xc3\xa4", "app||type||id||k", "app||outbox-1", "app2||a", "ap", "app|"});
  EXPECT_THAT(list("app||", 5, 100), ElementsAre("app||B", "app||a", "app||b", "app||\xc3\xa4"));
  EXPECT_THAT(list("app||a", 5, 100), ElementsAre("app||a"));
  EXPECT_THAT(list("none||", 6, 100), IsEmpty());
}

TEST_P(SqliteScanTest, PagesHoldEveryKeyOnceAndTheLastFullPageHasNoCursor) {
  fill({"p||1", "p||2", "p||3", "p||4", "p||5", "p||6"});
  for (const std::uint32_t limit : {1u, 2u, 3u, 4u, 5u, 6u, 7u, 0u}) {
    int pages = 0;
    EXPECT_EQ(list("p||", 3, limit, &pages).size(), 6u) << limit;
    EXPECT_EQ(pages, limit == 0 ? 1 : static_cast<int>((6 + limit - 1) / limit)) << limit;
  }
}

TEST_P(SqliteScanTest, ACursorStaysGoodWhileKeysComeAndGo) {
  fill({"p||1", "p||2", "p||3", "p||4"});
  auto first = db_.loop.run(db_.store->list({}, {.prefix = "p||", .own_bytes = 3, .cursor = {}, .limit = 2}));
  ASSERT_TRUE(first);
  ASSERT_TRUE(db_.erase("p||1"));
  ASSERT_TRUE(db_.erase("p||2"));
  ASSERT_TRUE(db_.set("p||3", "rewritten"));
  ASSERT_TRUE(db_.set("p||35", "new"));
  auto second =
      db_.loop.run(db_.store->list({}, {.prefix = "p||", .own_bytes = 3, .cursor = first->cursor, .limit = 9}));
  ASSERT_TRUE(second);
  ASSERT_EQ(second->items.size(), 3u);
  EXPECT_EQ(second->items[0].key, "p||3");
  EXPECT_EQ(second->items[1].key, "p||35");
}

TEST_P(SqliteScanTest, AListingBringsValuesAndFieldsOnlyWhenAskedFor) {
  fill({"p||1"});
  for (const bool values : {false, true})
    for (const bool fields : {false, true}) {
      auto page = db_.loop.run(db_.store->list(
          {},
          {.prefix = "p||", .own_bytes = 3, .cursor = {}, .limit = 9, .want_values = values, .want_fields = fields}));
      ASSERT_TRUE(page && page->items.size() == 1);
      EXPECT_EQ(page->items[0].record.value, values ? "v:p||1" : "");
      EXPECT_EQ(page->items[0].record.fields.has_value(), fields);
      EXPECT_EQ(page->items[0].record.etag.size(), 36u);
    }
}

TEST_P(SqliteScanTest, ExpiredRecordsAreNotListed) {
  fill({"p||1"});
  ASSERT_TRUE(db_.set("p||2", "v", {}, Milliseconds(10)));
  EXPECT_THAT(list("p||", 3, 1), ElementsAre("p||1", "p||2"));
  db_.clock.advance(Milliseconds(10));
  int pages = 0;
  EXPECT_THAT(list("p||", 3, 1, &pages), ElementsAre("p||1"));
  EXPECT_EQ(pages, 1);
  EXPECT_THAT(like("p||%"), ElementsAre("p||1"));
}

TEST_P(SqliteScanTest, AForeignCursorIsRefused) {
  for (const std::string_view cursor : {"x", "k!", "0"}) {
    auto page = db_.loop.run(db_.store->list({}, {.prefix = "p", .own_bytes = 0, .cursor = cursor}));
    ASSERT_FALSE(page) << cursor;
    EXPECT_EQ(page.error().code, Errc::invalid_argument);
    EXPECT_FALSE(db_.loop.run(db_.store->keys_like({}, {.pattern = "%", .cursor = cursor})));
  }
}

TEST_P(SqliteScanTest, KeysLikeIsCaseExactAndAnchored) {
  fill({"abc", "ABC", "abd", "xabc", "a%c", "a_c",
        "a\xc3\xa4"
        "c"});
  EXPECT_THAT(like("ab%"), ElementsAre("abc", "abd"));
  EXPECT_THAT(like("a_c"), ElementsAre("a%c", "a_c", "abc",
                                       "a\xc3\xa4"
                                       "c"));
  EXPECT_THAT(like("a\\%c"), ElementsAre("a%c"));
  EXPECT_THAT(like("a\\_c"), ElementsAre("a_c"));
  EXPECT_THAT(like("%bc"), ElementsAre("abc", "xabc"));
  EXPECT_THAT(like("abc"), ElementsAre("abc"));
  EXPECT_EQ(like("%").size(), 7u);
  EXPECT_EQ(db_.loop.run(db_.store->keys_like({}, {.pattern = "", .cursor = {}})).error().code, Errc::invalid_argument);
}

TEST_P(SqliteScanTest, KeysLikePagesStandUpdatesAndDeletionsAndEndWithoutAToken) {
  fill({"k1", "k2", "k3", "k4"});
  auto first = db_.loop.run(db_.store->keys_like({}, {.pattern = "k%", .cursor = {}, .limit = 2}));
  ASSERT_TRUE(first);
  EXPECT_THAT(first->keys, ElementsAre("k1", "k2"));
  // An update keeps the key's place (in Dapr it jumps to the end); the keys already seen may go.
  ASSERT_TRUE(db_.set("k3", "again"));
  ASSERT_TRUE(db_.erase("k1"));
  ASSERT_TRUE(db_.erase("k2"));
  auto second = db_.loop.run(db_.store->keys_like({}, {.pattern = "k%", .cursor = first->cursor, .limit = 2}));
  ASSERT_TRUE(second);
  EXPECT_THAT(second->keys, ElementsAre("k3", "k4"));
  EXPECT_EQ(second->cursor, "");
}

TEST_P(SqliteScanTest, DeletionByPrefixCountsWhatWasLiveAndSparesOthers) {
  std::vector<std::string> keys;
  for (int i = 0; i < 1203; ++i) keys.push_back("app||key" + std::to_string(i));
  std::vector<state::SetRequest> sets(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) sets[i].key = keys[i];
  for (const auto& written : db_.loop.run(db_.store->set_many({}, sets))) ASSERT_TRUE(written);
  fill({"app||type||id||k", "app||outbox-1", "app2||a"});
  ASSERT_TRUE(db_.set("app||brief", "v", {}, Milliseconds(1)));
  db_.clock.advance(Milliseconds(1));
  auto count = db_.loop.run(db_.store->erase_prefix({}, {.prefix = "app||", .own_bytes = 5}));
  ASSERT_TRUE(count);
  EXPECT_EQ(*count, 1203u);
  EXPECT_THAT(like("app%"), ElementsAre("app2||a", "app||outbox-1", "app||type||id||k"));
  EXPECT_EQ(*db_.loop.run(db_.store->erase_prefix({}, {.prefix = "app||", .own_bytes = 5})), 0u);
}

TEST_P(SqliteScanTest, DaprsDeletionByPrefixAddsTheSeparator) {
  fill({"w||1", "w||2", "w||3||x", "wide"});
  EXPECT_EQ(*db_.loop.run(db_.store->erase_with_dapr_prefix({}, "w")), 2u);
  EXPECT_EQ(db_.loop.run(db_.store->erase_with_dapr_prefix({}, "")).error().code, Errc::invalid_argument);
  EXPECT_THAT(like("%"), ElementsAre("wide", "w||3||x"));
}

// Moves on at every look, so that the time is up in the middle of a scan and not before it.
class RunningClock final : public Clock {
 public:
  WallTime wall() const override { return WallTime{1'790'000'000'000'000}; }
  SteadyTime steady() const override { return SteadyTime(std::chrono::seconds(++looks_)); }

 private:
  mutable std::atomic<int> looks_{0};
};

TEST(SqliteScan, AScanStopsAtTheDeadline) {
  const TempFolder folder;
  std::vector<std::string> keys;
  for (int i = 0; i < 3000; ++i) keys.push_back("p||" + std::to_string(i));
  {
    OpenStore db(folder.file("state.db"));
    std::vector<state::SetRequest> sets(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) sets[i].key = keys[i];
    for (const auto& written : db.loop.run(db.store->set_many({}, sets))) ASSERT_TRUE(written);
  }
  const RunningClock clock;
  auto core =
      kSqliteType.prepare(component_of({{"connectionString", folder.file("state.db")}}), {.clock = clock, .loops = 1});
  ASSERT_TRUE(core);
  test::TestLoop loop;
  auto store = loop.run((*core)->open(loop));
  ASSERT_TRUE(store);
  state::CallContext context;
  context.deadline = SteadyTime(std::chrono::seconds(6));
  auto page = loop.run((*store)->keys_like(context, {.pattern = "%9%", .cursor = {}}));
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code, Errc::deadline_exceeded);
  EXPECT_TRUE(loop.run((*store)->list({}, {.prefix = "p||", .own_bytes = 3, .cursor = {}, .limit = 1})));
}

TEST_P(SqliteScanTest, AStringNeverEqualsANumberNorTrueOne) {
  fill_people();
  EXPECT_THAT(query(R"({"filter":{"EQ":{"age":30}}})"), ElementsAre("ann"));
  EXPECT_THAT(query(R"({"filter":{"EQ":{"age":"30"}}})"), ElementsAre("cyd"));
  EXPECT_THAT(query(R"({"filter":{"EQ":{"org.open":true}}})"), ElementsAre("ann"));
  EXPECT_THAT(query(R"({"filter":{"EQ":{"org.open":1}}})"), ElementsAre("cyd"));
  EXPECT_THAT(query(R"({"filter":{"EQ":{"note":null}}})"), ElementsAre("ann"));
  EXPECT_THAT(query(R"({"filter":{"IN":{"org.id":["7",9,true]}}})"), ElementsAre("ann"));
  EXPECT_THAT(query(R"({"filter":{"IN":{"org.open":[true,false]}}})"), ElementsAre("ann", "bob"));
}

TEST_P(SqliteScanTest, OrderComparesTwoNumbersOrTwoStrings) {
  fill_people();
  EXPECT_THAT(query(R"({"filter":{"GT":{"age":30}}})"), ElementsAre("bob"));
  EXPECT_THAT(query(R"({"filter":{"GTE":{"age":30}}})"), ElementsAre("ann", "bob"));
  EXPECT_THAT(query(R"({"filter":{"LT":{"age":31}}})"), ElementsAre("ann"));
  EXPECT_THAT(query(R"({"filter":{"LTE":{"name":"bob"}}})"), ElementsAre("ann", "bob"));
  EXPECT_THAT(query(R"({"filter":{"NEQ":{"age":30}}})"), ElementsAre("bob", "cyd"));
}

TEST_P(SqliteScanTest, FiltersCombineAndNothingFiltersNothing) {
  fill_people();
  EXPECT_THAT(query(R"({"filter":{"OR":[{"EQ":{"name":"ann"}},{"EQ":{"name":"cyd"}}]}})"), ElementsAre("ann", "cyd"));
  EXPECT_THAT(query(R"({"filter":{"AND":[{"GTE":{"age":30}},{"NEQ":{"name":"bob"}}]}})"), ElementsAre("ann"));
  EXPECT_THAT(query("{}"), ElementsAre("ann", "bob", "cyd"));
  std::string wide = R"({"filter":{"OR":[)";
  for (int i = 0; i < 900; ++i) wide += R"({"EQ":{"age":-1}},)";
  EXPECT_THAT(query(wide + R"({"EQ":{"name":"bob"}}]}})"), ElementsAre("bob"));
}

TEST_P(SqliteScanTest, SortedAndUnsortedPagesEndWithoutAToken) {
  fill_people();
  std::string token;
  const std::string unsorted = R"({"page":{"limit":2,"token":")";
  EXPECT_THAT(query(unsorted + "\"}}", &token), ElementsAre("ann", "bob"));
  EXPECT_THAT(query(unsorted + token + "\"}}", &token), ElementsAre("cyd"));
  EXPECT_EQ(token, "");
  const std::string sorted = R"({"sort":[{"key":"name","order":"DESC"}],"page":{"limit":2,"token":")";
  EXPECT_THAT(query(sorted + "\"}}", &token), ElementsAre("cyd", "bob"));
  EXPECT_THAT(query(sorted + token + "\"}}", &token), ElementsAre("ann"));
  EXPECT_EQ(token, "");
  EXPECT_THAT(query(R"({"page":{"limit":3}})", &token), ElementsAre("ann", "bob", "cyd"));
  EXPECT_EQ(token, "");
}

TEST_P(SqliteScanTest, WhatTheRequestSaysIsNeverSql) {
  ASSERT_TRUE(db_.set_json("q||1", R"json({"a') OR 1=1 --":1,"$":2,"x[0]":3,"b'c":"'; DROP TABLE state; --"})json"));
  ASSERT_TRUE(db_.set_json("q||2", R"({"other":1})"));
  EXPECT_THAT(query(R"json({"filter":{"EQ":{"a') OR 1=1 --":1}}})json"), ElementsAre("1"));
  EXPECT_THAT(query(R"({"filter":{"EQ":{"$":2}}})"), ElementsAre("1"));
  EXPECT_THAT(query(R"({"filter":{"EQ":{"x[0]":3}}})"), ElementsAre("1"));
  EXPECT_THAT(query(R"({"filter":{"EQ":{"b'c":"'; DROP TABLE state; --"}}})"), ElementsAre("1"));
  state::Query quoted;
  quoted.filter.push_back({.op = state::Filter::Op::eq, .path = "a\"b", .values = {1.0}, .filters = {}});
  EXPECT_EQ(db_.loop.run(db_.store->query({}, quoted)).error().code, Errc::invalid_argument);
  state::Query foreign;
  foreign.token = "zzz";
  EXPECT_EQ(db_.loop.run(db_.store->query({}, foreign)).error().code, Errc::invalid_argument);
}

INSTANTIATE_TEST_SUITE_P(Everywhere, SqliteScanTest, testing::Values("file", "memory"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace holdfast::stores::sqlite
