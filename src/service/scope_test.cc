// Isolation and the limits of tokens, where they are enforced: every operation, over a real store whose calls are
// counted.
#include "service/scope.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "service/cursor.h"
#include "service/service.h"
#include "state/keys.h"
#include "stores/memory/store.h"
#include "stores/memory/type.h"
#include "support/counting_store.h"
#include "support/test_loop.h"

namespace holdfast::service {
namespace {

using state::Operation;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

TEST(IsolationKey, IsWordsOfAFewCharacters) {
  for (const std::string& key :
       {std::string("a"), std::string("Tenant-7.b_c"), std::string("..", 2), std::string(128, 'k')})
    EXPECT_TRUE(is_isolation_key(key)) << key;
  for (const std::string& key :
       {std::string(), std::string(129, 'k'), std::string("a b"), std::string("a:b"), std::string("a::state::b"),
        std::string("a||b"), std::string("a/b"), std::string("a%2F"), std::string("a,b"), std::string("\xc3\xa4"),
        std::string("a\0b", 3), std::string("*")})
    EXPECT_FALSE(is_isolation_key(key)) << key;
}

TEST(IsolationField, IsOneOfThreeWordsInAnyCase) {
  const auto mode = [](const char* value) {
    state::Component component;
    if (value != nullptr) component.properties.emplace_back("Isolation", value);
    return isolation_of(component);
  };
  EXPECT_EQ(mode(nullptr), Isolation::off);
  EXPECT_EQ(mode(""), Isolation::off);
  EXPECT_EQ(mode("off"), Isolation::off);
  EXPECT_EQ(mode("Optional"), Isolation::optional);
  EXPECT_EQ(mode("REQUIRED"), Isolation::required);
  const auto wrong = mode("on");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, "isolation \"on\" is not one of off, optional, required");
}

// ---- entering ----

struct EnterCase {
  const char* name;
  Isolation mode;
  std::optional<std::string_view> asked;  // as the request or its token names it
  const char* bound;                      // the token's; null: no token
  std::optional<Errc> refused;
  const char* own_prefix;
};

class Entering : public testing::TestWithParam<EnterCase> {};

TEST_P(Entering, IsAllowedOrRefused) {
  const EnterCase& c = GetParam();
  StoreEntry entry;
  entry.name = "s";
  entry.key_prefix = "app||";
  entry.isolation = c.mode;
  Grant grant;
  if (c.bound != nullptr) grant.isolation = c.bound;
  CallContext context;
  context.isolation = c.asked;
  if (c.bound != nullptr) context.grant = &grant;
  const auto scope = Scope::enter(entry, context, Right::get);
  if (c.refused) {
    ASSERT_FALSE(scope);
    EXPECT_EQ(scope.error().code, *c.refused);
  } else {
    ASSERT_TRUE(scope) << scope.error().message;
    EXPECT_EQ(scope->own_prefix(), c.own_prefix);
    EXPECT_EQ(scope->own_bytes(), scope->own_prefix().size());
    EXPECT_EQ(scope->stored_key("k"), scope->own_prefix() + "k");
  }
}

constexpr const char* kOwn = "app||";
constexpr const char* kOfK = "app||isolation::K::state::";
INSTANTIATE_TEST_SUITE_P(
    Modes, Entering,
    testing::Values(EnterCase{"Off", Isolation::off, {}, nullptr, {}, kOwn},
                    EnterCase{"OffNamed", Isolation::off, "K", nullptr, Errc::invalid_argument, ""},
                    EnterCase{"OffMalformed", Isolation::off, "", nullptr, Errc::invalid_argument, ""},
                    EnterCase{"OffBound", Isolation::off, "K", "K", Errc::denied, ""},
                    EnterCase{"Optional", Isolation::optional, {}, nullptr, {}, kOwn},
                    EnterCase{"OptionalNamed", Isolation::optional, "K", nullptr, {}, kOfK},
                    EnterCase{"OptionalEmpty", Isolation::optional, "", nullptr, Errc::invalid_argument, ""},
                    EnterCase{"OptionalMalformed", Isolation::optional, "K::state::", nullptr, Errc::invalid_argument,
                              ""},
                    EnterCase{"OptionalBound", Isolation::optional, "K", "K", {}, kOfK},
                    EnterCase{"OptionalBoundUnnamed", Isolation::optional, {}, "K", Errc::denied, ""},
                    EnterCase{"OptionalOther", Isolation::optional, "L", "K", Errc::denied, ""},
                    EnterCase{"OptionalOtherCase", Isolation::optional, "k", "K", Errc::denied, ""},
                    EnterCase{"Required", Isolation::required, {}, nullptr, Errc::invalid_argument, ""},
                    EnterCase{"RequiredNamed", Isolation::required, "K", nullptr, {}, kOfK},
                    EnterCase{"RequiredFree", Isolation::required, "K", "", {}, kOfK},
                    EnterCase{"RequiredOther", Isolation::required, "L", "K", Errc::denied, ""}),
    [](const auto& info) { return info.param.name; });

// ---- every operation ----

state::SetRequest put(std::string_view key, std::string_view value = R"({"v":1})") {
  state::SetRequest request;
  request.key = key;
  request.value = value;
  request.shape = state::Shape::json;
  return request;
}

class Stores : public testing::Test {
 protected:
  Stores() : core_(std::make_shared<stores::memory::MemoryCore>(Clock::system(), stores::memory::MemorySettings{})) {
    auto counting = std::make_unique<test::CountingStore>(std::move(*loop_.run(core_->open(loop_))));
    store_ = counting.get();
    auto entry = std::make_shared<StoreEntry>();
    entry->name = "s";
    entry->key_prefix = "app||";
    entry->isolation = Isolation::optional;
    entry->store = std::move(counting);
    entry_ = entry.get();
    table_.put(std::move(entry));
  }
  ~Stores() override { EXPECT_TRUE(loop_.run(entry_->store->close({}))); }

