// Queries of v2 and look-ups by index entry: which way they are answered, what they see, and when they are refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "service/service.h"
#include "state/layers/forwarding.h"
#include "stores/memory/store.h"
#include "support/test_loop.h"

namespace holdfast::service {
namespace {

using state::Pairs;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// The memory store, as able as a test wants it, which says what it was asked.
class AbleStore final : public state::ForwardingStore {
 public:
  explicit AbleStore(std::unique_ptr<StateStore> inner)
      : ForwardingStore(std::move(inner)), can(ForwardingStore::capabilities()) {}
  const state::Capabilities& capabilities() const override { return can; }
  Task<Result<state::ListPage>> list(state::CallContext context, state::ListRequest request) override {
    asked += "list ";
    return ForwardingStore::list(context, request);
  }
  Task<Result<state::ListPage>> find(state::CallContext context, state::FindRequest request) override {
    asked += "find ";
    return ForwardingStore::find(context, request);
  }
  Task<Result<state::QueryPage>> query(state::CallContext context, const state::Query& query) override {
    asked += "query ";
    if (refuses_queries) co_return fail(Errc::unsupported, "no index covers this path");
    co_return co_await ForwardingStore::query(context, query);
  }

  state::Capabilities can;
  bool refuses_queries = false;
  std::string asked;
};

class Searching : public testing::Test {
 protected:
  Searching() : core_(std::make_shared<stores::memory::MemoryCore>(clock_, stores::memory::MemorySettings{})) {
    auto store = std::make_unique<AbleStore>(std::move(*loop_.run(core_->open(loop_))));
    store_ = store.get();
    auto entry = std::make_unique<StoreEntry>();
    entry->name = "s";
    entry->key_prefix = "app||";
    entry->isolation = Isolation::optional;
    entry->store = std::move(store);
    entry_ = entry.get();
    table_.put(std::move(entry));
  }
  ~Searching() override { EXPECT_TRUE(loop_.run(store_->close({}))); }

  Call call(std::optional<std::string_view> isolation = std::nullopt) {
    CallContext context;
    context.isolation = isolation;
    return {*entry_, context};
  }
  void put(const std::string& key, std::string_view json, const Pairs& indexes = {}, const Pairs& tags = {},
           std::optional<std::string_view> isolation = std::nullopt) {
    state::SetRequest request;
    request.key = key;
    request.value = json;
    request.shape = state::Shape::json;
    request.indexes = indexes;
    request.tags = tags;
    ASSERT_TRUE(loop_.run(service_.set(call(isolation), request)));
  }
  // Two users' orders; n counts from 0 to 5.
  void put_orders() {
    for (int i = 0; i < 6; ++i)
      put("orders/" + std::to_string(i), R"({"n":)" + std::to_string(i) + "}",
          {{"user_id", i % 2 == 0 ? "even" : "odd"}, {"all", "1"}}, {{"color", i < 3 ? "red" : "blue"}});
  }

  static SearchRequest request(std::string_view json) {
    SearchRequest request;
    auto query = state::parse_query(json);
    if (!query) throw std::runtime_error(query.error().message);
    request.query = std::move(*query);
    if (request.query.limit == 0) request.query.limit = 100;
    request.text = json;
    return request;
  }
  Result<state::QueryPage> page(SearchRequest request, std::optional<std::string_view> isolation = std::nullopt) {
    store_->asked.clear();
    return loop_.run(service_.search(call(isolation), std::move(request)));
  }
  // Page by page.
  std::vector<std::string> keys(SearchRequest request, std::optional<std::string_view> isolation = std::nullopt) {
    std::vector<std::string> keys;
    for (int pages = 0; pages < 100; ++pages) {
      const auto found = page(request, isolation);
      if (!found) {
        ADD_FAILURE() << found.error().message;
        return keys;
      }
      EXPECT_LE(found->items.size(), request.query.limit);
      for (const auto& item : found->items) keys.push_back(item.key);
      request.query.token = found->token;
      if (found->token.empty()) return keys;
    }
    ADD_FAILURE() << "the pages do not end";
    return keys;
  }
  std::string refusal(SearchRequest request) {
    const auto found = page(std::move(request));
    if (found) return "answered";
    EXPECT_EQ(found.error().code, Errc::unsupported);
    return found.error().message;
  }

