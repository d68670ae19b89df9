#include "service/cursor.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace holdfast::service {
namespace {

constexpr WallTime kNow{1'800'000'000'000'000};
constexpr std::int64_t kDayUs = 24LL * 3600 * 1'000'000;

TEST(Cursor, GivesBackThePositionThatWasSealed) {
  for (const std::string& position : {std::string("k"), std::string(), std::string("a:b\0c", 5), std::string(900, 'x')})
    EXPECT_EQ(open_cursor(seal_cursor({"s", "", "p/"}, kNow, position), {"s", "", "p/"}, kNow), position);
}

TEST(Cursor, BelongsToItsStoreIsolationKeyAndPrefix) {
  const std::string cursor = seal_cursor({"s", "", "p"}, kNow, "k");
  EXPECT_EQ(open_cursor(cursor, {"t", "", "p"}, kNow).error().code, Errc::invalid_argument);
  EXPECT_EQ(open_cursor(cursor, {"s", "", "q"}, kNow).error().code, Errc::invalid_argument);
  EXPECT_EQ(open_cursor(cursor, {"s", "K", "p"}, kNow).error().code, Errc::invalid_argument);
  const std::string isolated = seal_cursor({"s", "K", "p"}, kNow, "k");
  EXPECT_EQ(open_cursor(isolated, {"s", "K", "p"}, kNow), "k");
  for (const CursorScope& other : {CursorScope{"s", "", "p"}, CursorScope{"s", "L", "p"}, CursorScope{"s", "p", "K"}})
    EXPECT_EQ(open_cursor(isolated, other, kNow).error().code, Errc::invalid_argument) << other.isolation;
  // Where one ends and the other begins counts too.
  EXPECT_FALSE(open_cursor(seal_cursor({"sp", "", ""}, kNow, "k"), {"s", "", "p"}, kNow));
}

TEST(Cursor, IsGoodForADay) {
  const std::string cursor = seal_cursor({"s", "", "p"}, kNow, "k");
  EXPECT_TRUE(open_cursor(cursor, {"s", "", "p"}, WallTime{kNow.us + kDayUs}));
  const auto late = open_cursor(cursor, {"s", "", "p"}, WallTime{kNow.us + kDayUs + 1000});
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Errc::not_found);
  EXPECT_EQ(late.error().message, "cursor-expired");
}

TEST(Cursor, WhatIsNoneIsRefused) {
  for (const char* text : {"", "x", "AAAA", "not base64!", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA"})
    EXPECT_EQ(open_cursor(text, {"s", "", "p"}, kNow).error().code, Errc::invalid_argument) << text;
}

TEST(Cursor, AMadeUpTimeIsRefused) {
  const std::string inside = *base64url_decode(seal_cursor({"s", "", "p"}, WallTime{0}, ""));
  const std::string scope = inside.substr(0, inside.find(':') - 1);
  for (const char* time : {"-1", "-9223372036854775808", "99999999999999999999", "", "1x"})
    EXPECT_EQ(open_cursor(base64url_encode(scope + time + ":k"), {"s", "", "p"}, kNow).error().code,
              Errc::invalid_argument)
        << time;
}

}  // namespace
}  // namespace holdfast::service
