#include "state/layers/record_cache.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace holdfast::state {
namespace {

CachedRecord found(std::string value) {
  CachedRecord kept;
  kept.record.emplace().value = std::move(value);
  return kept;
}

class RecordCacheTest : public ::testing::Test {
 protected:
  bool keep(std::string_view key, std::string value = "v") {
    const auto ticket = cache_.reserve(key);
    return ticket && cache_.fill(key, *ticket, found(std::move(value)));
  }
  bool has(std::string_view key) const { return cache_.peek(key) != nullptr; }

  RecordCache cache_{{.items_max = 4, .bytes_max = 16 << 10}};
};

TEST_F(RecordCacheTest, WhatWasFilledIsFoundAndWhatIsOnlyReservedIsNot) {
  const auto ticket = cache_.reserve("a");
  ASSERT_TRUE(ticket);
  EXPECT_EQ(cache_.find("a"), nullptr);
  EXPECT_TRUE(cache_.fill("a", *ticket, found("1")));
  ASSERT_NE(cache_.find("a"), nullptr);
  EXPECT_EQ(cache_.find("a")->record->value, "1");
  EXPECT_EQ(cache_.find("b"), nullptr);
}

TEST_F(RecordCacheTest, APlaceThatWasTakenAwayIsNotFilled) {
  const auto erased = cache_.reserve("a");
  EXPECT_EQ(cache_.erase("a"), 1u);
  EXPECT_FALSE(cache_.fill("a", *erased, found("1")));
  const auto cleared = cache_.reserve("a");
  cache_.clear();
  EXPECT_FALSE(cache_.fill("a", *cleared, found("1")));
  const auto of_prefix = cache_.reserve("a");
  EXPECT_EQ(cache_.erase_prefix(""), 1u);
  EXPECT_FALSE(cache_.fill("a", *of_prefix, found("1")));
  EXPECT_EQ(cache_.items(), 0u);
  EXPECT_EQ(cache_.bytes(), 0u);
}

TEST_F(RecordCacheTest, ATicketOfAnEarlierReadFillsNoLaterPlace) {
  const auto early = cache_.reserve("a");
  cache_.erase("a");
  const auto late = cache_.reserve("a");
  ASSERT_TRUE(late);
  EXPECT_FALSE(cache_.fill("a", *early, found("old")));
  cache_.release("a", *early);
  EXPECT_TRUE(cache_.fill("a", *late, found("new")));
  EXPECT_EQ(cache_.find("a")->record->value, "new");
}

TEST_F(RecordCacheTest, AKeyIsReservedForOneReadAtATime) {
  const auto first = cache_.reserve("a");
  EXPECT_FALSE(cache_.reserve("a"));
  cache_.release("a", *first);
  EXPECT_TRUE(cache_.reserve("a"));
}

TEST_F(RecordCacheTest, ReservingTakesAwayWhatWasKept) {
  ASSERT_TRUE(keep("a"));
  EXPECT_TRUE(cache_.reserve("a"));
  EXPECT_FALSE(has("a"));
}

TEST_F(RecordCacheTest, WhatWasAskedForLeastRecentlyGoesFirst) {
  for (const char* key : {"a", "b", "c", "d"}) ASSERT_TRUE(keep(key));
  EXPECT_NE(cache_.find("a"), nullptr);
  EXPECT_NE(cache_.peek("b"), nullptr);  // does not count as asking
  ASSERT_TRUE(keep("e"));
  EXPECT_TRUE(has("a"));
  EXPECT_FALSE(has("b"));
  EXPECT_EQ(cache_.items(), 4u);
}

TEST_F(RecordCacheTest, BytesAreBounded) {
  const std::string large(6 << 10, 'x');
  ASSERT_TRUE(keep("a", large));
  ASSERT_TRUE(keep("b", large));
  ASSERT_TRUE(keep("c", large));
  EXPECT_FALSE(has("a"));
  EXPECT_TRUE(has("b"));
  EXPECT_TRUE(has("c"));
  EXPECT_LE(cache_.bytes(), std::size_t{16 << 10});
}

TEST_F(RecordCacheTest, AReadThatBeganEarlierMakesRoomAmongWhatCameMeanwhile) {
  const std::string large(7 << 10, 'x');
  const auto early = cache_.reserve("early");
  ASSERT_TRUE(keep("a", large));
  ASSERT_TRUE(keep("b", large));
  ASSERT_TRUE(cache_.fill("early", *early, found(large)));
  EXPECT_FALSE(has("a"));
  EXPECT_TRUE(has("early"));
  EXPECT_LE(cache_.bytes(), std::size_t{16 << 10});
}

TEST_F(RecordCacheTest, WhatIsLargerThanAllRoomIsNotKeptAndPushesNothingOut) {
  ASSERT_TRUE(keep("a"));
  EXPECT_FALSE(keep("b", std::string(20 << 10, 'x')));
  EXPECT_TRUE(has("a"));
  EXPECT_FALSE(has("b"));
  EXPECT_TRUE(keep("b"));
}

TEST_F(RecordCacheTest, APrefixTakesAwayItsKeysAlone) {
  for (const char* key : {"a/1", "a/2", "b/1"}) ASSERT_TRUE(keep(key));
  EXPECT_EQ(cache_.erase_prefix("a/"), 2u);
  EXPECT_FALSE(has("a/1"));
  EXPECT_TRUE(has("b/1"));
}

TEST(RecordCache, HoldsItsBoundsAndItsBooksThroughAnyHistory) {
  RecordCache cache({.items_max = 16, .bytes_max = 8 << 10});
  std::mt19937 random(11);
  for (int step = 0; step < 20'000; ++step) {
    const std::string key = "k" + std::to_string(random() % 40);
    switch (random() % 4) {
      case 0:
        cache.erase(key);
        break;
      case 1:
        cache.find(key);
        break;
      default:
        if (const auto ticket = cache.reserve(key)) cache.fill(key, *ticket, found(std::string(random() % 1500, 'x')));
    }
    ASSERT_LE(cache.items(), 16u);
    ASSERT_LE(cache.bytes(), std::size_t{8 << 10});
  }
  std::size_t left = 0;
  for (int i = 0; i < 40; ++i) left += cache.peek("k" + std::to_string(i)) != nullptr ? 1 : 0;
  EXPECT_EQ(cache.items(), left);
  EXPECT_EQ(cache.erase_prefix("k"), left);
  EXPECT_EQ(cache.bytes(), 0u);
}

}  // namespace
}  // namespace holdfast::state