  Call call(std::optional<std::string_view> isolation = std::nullopt, const Grant* grant = nullptr) {
    CallContext context;
    context.isolation = isolation;
    context.grant = grant;
    return {*entry_, context};
  }
  // What the store holds, whoever asks.
  std::vector<std::string> stored() {
    std::vector<std::string> keys;
    for (auto& key : loop_.run(entry_->store->keys_like({}, {.pattern = "%", .cursor = {}}))->keys) keys.push_back(key);
    return keys;
  }
  void fill() {
    for (const char* key : {"app||k", "app||plain", "app||isolation::K::state::k", "app||isolation::K::state::mine",
                            "app||isolation::L::state::k", "app||isolation::L::state::theirs", "other||k",
                            "other||isolation::K::state::k", "app||type||id||k"})
      ASSERT_TRUE(loop_.run(entry_->store->set({}, put(key))));
  }

  // Every operation on the key; the codes with which it is refused, by the operation's name.
  struct Outcome {
    const char* operation;
    std::optional<Error> error;
  };
  template <class T>
  void note(std::vector<Outcome>& out, const char* name, const Result<T>& result) {
    out.push_back({name, result ? std::nullopt : std::optional<Error>(result.error())});
  }
  std::vector<Outcome> try_point_calls(const Call& by, const std::string& key) {
    std::vector<Outcome> out;
    const std::vector<state::GetRequest> gets = {{key}, {key}};
    const std::vector<state::SetRequest> sets = {put(key), put(key)};
    const std::vector<state::DeleteRequest> drops = {{key, {}}, {key, {}}};
    note(out, "get", loop_.run(service_.get(by, {key})));
    for (const auto& one : loop_.run(service_.get_many(by, gets))) note(out, "get_many", one);
    note(out, "set", loop_.run(service_.set(by, put(key))));
    for (const auto& one : loop_.run(service_.set_many(by, sets))) note(out, "set_many", one);
    for (const Operation& operation : {Operation(put(key)), Operation(state::DeleteRequest{key, {}}),
                                       Operation(state::CheckRequest{key, state::Precondition::present()})}) {
      const std::vector<Operation> operations = {operation};
      note(out, "transact", loop_.run(service_.transact(by, operations)));
    }
    UpdateRequest update;
    update.key = key;
    note(out, "update", loop_.run(service_.update(by, update, [](const state::Record*) {
      return Change{"1", state::Shape::bytes, ""};
    })));
    note(out, "erase", loop_.run(service_.erase(by, {key, {}})));
    for (const auto& one : loop_.run(service_.erase_many(by, drops))) note(out, "erase_many", one);
    return out;
  }
  std::vector<Outcome> try_wide_calls(const Call& by, const std::string& prefix) {
    std::vector<Outcome> out;
    state::ListRequest listing;
    listing.prefix = prefix;
    note(out, "list", loop_.run(service_.list(by, listing)));
    listing.want_values = true;
    note(out, "list with values", loop_.run(service_.list(by, listing)));
    listing.want_values = false;
    note(out, "find", loop_.run(service_.find(by, {"n", "1", listing})));
    SearchRequest search;
    search.query.key_prefix = prefix;
    search.query.limit = 10;
    note(out, "search", loop_.run(service_.search(by, search)));
    search.indexes = {{"n", "1"}};
    note(out, "search", loop_.run(service_.search(by, search)));
    note(out, "erase_prefix", loop_.run(service_.erase_prefix(by, prefix)));
    const std::string pattern = prefix + "%";
    note(out, "keys_like", loop_.run(service_.keys_like(by, {.pattern = pattern, .cursor = {}})));
    return out;
  }
  Outcome try_query(const Call& by) {
    auto page = loop_.run(service_.query(by, {}));
    return {"query", page ? std::nullopt : std::optional<Error>(page.error())};
  }

