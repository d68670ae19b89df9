#include "wire/resp/command.h"

#include <gtest/gtest.h>

#include <limits>

#include "wire/resp/reply.h"
#include "wire/resp/scanner.h"

namespace holdfast::resp {
namespace {

using std::string_view_literals::operator""sv;

TEST(RespCommand, IsAnArrayOfBulkStrings) {
  std::string out = "before ";
  append_command(out, {"GET", "cart"});
  EXPECT_EQ(out, "before *2\r\n$3\r\nGET\r\n$4\r\ncart\r\n");
}

TEST(RespCommand, ArgumentsMayBeEmptyAndHoldAnyBytes) {
  std::string out;
  append_command(out, {"SET", "", "a\r\n\0b"sv});
  EXPECT_EQ(out, "*3\r\n$3\r\nSET\r\n$0\r\n\r\n$5\r\na\r\n\0b\r\n"sv);
}

TEST(RespCommand, InPartsItIsTheSame) {
  std::string whole, parts;
  append_command(whole, {"PEXPIRE", "cart", "1500"});
  begin_command(parts, 3);
  append_argument(parts, "PEXPIRE");
  append_argument(parts, "cart");
  append_argument(parts, std::int64_t{1500});
  EXPECT_EQ(parts, whole);
}

TEST(RespCommand, NumbersOfAllSixtyFourBitsTravelAsText) {
  std::string out;
  append_argument(out, std::numeric_limits<std::int64_t>::min());
  append_argument(out, std::numeric_limits<std::int64_t>::max());
  append_argument(out, std::int64_t{0});
  EXPECT_EQ(out, "$20\r\n-9223372036854775808\r\n$19\r\n9223372036854775807\r\n$1\r\n0\r\n");
}

TEST(RespCommand, LongArgumentsAndManyOfThemComeBackFromAReader) {
  const std::string large(100'000, 'x');
  std::string out;
  begin_command(out, 1001);
  append_argument(out, large);
  for (int i = 0; i < 1000; ++i) append_argument(out, std::int64_t{i});
  EXPECT_EQ(Scanner().scan(out), out.size());
  const auto reply = Reply::parse(out);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->root().size(), 1001);
  EXPECT_EQ(reply->root()[0].text(), large);
  EXPECT_EQ(to_integer(reply->root()[1000]), 999);
}

}  // namespace
}  // namespace holdfast::resp
