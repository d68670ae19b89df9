#include "state/position.h"

#include <gtest/gtest.h>

namespace holdfast::state {
namespace {

TEST(Position, KeepsTheFarthestOfEachTimeline) {
  Position position;
  EXPECT_TRUE(position.empty());
  EXPECT_TRUE(position.reach({1, 10}));
  EXPECT_TRUE(position.reach({2, 5}));
  EXPECT_FALSE(position.reach({1, 9}));
  EXPECT_FALSE(position.reach({1, 10}));
  EXPECT_TRUE(position.reach({1, 11}));
  EXPECT_EQ(position.on(1), 11U);
  EXPECT_EQ(position.on(2), 5U);
  EXPECT_EQ(position.on(3), std::nullopt);
}

TEST(Position, ForgetsWhatWasReachedLongestAgo) {
  Position position;
  for (std::uint64_t i = 0; i < Position::kTimelinesMax; ++i) position.reach({i, 1});
  position.reach({0, 2});
  position.reach({1000, 1});
  EXPECT_EQ(position.reached().size(), Position::kTimelinesMax);
  EXPECT_EQ(position.on(0), 2U);
  EXPECT_EQ(position.on(1), std::nullopt);
  EXPECT_EQ(position.on(1000), 1U);
}

}  // namespace
}  // namespace holdfast::state