  test::TestLoop loop_;
  std::shared_ptr<stores::memory::MemoryCore> core_;
  StoreTable table_;
  KeyTurns turns_;
  Service service_{table_, Clock::system(), loop_, turns_};
  StoreEntry* entry_ = nullptr;
  test::CountingStore* store_ = nullptr;
};

Grant grant_of(Rights rights) {
  Grant grant;
  grant.rights = rights;
  return grant;
}

TEST_F(Stores, WhatATokenDoesNotAllowMakesNoCall) {
  Grant other_store = grant_of(Rights::all());
  other_store.stores = {"t"};
  Grant other_isolation = grant_of(Rights::all());
  other_isolation.isolation = "L";
  Grant other_prefix = grant_of(Rights::all());
  other_prefix.prefix = "mine/";
  const Grant nothing = grant_of(Right::admin);
  struct Case {
    const char* name;
    const Grant* grant;
    bool also_query;
  };
  for (const Case& c : {Case{"store", &other_store, true}, Case{"isolation", &other_isolation, true},
                        Case{"prefix", &other_prefix, false}, Case{"rights", &nothing, true}}) {
    SCOPED_TRACE(c.name);
    std::vector<Outcome> outcomes = try_point_calls(call("K", c.grant), "k");
    for (const Outcome& outcome : try_wide_calls(call("K", c.grant), "k")) outcomes.push_back(outcome);
    if (c.also_query) outcomes.push_back(try_query(call("K", c.grant)));
    EXPECT_EQ(outcomes.size(), c.also_query ? 21u : 20u);
    for (const Outcome& outcome : outcomes) {
      ASSERT_TRUE(outcome.error) << outcome.operation;
      EXPECT_EQ(outcome.error->code, Errc::denied) << outcome.operation;
    }
    EXPECT_EQ(store_->calls(), 0u);
  }
}

TEST_F(Stores, EachRightAllowsItsOperationsAndNoOthers) {
  struct Case {
    Right right;
    std::vector<std::string> allowed;
  };
  for (const Case& c :
       {Case{Right::get, {"get", "get_many", "transact"}}, Case{Right::list, {"list", "find", "keys_like"}},
        Case{Right::write, {"set", "set_many", "transact"}},
        Case{Right::erase, {"erase", "erase_many", "erase_prefix", "transact"}}, Case{Right::watch, {}},
        Case{Right::admin, {}}}) {
    const Grant grant = grant_of(c.right);
    std::vector<Outcome> outcomes = try_point_calls(call("K", &grant), "k");
    for (const Outcome& outcome : try_wide_calls(call("K", &grant), "k")) outcomes.push_back(outcome);
    outcomes.push_back(try_query(call("K", &grant)));
    std::size_t transactions = 0;
    for (const Outcome& outcome : outcomes) {
      const bool denied = outcome.error && outcome.error->code == Errc::denied;
      const bool may = std::ranges::find(c.allowed, outcome.operation) != c.allowed.end();
      if (std::string_view(outcome.operation) == "transact")
        transactions += denied ? 0 : 1;  // of the three, the one of this right
      else
        EXPECT_EQ(denied, !may) << outcome.operation << " with right " << static_cast<int>(c.right);
    }
    EXPECT_EQ(transactions, std::ranges::find(c.allowed, "transact") == c.allowed.end() ? 0u : 1u);
  }
}

TEST_F(Stores, WhoeverMayListMayReadWhatAListingShows) {
  ASSERT_TRUE(loop_.run(service_.set(call(), put("k"))));
  const Grant lister = grant_of(Right::list);
  std::vector<state::GetRequest> requests = {{.key = "k", .want_value = false}};
  EXPECT_TRUE(loop_.run(service_.get_many(call({}, &lister), requests))[0].value());
  requests.push_back({.key = "k"});
  for (const auto& found : loop_.run(service_.get_many(call({}, &lister), requests)))
    EXPECT_EQ(found.error().code, Errc::denied) << "one of them asks for the value";
}

TEST_F(Stores, AChangeInPlaceIsOfTheRecordOfItsScope) {
  const auto grow = [](const state::Record* now) {
    return Change{now == nullptr ? "a" : now->value + "a", state::Shape::bytes, ""};
  };
  UpdateRequest update;
  update.key = "k";
  for (const auto& by : {call("K"), call("L"), call("K")}) ASSERT_TRUE(loop_.run(service_.update(by, update, grow)));
  EXPECT_EQ((*loop_.run(service_.get(call("K"), {"k"})))->value, "aa");
  EXPECT_EQ((*loop_.run(service_.get(call("L"), {"k"})))->value, "a");
}

TEST_F(Stores, ATransactionIsDeniedAsAWholeAndNamesTheOperation) {
  Grant grant = grant_of(Rights::of_state());
  grant.prefix = "mine/";
  const std::vector<Operation> operations = {put("mine/a"), put("theirs/b")};
  const auto done = loop_.run(service_.transact(call({}, &grant), operations));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::denied);
  EXPECT_EQ(done.error().operation, 1);
  const Grant writer = grant_of(Right::write);
  const std::vector<Operation> mixed = {put("a"), state::DeleteRequest{"b", {}}};
  EXPECT_EQ(loop_.run(service_.transact(call({}, &writer), mixed)).error().code, Errc::denied);
  EXPECT_EQ(store_->calls(), 0u);
}

