#include "service/session.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace holdfast::service {
namespace {

std::string token_of(std::initializer_list<state::Position::Reached> reached, std::string_view store = "orders") {
  Session session;
  for (const auto& one : reached) session.in(store).reach(one);
  return session.changed();
}

TEST(Session, ComesBackFromItsToken) {
  const std::string token = token_of({{0x0123456789abcdef, 300}, {7, 1ULL << 60}});
  Session session;
  ASSERT_TRUE(session.join(token));
  EXPECT_TRUE(session.is_given());
  EXPECT_EQ(session.in("orders").on(0x0123456789abcdef), 300U);
  EXPECT_EQ(session.in("orders").on(7), 1ULL << 60);
  EXPECT_TRUE(session.in("other").empty());
  EXPECT_EQ(session.changed(), "") << "nothing new";
}

TEST(Session, HasNoTokenUntilAStoreGivesAPosition) {
  Session session;
  EXPECT_EQ(session.changed(), "");
  (void)session.in("orders");
  EXPECT_EQ(session.changed(), "");
}

TEST(Session, SaysWhatToSendWhenItHasGoneOn) {
  Session session;
  ASSERT_TRUE(session.join(token_of({{1, 10}})));
  session.in("orders").reach({1, 11});
  EXPECT_EQ(session.changed(), token_of({{1, 11}}));
}

TEST(Session, SeveralTokensAreOneByTheirMaximum) {
  Session session;
  ASSERT_TRUE(session.join(token_of({{1, 10}, {2, 20}})));
  ASSERT_TRUE(session.join(token_of({{1, 12}, {2, 18}})));
  ASSERT_TRUE(session.join(token_of({{3, 1}}, "carts")));
  EXPECT_EQ(session.in("orders").on(1), 12U);
  EXPECT_EQ(session.in("orders").on(2), 20U);
  EXPECT_EQ(session.in("carts").on(3), 1U);
  EXPECT_NE(session.changed(), "") << "the caller should send one from now on";
}

TEST(Session, ATokenThatIsNoneIsRefused) {
  const std::string good = token_of({{1, 10}});
  const std::string inside = *base64url_decode(good);
  std::vector<std::string> bad{"", "x", "!!!!", base64url_encode("\x02"), std::string(Session::kTokenBytesMax + 1, 'A')};
  for (std::size_t bytes = 2; bytes < inside.size(); ++bytes) bad.push_back(base64url_encode(inside.substr(0, bytes)));
  for (const std::string& token : bad) {
    Session session;
    const auto joined = session.join(token);
    ASSERT_FALSE(joined) << token;
    EXPECT_EQ(joined.error().code, Errc::invalid_argument);
  }
}

TEST(Session, ATokenStaysWithinItsBoundAndKeepsTheNewest) {
  Session session;
  for (int store = 0; store < 40; ++store)
    for (std::uint64_t i = 0; i < state::Position::kTimelinesMax; ++i)
      session.in("store-" + std::to_string(store)).reach({i, ~std::uint64_t{0} - i});
  const std::string token = session.changed();
  EXPECT_LE(token.size(), Session::kTokenBytesMax);
  Session again;
  ASSERT_TRUE(again.join(token));
  EXPECT_EQ(again.in("store-0").on(state::Position::kTimelinesMax - 1),
            ~std::uint64_t{0} - (state::Position::kTimelinesMax - 1));
}

}  // namespace
}  // namespace holdfast::service