  test::ManualClock clock_;
  test::TestLoop loop_;
  std::shared_ptr<stores::memory::MemoryCore> core_;
  StoreTable table_;
  KeyTurns turns_;
  Service service_{table_, clock_, loop_, turns_};
  StoreEntry* entry_ = nullptr;
  AbleStore* store_ = nullptr;
};

constexpr std::string_view kUpTo3 = R"({"filter":{"LTE":{"n":3}}})";

TEST_F(Searching, AnIndexEntryIsLookedUpAndNothingElseIsRead) {
  put_orders();
  SearchRequest search = request(kUpTo3);
  search.indexes = {{"user_id", "even"}};
  EXPECT_THAT(keys(search), ElementsAre("orders/0", "orders/2"));
  EXPECT_EQ(store_->asked, "find ");
  search.indexes.emplace_back("all", "2");
  EXPECT_THAT(keys(search), IsEmpty());
}

TEST_F(Searching, WithoutOneTheStoresOwnQueriesAnswer) {
  put_orders();
  EXPECT_THAT(keys(request(kUpTo3)), ElementsAre("orders/0", "orders/1", "orders/2", "orders/3"));
  EXPECT_EQ(store_->asked, "query ");
  SearchRequest search = request(kUpTo3);
  search.tags = {{"color", "blue"}};
  EXPECT_THAT(keys(search), ElementsAre("orders/3"));
}

TEST_F(Searching, AStoreWithoutQueriesReadsEveryRecordOnlyWhenToldTo) {
  put_orders();
  store_->can.query = false;
  EXPECT_THAT(refusal(request(kUpTo3)),
              AllOf(HasSubstr("state store s"), HasSubstr("indexes"), HasSubstr("scan: true")));
  EXPECT_EQ(store_->asked, "");
  SearchRequest search = request(kUpTo3);
  search.may_scan = true;
  EXPECT_THAT(keys(search), ElementsAre("orders/0", "orders/1", "orders/2", "orders/3"));
  EXPECT_EQ(store_->asked, "list ");
  search.tags = {{"color", "red"}};
  search.query.limit = 2;
  EXPECT_THAT(keys(search), ElementsAre("orders/0", "orders/1", "orders/2"));
  store_->can.list = false;
  EXPECT_THAT(refusal(search), Not(HasSubstr("scan")));
}

TEST_F(Searching, WhatAnEngineRefusesHasItsReasonAndMayBeScanned) {
  put_orders();
  store_->refuses_queries = true;
  EXPECT_THAT(refusal(request(kUpTo3)), AllOf(HasSubstr("no index covers this path"), HasSubstr("scan: true")));
  SearchRequest search = request(kUpTo3);
  search.may_scan = true;
  EXPECT_THAT(keys(search), ElementsAre("orders/0", "orders/1", "orders/2", "orders/3"));
  EXPECT_EQ(store_->asked, "query list ");
}

TEST_F(Searching, EntriesThatAStoreDoesNotLookUpAreComparedOnTheWay) {
  put_orders();
  store_->can.secondary_index = false;
  SearchRequest search = request(kUpTo3);
  search.indexes = {{"user_id", "odd"}};
  EXPECT_THAT(keys(search), ElementsAre("orders/1", "orders/3"));
  EXPECT_EQ(store_->asked, "query ");
  const auto listing = loop_.run(service_.find(call(), {"user_id", "odd", {.prefix = "", .cursor = ""}}));
  ASSERT_FALSE(listing);
  EXPECT_EQ(listing.error().code, Errc::unsupported);
}

TEST_F(Searching, PagesFollowEachOtherOnEveryWay) {
  put_orders();
  for (const bool by_index : {true, false})
    for (const bool by_scan : {true, false})
      for (const std::string_view sort : {"", R"("sort":[{"key":"n","order":"DESC"}],)"}) {
        SearchRequest search = request("{" + std::string(sort) + R"("page":{"limit":2}})");
        if (by_index) search.indexes = {{"all", "1"}};
        search.may_scan = by_scan;
        store_->can.query = !by_scan;
        std::vector<std::string> expected{"orders/0", "orders/1", "orders/2", "orders/3", "orders/4", "orders/5"};
        if (!sort.empty()) std::ranges::reverse(expected);
        EXPECT_EQ(keys(search), expected) << by_index << by_scan << sort;
      }
}

TEST_F(Searching, AKeyThatAListingShowsTwiceIsFoundOnce) {
  put_orders();
  store_->can.query = false;
  store_->can.ordered_list = false;
  SearchRequest search = request(R"({"page":{"limit":4}})");
  search.may_scan = true;
  EXPECT_EQ(keys(search).size(), 6u);
}

TEST_F(Searching, ATokenBelongsToItsQuery) {
  put_orders();
  SearchRequest search = request(R"({"page":{"limit":2}})");
  const auto first = page(search);
  ASSERT_TRUE(first);
  for (const auto& change : std::initializer_list<std::function<void(SearchRequest&)>>{
           [](SearchRequest& one) { one.text = "another"; }, [](SearchRequest& one) { one.query.key_prefix = "o"; },
           [](SearchRequest& one) { one.tags = {{"color", "red"}}; },
           [](SearchRequest& one) { one.indexes = {{"all", "1"}}; }}) {
    SearchRequest other = search;
    other.query.token = first->token;
    change(other);
    const auto refused = page(other);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::invalid_argument);
  }
  search.query.token = first->token;
  EXPECT_FALSE(page(search, "K")) << "of another isolation key";
  clock_.advance(std::chrono::hours(25));
  EXPECT_EQ(page(search).error().code, Errc::not_found);
}

TEST_F(Searching, SeesWhatAListingShowsAndNoMore) {
  put("a", "{}", {{"n", "1"}});
  put("b", "{}", {{"n", "1"}}, {}, "K");
  state::SetRequest other;
  const Pairs entries{{"n", "1"}};
  other.value = "{}";
  other.shape = state::Shape::json;
  other.indexes = entries;
  for (const char* key : {"other||c", "app||actor||id||d", "app||outbox-e"}) {
    other.key = key;
    ASSERT_TRUE(loop_.run(store_->set({}, other)));
  }
  for (const bool by_index : {true, false})
    for (const bool can_query : {true, false}) {
      store_->can.query = can_query;
      SearchRequest search = request("{}");
      search.may_scan = true;
      if (by_index) search.indexes = entries;
      EXPECT_THAT(keys(search), ElementsAre("a"));
      EXPECT_THAT(keys(search, "K"), ElementsAre("b"));
      EXPECT_THAT(keys(search, "L"), IsEmpty());
      search.query.key_prefix = "b";
      EXPECT_THAT(keys(search), IsEmpty());
    }
}

TEST_F(Searching, TooManyBehindOneEntryAreRefusedRatherThanRead) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i <= kSearchedMax + 600; ++i) names.push_back(std::to_string(i));
  const Pairs entries{{"n", "1"}};
  for (const std::string& name : names) {
    state::SetRequest request;
    request.key = name;
    request.value = "1";
    request.shape = state::Shape::json;
    request.indexes = entries;
    ASSERT_TRUE(loop_.run(service_.set(call(), request)));
  }
  SearchRequest search = request(R"({"filter":{"EQ":{"n":1}}})");
  search.indexes = entries;
  EXPECT_THAT(refusal(search), HasSubstr("more than 10000"));
  search.may_scan = true;
  EXPECT_THAT(keys(search), IsEmpty());
}