TEST_F(Stores, OfABulkOnlyTheDeniedItemsFail) {
  Grant grant = grant_of(Rights::of_state());
  grant.prefix = "mine/";
  const std::vector<state::SetRequest> sets = {put("theirs/a"), put("mine/b"), put("theirs/c"), put("mine/d")};
  const auto written = loop_.run(service_.set_many(call({}, &grant), sets));
  ASSERT_EQ(written.size(), 4u);
  for (const std::size_t i : {0u, 2u}) EXPECT_EQ(written[i].error().code, Errc::denied);
  for (const std::size_t i : {1u, 3u}) EXPECT_TRUE(written[i]);
  EXPECT_THAT(stored(), ElementsAre("app||mine/b", "app||mine/d"));
}

// ---- crossing ----

TEST_F(Stores, NoKeyReachesRecordsOfAnotherIsolationKey) {
  fill();
  const std::vector<std::string> before = stored();
  for (const std::optional<std::string_view> isolation : {std::optional<std::string_view>(), {"K"}}) {
    for (const char* key : {"isolation::L::state::k", "isolation::L::state::theirs", "isolation::K::state::k",
                            "isolation::", "isolation::L"}) {
      const std::size_t calls = store_->calls();
      std::vector<Outcome> outcomes = try_point_calls(call(isolation), key);
      for (const Outcome& outcome : try_wide_calls(call(isolation), key)) outcomes.push_back(outcome);
      for (const Outcome& outcome : outcomes) {
        ASSERT_TRUE(outcome.error) << outcome.operation << ' ' << key;
        EXPECT_EQ(outcome.error->code, Errc::invalid_argument) << outcome.operation << ' ' << key;
      }
      EXPECT_EQ(store_->calls(), calls) << key;
    }
    // What is no such key is a key of this scope, whatever it resembles.
    for (const char* key : {"../L/state/theirs", "::state::theirs", "..", "%69solation::L::state::k", "Isolation::L",
                            "isolation:L", " isolation::L::state::k", "\\isolation::L::state::k"}) {
      const auto got = loop_.run(service_.get(call(isolation), {key}));
      ASSERT_TRUE(got) << key;
      EXPECT_FALSE(*got) << key;
    }
  }
  EXPECT_EQ(stored(), before);
}

