// Listing keys by prefix, page by page.
#include <algorithm>
#include <set>

#include "conformance/conformance.h"
#include "state/keys.h"

namespace holdfast::conformance {
namespace {

class Pages {
 public:
  Pages(Handle& store, std::string prefix, std::uint32_t limit)
      : store_(store), prefix_(std::move(prefix)), limit_(limit) {}

  // The next page's keys; empty once the listing has ended.
  std::vector<std::string> next() {
    std::vector<std::string> keys;
    if (ended_) return keys;
    state::ListRequest request;
    request.prefix = prefix_;
    request.limit = limit_;
    request.cursor = cursor_;
    auto page = store_.run(store_.store().list({}, request));
    if (!page) {
      ADD_FAILURE() << page.error().message;
      ended_ = true;
      return keys;
    }
    for (auto& item : page->items) keys.push_back(std::move(item.key));
    cursor_ = page->cursor;
    ended_ = cursor_.empty();
    return keys;
  }
  bool has_ended() const { return ended_; }

 private:
  Handle& store_;
  std::string prefix_;
  std::uint32_t limit_;
  std::string cursor_;
  bool ended_ = false;
};

TEST_P(ListConformance, ShowsTheKeysUnderThePrefixAndNoOthers) {
  HOLDFAST_NEEDS(list);
  for (const char* name : {"a1", "a2", "b1", "a", "A1"}) ASSERT_TRUE(store().set(put(key(name), "v")));
  std::vector<std::string> keys = store().keys(key("a"));
  std::ranges::sort(keys);
  EXPECT_EQ(keys, (std::vector{key("a"), key("a1"), key("a2")}));
}

TEST_P(ListConformance, NothingUnderThePrefixIsAnEmptyLastPage) {
  HOLDFAST_NEEDS(list);
  const auto page = store().run(store().store().list({}, {.prefix = base(), .own_bytes = 0, .cursor = {}}));
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->items.empty());
  EXPECT_TRUE(page->cursor.empty());
}

TEST_P(ListConformance, WildcardsInAPrefixStandForThemselvesAndSoDoesWhatAUrlWouldChange) {
  HOLDFAST_NEEDS(list);
  const std::string starts[] = {"%", "_", "\\", "*", "?", "[", "'", "+", "&", "#", "u%2f", "é"};
  for (const std::string& start : starts) ASSERT_TRUE(store().set(put(key(start + "x"), "v")));
  ASSERT_TRUE(store().set(put(key("ax"), "v")));
  for (const std::string& start : starts) EXPECT_EQ(store().keys(key(start)), std::vector{key(start) + "x"}) << start;
}

TEST_P(ListConformance, OrderIsBytewiseWhereDeclared) {
  HOLDFAST_NEEDS(list);
  HOLDFAST_NEEDS(ordered_list);
  std::vector<std::string> names;
  for (const char* name : {"b", "a", "B", "aa", "é", "z", "世", "~", "a b", "a-b", "a/b", "Z", "10", "9"})
    names.push_back(key(name));
  for (const std::string& name : names) ASSERT_TRUE(store().set(put(name, "v")));
  ASSERT_TRUE(store().set(put(names[1], "overwritten")));  // must not move it
  std::ranges::sort(names);
  EXPECT_EQ(store().keys(base()), names);
  EXPECT_EQ(store().keys(base(), 3), names);
  EXPECT_EQ(store().keys(base(), 1), names);
}

TEST_P(ListConformance, PagesTogetherHoldEveryKeyOnce) {
  HOLDFAST_NEEDS(list);
  std::set<std::string> names;
  for (int i = 0; i < 250; ++i) names.insert(key("k" + std::to_string(i)));
  for (const std::string& name : names) ASSERT_TRUE(store().set(put(name, "v")));
  const std::vector<std::string> keys = store().keys(base(), 100);
  if (can().ordered_list) {
    EXPECT_EQ(keys.size(), names.size());
  }
  EXPECT_EQ(std::set(keys.begin(), keys.end()), names);
}

// A cursor travels in the target of a request, and the head of a request is bounded.
TEST_P(ListConformance, ACursorIsShortHoweverManyKeysAPageHas) {
  HOLDFAST_NEEDS(list);
  std::vector<std::string> names;
  for (int i = 0; i < 1500; ++i) names.push_back(key("k" + std::to_string(i)));
  std::vector<state::SetRequest> puts;
  for (const std::string& name : names) puts.push_back(put(name, "v"));
  for (std::size_t at = 0; at < puts.size(); at += 500)
    for (const auto& written : store().run(store().store().set_many({}, std::span(puts).subspan(at, 500))))
      ASSERT_TRUE(written) << written.error().message;
  for (const std::uint32_t limit : {100U, 333U, 1000U}) {
    std::set<std::string> seen;
    state::ListRequest request;
    request.prefix = base();
    request.limit = limit;
    std::string cursor;
    do {
      request.cursor = cursor;
      const auto page = store().run(store().store().list({}, request));
      ASSERT_TRUE(page) << page.error().message;
      EXPECT_LE(page->items.size(), limit);
      EXPECT_LE(page->cursor.size(), 1024u) << limit;
      for (const auto& item : page->items) seen.insert(item.key);
      cursor = page->cursor;
    } while (!cursor.empty());
    EXPECT_EQ(seen.size(), names.size()) << limit;
  }
}

TEST_P(ListConformance, AnExactlyFullLastPageHasNoCursor) {
  HOLDFAST_NEEDS(list);
  HOLDFAST_NEEDS(ordered_list);
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(store().set(put(key(std::to_string(i)), "v")));
  Pages pages(store(), base(), 3);
  EXPECT_EQ(pages.next().size(), 3u);
  EXPECT_FALSE(pages.has_ended());
  EXPECT_EQ(pages.next().size(), 3u);
  EXPECT_TRUE(pages.has_ended());
}

TEST_P(ListConformance, ValuesEtagsAndFieldsComeWhenAsked) {
  HOLDFAST_NEEDS(list);
  const std::string name = key("a");
  ASSERT_TRUE(store().set(put_json(name, R"({"n":1})")));
  state::ListRequest request;
  request.prefix = base();
  request.want_values = true;
  request.want_fields = true;
  const auto page = store().run(store().store().list({}, request));
  ASSERT_TRUE(page);
  ASSERT_EQ(page->items.size(), 1u);
  EXPECT_EQ(canonical(page->items[0].record.value), R"({"n":1})");
  EXPECT_EQ(page->items[0].record.shape, state::Shape::json);
  if (can().etag) {
    EXPECT_EQ(page->items[0].record.etag, store().etag(name));
  }
  if (can().record_fields) {
    ASSERT_TRUE(page->items[0].record.fields);
    EXPECT_EQ(page->items[0].record.fields->content_type, "application/json");
  }
}

TEST_P(ListConformance, DeletedKeysAreNotListed) {
  HOLDFAST_NEEDS(list);
  ASSERT_TRUE(store().set(put(key("a"), "v")));
  ASSERT_TRUE(store().set(put(key("b"), "v")));
  ASSERT_TRUE(store().erase(drop(key("a"))));
  EXPECT_EQ(store().keys(base()), std::vector{key("b")});
}

// Actors and other applications keep their keys behind a further separator; the outbox has markers.
TEST_P(ListConformance, KeysOfActorsOfOtherAppsAndOfTheOutboxAreHidden) {
  HOLDFAST_NEEDS(list);
  if (!GetParam().raw_keys) GTEST_SKIP() << "this store is reached through keys that hold no separator";
  const std::string own = base() + "app||";
  for (const char* name : {"mine", "type||id||key", "outbox-1", "outbox", "my-outbox-1", "a|b"})
    ASSERT_TRUE(store().set(put(own + name, "v")));
  std::vector<std::string> shown = store().keys(own, 100, own.size());
  std::ranges::sort(shown);
  EXPECT_EQ(shown, (std::vector{own + "a|b", own + "mine", own + "my-outbox-1", own + "outbox"}));
  EXPECT_EQ(store().keys(own + "my", 100, own.size()), std::vector{own + "my-outbox-1"});
  EXPECT_EQ(store().keys(own + "outbox-", 100, own.size()), std::vector<std::string>{});
  EXPECT_EQ(store().keys(own, 1, own.size()).size(), 4u);
}

TEST_P(ListConformance, EveryKeyCanBeHadWhoeverItBelongsTo) {
  HOLDFAST_NEEDS(list);
  if (!GetParam().raw_keys) GTEST_SKIP() << "this store is reached through keys that hold no separator";
  std::vector<std::string> names;
  for (const char* name : {"a", "actor||7||x", "outbox-1", "z"}) names.push_back(key(name));
  for (const std::string& name : names) ASSERT_TRUE(store().set(put(name, "v")));
  for (const std::uint32_t limit : {1U, 100U}) {
    std::vector<std::string> keys = store().keys(base(), limit, state::kEveryKey);
    std::ranges::sort(keys);
    EXPECT_EQ(keys, names);
  }
}

// Each key that is there throughout is returned, whatever comes and goes between the pages.
TEST_P(ListConformance, CursorsSurviveKeysThatComeAndGo) {
  HOLDFAST_NEEDS(list);
  std::set<std::string> stay;
  for (int i = 100; i < 160; ++i) {
    ASSERT_TRUE(store().set(put(key(std::to_string(i)), "v")));
    if (i % 3 != 0) stay.insert(key(std::to_string(i)));
  }
  Pages pages(store(), base(), 7);
  std::vector<std::string> seen;
  for (int round = 0; !pages.has_ended(); ++round) {
    const std::vector<std::string> page = pages.next();
    seen.insert(seen.end(), page.begin(), page.end());
    // Everything that need not stay goes as soon as it was returned, among it the key the cursor
    // stands on.
    for (const std::string& name : page) {
      if (!stay.contains(name)) ASSERT_TRUE(store().erase(drop(name)));
    }
    if (!page.empty()) ASSERT_TRUE(store().set(put(page.front() + "-new", "v")));
    ASSERT_TRUE(store().set(put(key("000" + std::to_string(round)), "v")));
  }
  for (const std::string& name : stay) EXPECT_GE(std::ranges::count(seen, name), 1) << name;
  if (can().ordered_list) {
    EXPECT_TRUE(std::ranges::is_sorted(seen));
    EXPECT_EQ(std::set(seen.begin(), seen.end()).size(), seen.size()) << "a key came twice";
  }
}

TEST_P(ListConformance, ACursorOutlivesEveryKeyOfItsPrefix) {
  HOLDFAST_NEEDS(list);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(store().set(put(key(std::to_string(i)), "v")));
  Pages pages(store(), base(), 2);
  EXPECT_FALSE(pages.next().empty());
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(store().erase(drop(key(std::to_string(i)))));
  while (!pages.has_ended()) EXPECT_TRUE(pages.next().empty() || can().snapshot_list);
}

TEST_P(ListConformance, PagesShowTheInstantOfTheFirst) {
  HOLDFAST_NEEDS(snapshot_list);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(store().set(put(key(std::to_string(i)), "v")));
  Pages pages(store(), base(), 2);
  EXPECT_EQ(pages.next(), (std::vector{key("0"), key("1")}));
  ASSERT_TRUE(store().erase(drop(key("3"))));
  ASSERT_TRUE(store().set(put(key("4"), "v")));
  std::vector<std::string> rest;
  while (!pages.has_ended())
    for (const std::string& name : pages.next()) rest.push_back(name);
  EXPECT_EQ(rest, (std::vector{key("2"), key("3")}));
}

TEST_P(ListConformance, PagesShowWhatIsThereWhenTheyAreRead) {
  HOLDFAST_NEEDS(list);
  HOLDFAST_LACKS(snapshot_list);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(store().set(put(key(std::to_string(i)), "v")));
  Pages pages(store(), base(), 2);
  const std::vector<std::string> first = pages.next();
  std::string later;
  for (int i = 0; i < 4; ++i)
    if (std::ranges::count(first, key(std::to_string(i))) == 0) later = key(std::to_string(i));
  ASSERT_TRUE(store().erase(drop(later)));
  while (!pages.has_ended()) EXPECT_EQ(std::ranges::count(pages.next(), later), 0);
}

TEST_P(ListConformance, AnotherHandleContinuesTheListing) {
  HOLDFAST_NEEDS(list);
  HOLDFAST_NEEDS(ordered_list);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(store().set(put(key(std::to_string(i)), "v")));
  const std::string prefix = base();
  state::ListRequest request;
  request.prefix = prefix;
  request.limit = 2;
  const auto first = store().run(store().store().list({}, request));
  ASSERT_TRUE(first);
  test::TestLoop other_loop;
  Handle other(instance(), other_loop);
  request.cursor = first->cursor;
  const auto second = other.run(other.store().list({}, request));
  ASSERT_TRUE(second);
  ASSERT_EQ(second->items.size(), 2u);
  EXPECT_EQ(second->items[0].key, key("2"));
}

TEST_P(ListConformance, ManyKeysAreListedCompletely) {
  HOLDFAST_NEEDS(list);
  std::vector<std::string> names;
  for (int i = 0; i < 1500; ++i) names.push_back(key("k" + std::to_string(i)));
  std::vector<state::SetRequest> sets;
  for (const std::string& name : names) sets.push_back(put(name, "v"));
  for (const auto& written : store().run(store().store().set_many({}, sets))) ASSERT_TRUE(written);
  const std::vector<std::string> keys = store().keys(base(), 1000);
  EXPECT_EQ(std::set(keys.begin(), keys.end()), std::set(names.begin(), names.end()));
}

TEST_P(ListConformance, WithoutAnOrderEveryKeyIsListedAllTheSameInPagesOfAnySize) {
  HOLDFAST_NEEDS(list);
  HOLDFAST_LACKS(ordered_list);
  std::set<std::string> names;
  for (int i = 0; i < 20; ++i) names.insert(key(std::to_string(i)));
  for (const std::string& name : names) ASSERT_TRUE(store().set(put(name, "v")));
  for (const std::uint32_t limit : {1U, 3U, 20U, 100U}) {
    const std::vector<std::string> keys = store().keys(base(), limit);
    EXPECT_EQ(std::set(keys.begin(), keys.end()), names) << limit;
  }
}

TEST_P(ListConformance, WithoutListingItIsUnsupported) {
  HOLDFAST_LACKS(list);
  EXPECT_TRUE(is_unsupported(store().run(store().store().list({}, {.prefix = base(), .own_bytes = 0, .cursor = {}}))));
}

TEST_P(ListConformance, RecordsOfIsolationKeysAreHiddenWhenAsked) {
  HOLDFAST_NEEDS(list);
  if (!GetParam().raw_keys) GTEST_SKIP() << "through an API nobody asks a store for this: isolation does";
  const std::string own = base() + "app||";
  for (const char* name : {"a", "isolation::K::state::b", "isolation:", "z"})
    ASSERT_TRUE(store().set(put(own + name, "v")));
  state::ListRequest request;
  request.prefix = own;
  request.own_bytes = own.size();
  request.limit = 2;
  request.hides_isolated = true;
  std::set<std::string> seen;
  std::string cursor;
  do {
    request.cursor = cursor;
    const auto page = store().run(store().store().list({}, request));
    ASSERT_TRUE(page);
    for (const auto& item : page->items) seen.insert(item.key);
    cursor = page->cursor;
  } while (!cursor.empty());
  EXPECT_EQ(seen, (std::set{own + "a", own + "isolation:", own + "z"}));
  EXPECT_EQ(store().keys(own, 100, own.size()).size(), 4u);
}

}  // namespace
}  // namespace holdfast::conformance
