// Listing keys by a LIKE pattern, as Dapr's workflow engine does.
#include <algorithm>
#include <set>

#include "conformance/conformance.h"

namespace holdfast::conformance {
namespace {

std::vector<std::string> sorted(std::vector<std::string> keys) {
  std::ranges::sort(keys);
  return keys;
}

class Like {
 public:
  explicit Like(Handle& store) : store_(store) {}

  std::vector<std::string> all(const std::string& pattern) {
    auto page = store_.run(store_.store().keys_like({}, {.pattern = pattern, .cursor = {}}));
    if (!page) {
      ADD_FAILURE() << pattern << ": " << page.error().message;
      return {};
    }
    EXPECT_EQ(page->cursor, "") << "an unlimited answer has a next page";
    return sorted(std::move(page->keys));
  }
  Result<state::KeyPage> page(const std::string& pattern, std::uint32_t limit, const std::string& cursor) {
    return store_.run(store_.store().keys_like({}, {.pattern = pattern, .cursor = cursor, .limit = limit}));
  }

 private:
  Handle& store_;
};

TEST_P(KeysLikeConformance, PercentIsAnyRunAndUnderscoreOneCharacter) {
  HOLDFAST_NEEDS(keys_like);
  for (const char* name : {"ab", "a1b", "a12b", "b", "ab\n", "aéb", "a.b"})
    ASSERT_TRUE(store().set(put(key(name), "v")));
  Like like(store());
  EXPECT_EQ(like.all(key("a%b")), sorted({key("ab"), key("a1b"), key("a12b"), key("aéb"), key("a.b")}));
  EXPECT_EQ(like.all(key("a_b")), sorted({key("a1b"), key("aéb"), key("a.b")}));
  EXPECT_EQ(like.all(key("a__b")), std::vector{key("a12b")});
  EXPECT_EQ(like.all(key("%")).size(), 7u);
  EXPECT_EQ(like.all(key("a.b")), std::vector{key("a.b")}) << "a dot stands for itself";
  EXPECT_EQ(like.all(key("ab%")), sorted({key("ab"), key("ab\n")}));
}

TEST_P(KeysLikeConformance, ThePatternIsAnchoredAtBothEnds) {
  HOLDFAST_NEEDS(keys_like);
  for (const char* name : {"mid", "middle", "amid"}) ASSERT_TRUE(store().set(put(key(name), "v")));
  EXPECT_EQ(Like(store()).all(key("mid")), std::vector{key("mid")});
}

TEST_P(KeysLikeConformance, BackslashTakesTheMeaningFromTheNextCharacter) {
  HOLDFAST_NEEDS(keys_like);
  for (const char* name : {"100%", "100x", "a_b", "axb", "a\\b"}) ASSERT_TRUE(store().set(put(key(name), "v")));
  Like like(store());
  EXPECT_EQ(like.all(key("100\\%")), std::vector{key("100%")});
  EXPECT_EQ(like.all(key("a\\_b")), std::vector{key("a_b")});
  EXPECT_EQ(like.all(key("a\\\\b")), std::vector{key("a\\b")});
}

// Patterns become statements, globs and regular expressions elsewhere; their special characters are
// plain here.
TEST_P(KeysLikeConformance, OtherSpecialCharactersStandForThemselves) {
  HOLDFAST_NEEDS(keys_like);
  for (const char* name : {"*", "?", "[a]", "a", "'", "(a|b)", "^a$"}) ASSERT_TRUE(store().set(put(key(name), "v")));
  Like like(store());
  for (const char* name : {"*", "?", "[a]", "'", "(a|b)", "^a$"})
    EXPECT_EQ(like.all(key(name)), std::vector{key(name)}) << name;
}

// SQLite and MySQL in Dapr ignore case.
TEST_P(KeysLikeConformance, CaseMatters) {
  HOLDFAST_NEEDS(keys_like);
  for (const char* name : {"abc", "ABC", "Abc"}) ASSERT_TRUE(store().set(put(key(name), "v")));
  EXPECT_EQ(Like(store()).all(key("ab%")), std::vector{key("abc")});
}

TEST_P(KeysLikeConformance, AnEmptyPatternIsRefused) {
  HOLDFAST_NEEDS(keys_like);
  EXPECT_TRUE(failed_with(Like(store()).page("", 0, ""), {Errc::invalid_argument}));
}

TEST_P(KeysLikeConformance, PagesTogetherHoldEveryKeyOnceAndTheLastHasNoToken) {
  HOLDFAST_NEEDS(keys_like);
  std::set<std::string> names;
  for (int i = 0; i < 10; ++i) names.insert(key("k" + std::to_string(i)));
  for (const std::string& name : names) ASSERT_TRUE(store().set(put(name, "v")));
  Like like(store());
  for (const std::uint32_t limit : {1u, 3u, 5u, 10u, 11u}) {
    SCOPED_TRACE(limit);
    std::vector<std::string> seen;
    std::string cursor;
    std::size_t pages = 0;
    do {
      const auto page = like.page(base() + "%", limit, cursor);
      ASSERT_TRUE(page);
      ASSERT_LE(page->keys.size(), limit);
      seen.insert(seen.end(), page->keys.begin(), page->keys.end());
      cursor = page->cursor;
      ASSERT_LT(++pages, 50u);
    } while (!cursor.empty());
    EXPECT_EQ(seen.size(), names.size());
    EXPECT_EQ(std::set(seen.begin(), seen.end()), names);
    // SQLite in Dapr gives a token on an exactly full last page.
    if (can().ordered_list) {
      EXPECT_EQ(pages, (names.size() + limit - 1) / limit);
    }
  }
}

TEST_P(KeysLikeConformance, TheTokenSurvivesDeletionOfTheKeysAlreadyReturned) {
  HOLDFAST_NEEDS(keys_like);
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(store().set(put(key("k" + std::to_string(i)), "v")));
  Like like(store());
  std::set<std::string> seen;
  std::string cursor;
  do {
    const auto page = like.page(base() + "%", 2, cursor);
    ASSERT_TRUE(page);
    for (const std::string& name : page->keys) {
      EXPECT_TRUE(seen.insert(name).second) << name << " came twice";
      ASSERT_TRUE(store().erase(drop(name)));
    }
    cursor = page->cursor;
    ASSERT_LE(seen.size(), 9u);
  } while (!cursor.empty());
  EXPECT_EQ(seen.size(), 9u);
}

// The in-memory, SQLite and MySQL stores of Dapr move an overwritten key to the end of the listing.
TEST_P(KeysLikeConformance, OverwritingKeysBetweenPagesNeitherMovesNorDropsAny) {
  HOLDFAST_NEEDS(keys_like);
  HOLDFAST_NEEDS(ordered_list);
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(store().set(put(key("k" + std::to_string(i)), "v")));
  Like like(store());
  const auto first = like.page(base() + "%", 3, "");
  ASSERT_TRUE(first);
  for (const std::string& name : first->keys) ASSERT_TRUE(store().set(put(name, "again")));
  const auto second = like.page(base() + "%", 3, first->cursor);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->keys, (std::vector{key("k3"), key("k4"), key("k5")}));
  EXPECT_EQ(second->cursor, "");
}

// Redis Cluster in Dapr returns a third of the keys; etcd drops, truncates or loops.
TEST_P(KeysLikeConformance, AThousandAndTwentyFiveKeysComeInOneUnlimitedAnswer) {
  HOLDFAST_NEEDS(keys_like);
  std::vector<std::string> names;
  for (int i = 0; i < 1025; ++i) names.push_back(key("k" + std::to_string(i)));
  std::vector<state::SetRequest> sets;
  for (const std::string& name : names) sets.push_back(put(name, "v"));
  for (const auto& written : store().run(store().store().set_many({}, sets))) ASSERT_TRUE(written);
  EXPECT_EQ(Like(store()).all(base() + "%"), sorted(names));
}

TEST_P(KeysLikeConformance, KeysWithSeparatorsMatchToo) {
  HOLDFAST_NEEDS(keys_like);
  if (!GetParam().raw_keys) GTEST_SKIP() << "this store is reached through keys that hold no separator";
  const std::string own = base() + "app||";
  for (const char* name : {"dapr.internal.ns.app.workflow||one||metadata", "dapr.internal.ns.app.workflow||one||inbox",
                           "dapr.internal.ns.app.workflow||two||metadata"})
    ASSERT_TRUE(store().set(put(own + name, "v")));
  EXPECT_EQ(Like(store()).all(own + "dapr.internal.ns.app.workflow||%||metadata").size(), 2u);
}

TEST_P(KeysLikeConformance, WithoutPatternsTheyAreUnsupported) {
  HOLDFAST_LACKS(keys_like);
  EXPECT_TRUE(is_unsupported(Like(store()).page(base() + "%", 0, "")));
}

TEST_P(KeysLikeConformance, OnlyWhatAListingShowsIsShownWhenAsked) {
  HOLDFAST_NEEDS(keys_like);
  if (!GetParam().raw_keys) GTEST_SKIP() << "through an API nobody asks a store for this: isolation does";
  const std::string own = base() + "app||";
  for (const char* name : {"a", "isolation::K::state::b", "type||id||c", "d"})
    ASSERT_TRUE(store().set(put(own + name, "v")));
  const std::string pattern = own + "%";
  state::LikeRequest request;
  request.pattern = pattern;
  request.own_bytes = own.size();
  EXPECT_EQ(sorted(store().run(store().store().keys_like({}, request))->keys),
            sorted({own + "a", own + "d", own + "isolation::K::state::b"}));
  request.hides_isolated = true;
  EXPECT_EQ(sorted(store().run(store().store().keys_like({}, request))->keys), sorted({own + "a", own + "d"}));
  request.limit = 1;
  const auto page = store().run(store().store().keys_like({}, request));
  ASSERT_TRUE(page);
  EXPECT_EQ(page->keys.size(), 1u) << "a page is not short for what it passes over";
}

}  // namespace
}  // namespace holdfast::conformance