TEST_F(Stores, AScopeListsFindsAndQueriesItsOwnRecordsOnly) {
  fill();
  struct Case {
    std::optional<std::string_view> isolation;
    std::vector<std::string> keys;
  };
  for (const Case& c :
       {Case{std::nullopt, {"k", "plain"}}, Case{"K", {"k", "mine"}}, Case{"L", {"k", "theirs"}}, Case{"M", {}}}) {
    const Call by = call(c.isolation);
    for (const char* prefix : {"", "i", "isolation", "isolation:", "k", "app", "app||", "::"}) {
      std::vector<std::string> wanted;
      for (const std::string& key : c.keys)
        if (key.starts_with(prefix)) wanted.push_back(key);
      state::ListRequest listing;
      listing.prefix = prefix;
      std::vector<std::string> listed;
      for (const auto& item : loop_.run(service_.list(by, listing))->items) listed.push_back(item.key);
      EXPECT_EQ(listed, wanted) << prefix;
    }
    for (const char* pattern : {"%", "%k", "i%", "%isolation%", "%::state::%", "_"}) {
      const state::LikePattern like(pattern);
      std::vector<std::string> wanted;
      for (const std::string& key : c.keys)
        if (like.matches(key)) wanted.push_back(key);
      EXPECT_EQ(loop_.run(service_.keys_like(by, {.pattern = pattern, .cursor = {}}))->keys, wanted) << pattern;
    }
    state::Query query;
    std::vector<std::string> found;
    for (const auto& item : loop_.run(service_.query(by, query))->items) found.push_back(item.key);
    EXPECT_EQ(found, c.keys);
  }
}

TEST_F(Stores, PagesAndTheirCursorsTellNothingOfOtherRecords) {
  fill();
  for (int i = 0; i < 50; ++i)
    ASSERT_TRUE(loop_.run(entry_->store->set({}, put("app||isolation::L::state::hidden" + std::to_string(i)))));
  ASSERT_TRUE(loop_.run(entry_->store->set({}, put("app||z"))));
  std::vector<std::string> listed, liked, found;
  std::string list_cursor, like_cursor;
  state::Query query;
  query.limit = 1;
  do {
    state::ListRequest request;
    request.cursor = list_cursor;
    request.limit = 1;
    auto page = loop_.run(service_.list(call(), request));
    ASSERT_TRUE(page);
    ASSERT_EQ(page->items.size(), 1u) << "no page is empty or short for what it may not show";
    listed.push_back(page->items[0].key);
    list_cursor = page->cursor;
  } while (!list_cursor.empty());
  do {
    auto page = loop_.run(service_.keys_like(call(), {.pattern = "%", .cursor = like_cursor, .limit = 1}));
    ASSERT_TRUE(page);
    ASSERT_EQ(page->keys.size(), 1u);
    liked.push_back(page->keys[0]);
    like_cursor = page->cursor;
  } while (!like_cursor.empty());
  do {
    auto page = loop_.run(service_.query(call(), query));
    ASSERT_TRUE(page);
    ASSERT_EQ(page->items.size(), 1u);
    found.push_back(page->items[0].key);
    query.token = page->token;
  } while (!query.token.empty());
  EXPECT_THAT(listed, ElementsAre("k", "plain", "z"));
  EXPECT_EQ(liked, listed);
  EXPECT_EQ(found, listed);
}