TEST_F(Searching, ACallThatIsOverEnds) {
  put_orders();
  store_->can.query = false;
  SearchRequest search = request("{}");
  search.may_scan = true;
  Call late = call();
  late.context.deadline = clock_.steady() - Milliseconds(1);
  EXPECT_EQ(loop_.run(service_.search(late, search)).error().code, Errc::deadline_exceeded);
  Cancellation gone;
  gone.requested = true;
  Call cancelled = call();
  cancelled.context.cancel = &gone;
  EXPECT_EQ(loop_.run(service_.search(cancelled, search)).error().code, Errc::deadline_exceeded);
}

TEST_F(Searching, ALookUpIsPagedUnderItsPrefix) {
  put_orders();
  put("others/1", "{}", {{"user_id", "even"}});
  std::vector<std::string> keys;
  std::string cursor;
  do {
    const auto page =
        loop_.run(service_.find(call(), {"user_id", "even", {.prefix = "orders/", .cursor = cursor, .limit = 2}}));
    ASSERT_TRUE(page) << page.error().message;
    for (const auto& item : page->items) keys.push_back(item.key);
    cursor = page->cursor;
    if (keys.size() == 2) {
      const auto other = loop_.run(service_.find(call(), {"user_id", "odd", {.prefix = "orders/", .cursor = cursor}}));
      EXPECT_EQ(other.error().code, Errc::invalid_argument) << "of another entry";
      EXPECT_FALSE(loop_.run(service_.list(call(), {.prefix = "orders/", .cursor = cursor})));
    }
  } while (!cursor.empty());
  EXPECT_THAT(keys, ElementsAre("orders/0", "orders/2", "orders/4"));
}

}  // namespace
}  // namespace holdfast::service