TEST_F(Stores, ACursorServesTheScopeItCameFromAlone) {
  fill();
  const auto first = [this](const Call& by) {
    state::ListRequest request;
    request.limit = 1;
    return loop_.run(service_.list(by, request))->cursor;
  };
  const std::string of_k = first(call("K"));
  ASSERT_FALSE(of_k.empty());
  state::ListRequest request;
  request.cursor = of_k;
  for (const auto& other : {call(), call("L")})
    EXPECT_EQ(loop_.run(service_.list(other, request)).error().code, Errc::invalid_argument);
  EXPECT_EQ(loop_.run(service_.list(call("K"), request))->items.size(), 1u);
  // A cursor can be made up, since it is not signed. It still starts inside of its scope.
  const auto made_up = [&](std::string_view isolation, std::string_view key) {
    const std::string position = loop_.run(entry_->store->list({}, {.prefix = key, .cursor = {}, .limit = 1}))->cursor;
    return seal_cursor({"s", isolation, ""}, Clock::system().wall(), position);
  };
  const std::string at_theirs = made_up("K", "app||isolation::L::state::");
  ASSERT_FALSE(at_theirs.empty());
  request.cursor = at_theirs;
  const auto page = loop_.run(service_.list(call("K"), request));
  for (const auto& item : page->items) EXPECT_NE(item.key, "theirs");
}

TEST_F(Stores, DeletionByPrefixStaysInItsScope) {
  fill();
  EXPECT_EQ(loop_.run(service_.erase_prefix(call(), "i")), 0u);
  EXPECT_EQ(loop_.run(service_.erase_prefix(call("K"), "")), 2u);
  EXPECT_EQ(loop_.run(service_.erase_prefix(call(), "")), 2u);
  EXPECT_THAT(stored(), UnorderedElementsAre("app||isolation::L::state::k", "app||isolation::L::state::theirs",
                                             "other||k", "other||isolation::K::state::k", "app||type||id||k"));
}

TEST_F(Stores, OneUserKeyIsADifferentRecordInEachScope) {
  ASSERT_TRUE(loop_.run(service_.set(call(), put("k", "1"))));
  ASSERT_TRUE(loop_.run(service_.set(call("K"), put("k", "2"))));
  const std::vector<Operation> operations = {put("k", "3"), put("l", "3")};
  ASSERT_TRUE(loop_.run(service_.transact(call("L"), operations)));
  ASSERT_TRUE(loop_.run(service_.erase(call("K"), {"k", {}})));
  EXPECT_EQ((*loop_.run(service_.get(call(), {"k"})))->value, "1");
  EXPECT_FALSE(*loop_.run(service_.get(call("K"), {"k"})));
  EXPECT_EQ((*loop_.run(service_.get(call("L"), {"k"})))->value, "3");
  EXPECT_THAT(stored(), ElementsAre("app||isolation::L::state::k", "app||isolation::L::state::l", "app||k"));
}

TEST_F(Stores, WithIsolationOffSuchKeysAreKeysLikeAnyOther) {
  entry_->isolation = Isolation::off;
  ASSERT_TRUE(loop_.run(service_.set(call(), put("isolation::K::state::k"))));
  EXPECT_EQ(loop_.run(service_.list(call(), {}))->items.size(), 1u);
  ASSERT_TRUE(loop_.run(entry_->store->set({}, put("other||k"))));
  EXPECT_EQ(loop_.run(service_.query(call(), {}))->items.size(), 2u) << "Dapr's queries see the whole store";
  EXPECT_EQ(loop_.run(service_.erase_prefix(call(), "isolation::")), 1u);
}

TEST_F(Stores, WithoutAKeyPrefixNothingOfOtherApplicationsIsSeen) {
  entry_->key_prefix.clear();
  fill();
  ASSERT_TRUE(loop_.run(service_.set(call("K"), put("k"))));
  ASSERT_TRUE(loop_.run(service_.set(call(), put("own"))));
  const auto keys = [this](const Call& by) {
    std::vector<std::string> found;
    for (const auto& item : loop_.run(service_.query(by, {}))->items) found.push_back(item.key);
    std::vector<std::string> listed;
    for (const auto& item : loop_.run(service_.list(by, {}))->items) listed.push_back(item.key);
    EXPECT_EQ(found, listed);
    return found;
  };
  EXPECT_THAT(keys(call()), ElementsAre("own"));
  EXPECT_THAT(keys(call("K")), ElementsAre("k"));
}

TEST_F(Stores, ATokensPrefixNarrowsWhatIsWide) {
  for (const char* key : {"orders/1", "orders/2", "carts/1"}) ASSERT_TRUE(loop_.run(service_.set(call(), put(key))));
  ASSERT_TRUE(loop_.run(entry_->store->set({}, put("other||orders/1"))));
  Grant grant = grant_of(Rights::of_state());
  grant.prefix = "orders/";
  for (const Isolation mode : {Isolation::off, Isolation::optional}) {
    entry_->isolation = mode;
    const Call by = call({}, &grant);
    EXPECT_EQ(loop_.run(service_.list(by, {}))->items.size(), 2u) << "an empty prefix is the token's";
    EXPECT_EQ(loop_.run(service_.query(by, {}))->items.size(), 2u);
    state::ListRequest listing;
    for (const char* prefix : {"o", "orders", "carts/", "Orders/"}) {
      listing.prefix = prefix;
      EXPECT_EQ(loop_.run(service_.list(by, listing)).error().code, Errc::denied) << prefix;
      EXPECT_EQ(loop_.run(service_.erase_prefix(by, prefix)).error().code, Errc::denied) << prefix;
    }
    for (const char* pattern : {"%", "o%", "orders_%", "_rders/%"})
      EXPECT_EQ(loop_.run(service_.keys_like(by, {.pattern = pattern, .cursor = {}})).error().code, Errc::denied);
    listing.prefix = "orders/2";
    EXPECT_EQ(loop_.run(service_.list(by, listing))->items.size(), 1u);
    EXPECT_THAT(loop_.run(service_.keys_like(by, {.pattern = "orders/%", .cursor = {}}))->keys,
                ElementsAre("orders/1", "orders/2"));
  }
  EXPECT_EQ(loop_.run(service_.erase_prefix(call({}, &grant), "")), 2u);
  EXPECT_THAT(stored(), ElementsAre("app||carts/1", "other||orders/1"));
}

TEST_F(Stores, RefusalsNameTheTokenAndNeverTheStoredKey) {
  Grant grant = grant_of(Rights::of_state());
  grant.name = "ci";
  grant.prefix = "mine/";
  const auto denied = loop_.run(service_.get(call("K", &grant), {"theirs"}));
  ASSERT_FALSE(denied);
  EXPECT_THAT(denied.error().message, HasSubstr("the token \"ci\" reaches only keys that begin with \"mine/\""));
  state::SetRequest conditional = put("k");
  conditional.when = state::Precondition::present();
  const auto refused = loop_.run(service_.set(call("K"), conditional));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, Not(HasSubstr("isolation::")));
  EXPECT_THAT(refused.error().message, Not(HasSubstr("app||")));
}

}  // namespace
}  // namespace holdfast::service
