#include "wire/resp/scanner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace holdfast::resp {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// Whole replies of every kind, alone and inside each other.
const std::vector<std::string_view> kReplies = {
    "+OK\r\n",
    "+\r\n",
    "-ERR unknown command\r\n",
    ":0\r\n",
    ":-9223372036854775808\r\n",
    ":+5\r\n",
    "$0\r\n\r\n",
    "$5\r\nhello\r\n",
    "$4\r\n\r\n\r\n\r\n",
    "$-1\r\n",
    "*-1\r\n",
    "*0\r\n",
    "*3\r\n:1\r\n$-1\r\n+x\r\n",
    "*2\r\n*0\r\n*2\r\n:1\r\n*1\r\n$1\r\nz\r\n",
    "_\r\n",
    "#t\r\n",
    "#f\r\n",
    ",1.5\r\n",
    ",-inf\r\n",
    ",nan\r\n",
    "(3492890328409238509324850943850943825024385\r\n",
    "!21\r\nSYNTAX invalid syntax\r\n",
    "=8\r\ntxt:text\r\n",
    "%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n:2\r\n",
    "~2\r\n+a\r\n+b\r\n",
    ">2\r\n+invalidate\r\n*1\r\n+k\r\n",
    "|1\r\n+ttl\r\n:3600\r\n$1\r\nv\r\n",
    "*2\r\n|1\r\n+a\r\n*1\r\n:1\r\n:1\r\n|0\r\n:2\r\n",
};

TEST(RespScanner, WholeReplyIsAsLongAsItIs) {
  Scanner scanner;
  for (const std::string_view reply : kReplies) EXPECT_EQ(scanner.scan(reply), reply.size()) << reply;
}

TEST(RespScanner, WhatComesBehindAReplyIsNotPartOfIt) {
  Scanner scanner;
  for (const std::string_view reply : kReplies)
    EXPECT_EQ(scanner.scan(std::string(reply) + "$9\r\nnot all o"), reply.size()) << reply;
}

TEST(RespScanner, ReplySplitAtEveryByteGivesTheSame) {
  for (const std::string_view reply : kReplies)
    for (std::size_t cut = 0; cut < reply.size(); ++cut) {
      Scanner scanner;
      EXPECT_EQ(scanner.scan(reply.substr(0, cut)), 0) << reply << " cut at " << cut;
      EXPECT_EQ(scanner.scan(reply), reply.size()) << reply << " cut at " << cut;
    }
}

TEST(RespScanner, RepliesThatComeByteByByteAreFoundOneAfterTheOther) {
  std::string stream;
  for (const std::string_view reply : kReplies) stream += reply;
  Scanner scanner;
  std::vector<std::string> found;
  std::size_t begin = 0;
  for (std::size_t end = 1; end <= stream.size(); ++end) {
    const auto length = scanner.scan(std::string_view(stream).substr(begin, end - begin));
    ASSERT_TRUE(length) << length.error().message;
    if (*length == 0) continue;
    found.push_back(stream.substr(begin, *length));
    begin += *length;
  }
  EXPECT_EQ(found, std::vector<std::string>(kReplies.begin(), kReplies.end()));
}

std::string failure_of(std::string_view bytes, Limits limits = {}) {
  const auto length = Scanner(limits).scan(bytes);
  if (length) return "";
  EXPECT_EQ(length.error().code, Errc::internal);
  return length.error().message;
}

// However the bytes arrive, the same thing is wrong with them.
void expect_refused(std::string_view bytes, std::string_view reason, Limits limits = {}) {
  EXPECT_THAT(failure_of(bytes, limits), StartsWith("not RESP: ")) << bytes;
  EXPECT_THAT(failure_of(bytes, limits), HasSubstr(std::string(reason))) << bytes;
  Scanner scanner(limits);
  std::string message;
  for (std::size_t end = 1; end <= bytes.size() && message.empty(); ++end)
    if (const auto length = scanner.scan(bytes.substr(0, end)); !length) message = length.error().message;
  EXPECT_EQ(message, failure_of(bytes, limits)) << bytes;
}

TEST(RespScanner, WhatIsNoReplyIsRefused) {
  expect_refused("HTTP/1.1 400 Bad Request\r\n", "byte 0x48");
  expect_refused("\r\n", "byte 0x0d");
  expect_refused("*1\r\nx\r\n", "byte 0x78");
  expect_refused("+OK\n", "carriage return");
  expect_refused("+\n", "carriage return");
  expect_refused("$3\r\nabcd\r\n", "longer than announced");
  expect_refused("$3\r\nabc\n\n", "longer than announced");
  for (const std::string_view line : {"$\r\n", "$-2\r\n", "$+1\r\n", "$1x\r\n", "$ 1\r\n", "*\r\n", "*-2\r\n",
                                      "%-1\r\n", "~-1\r\n", ">-1\r\n", "!-1\r\n", "=-1\r\n", "|x\r\n"})
    expect_refused(line, "a length that is no number");
  for (const std::string_view line :
       {"$99999999999999999999\r\n", "*9223372036854775808\r\n", "%9223372036854775807\r\n"})
    expect_refused(line, "64 bits");
  for (const std::string_view line :
       {":\r\n", ":1x\r\n", ":+-1\r\n", ":++1\r\n", ": 1\r\n", ":9223372036854775808\r\n"})
    expect_refused(line, "an integer that is none");
  for (const std::string_view line : {",\r\n", ",1.5x\r\n", ",x\r\n", ",++1\r\n"}) expect_refused(line, "a double");
  for (const std::string_view line : {"(\r\n", "(-\r\n", "(1.5\r\n", "(--1\r\n"}) expect_refused(line, "a big number");
  for (const std::string_view line : {"#\r\n", "#x\r\n", "#true\r\n"}) expect_refused(line, "a boolean");
  expect_refused("_x\r\n", "a null");
  expect_refused("=3\r\ntxt\r\n", "without its format");
  expect_refused("*1\r\n>1\r\n+x\r\n", "a push stands inside");
}

TEST(RespScanner, StreamedStringsAndAggregatesAreRefusedByName) {
  for (const std::string_view line : {"$?\r\n", "*?\r\n", "%?\r\n", "~?\r\n"}) expect_refused(line, "streamed");
}

TEST(RespScanner, AForeignByteIsRefusedBeforeItsLineEnds) {
  EXPECT_THAT(failure_of("\x15\x03\x03"), HasSubstr("byte 0x15"));
}

TEST(RespScanner, StaysFailedUntilItIsReset) {
  Scanner scanner;
  EXPECT_FALSE(scanner.scan("*2\r\nx"));
  EXPECT_FALSE(scanner.scan("+OK\r\n"));
  scanner.reset();
  EXPECT_EQ(scanner.scan("+OK\r\n"), 5);
}

TEST(RespScanner, ResetForgetsTheReplyUnderWay) {
  Scanner scanner;
  EXPECT_EQ(scanner.scan("*2\r\n$100\r\nabc"), 0);
  scanner.reset();
  EXPECT_EQ(scanner.scan(":1\r\n"), 4);
}

TEST(RespScanner, LineOfTheLimitPassesAndALongerOneIsRefused) {
  const Limits limits{.line_bytes_max = 8};
  EXPECT_EQ(failure_of("+12345\r\n", limits), "");
  expect_refused("+123456\r\n", "a line is too long, over the bound of 8", limits);
  expect_refused("+" + std::string(1000, 'x'), "a line is too long", limits);
  expect_refused("*1\r\n+123456\r\n", "a line is too long", limits);
}

TEST(RespScanner, StringOfTheLimitPassesAndALongerOneIsRefusedWhenItIsAnnounced) {
  const Limits limits{.bulk_bytes_max = 5};
  EXPECT_EQ(failure_of("$5\r\nhello\r\n", limits), "");
  expect_refused("$6\r\n", "a string is too long, over the bound of 5", limits);
  expect_refused("$9223372036854775807\r\n", "a string is too long");
}

TEST(RespScanner, ReplyOfTheLimitPassesAndALongerOneIsRefusedWhenItIsAnnounced) {
  const Limits limits{.reply_bytes_max = 20};
  EXPECT_EQ(failure_of("*2\r\n$3\r\nabc\r\n:1\r\n", limits), "");
  expect_refused("*2\r\n$3\r\nabc\r\n$10\r\n", "a reply is too long, over the bound of 20", limits);
  expect_refused("*9\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n:1\r\n", "a reply is too long", limits);
}

TEST(RespScanner, ElementsAreCountedOverTheWholeReply) {
  const Limits limits{.elements_max = 4};
  EXPECT_EQ(failure_of("*2\r\n*2\r\n:1\r\n:2\r\n:3\r\n", limits), "");
  expect_refused("*2\r\n*3\r\n", "too many elements, over the bound of 4", limits);
  expect_refused("*5\r\n", "too many elements", limits);
  expect_refused("%3\r\n", "too many elements", limits);
  expect_refused("*9223372036854775807\r\n", "too many elements");
}

TEST(RespScanner, CountOfElementsBeginsAnewWithEveryReply) {
  Scanner scanner(Limits{.elements_max = 2});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(scanner.scan("*2\r\n:1\r\n:2\r\n"), 12);
}

TEST(RespScanner, AttributesWithoutEndAreRefused) {
  std::string endless;
  for (int i = 0; i < 5; ++i) endless += "|0\r\n";
  EXPECT_EQ(failure_of(endless), "");
  expect_refused(endless, "too many elements", Limits{.elements_max = 4});
}

TEST(RespScanner, NestingOfTheLimitPassesAndDeeperIsRefused) {
  std::string nested;
  for (int i = 0; i < 16; ++i) nested += "*1\r\n";
  EXPECT_EQ(failure_of(nested + ":1\r\n"), "");
  EXPECT_EQ(failure_of(nested + "*0\r\n"), "");
  expect_refused(nested + "*1\r\n", "nested too deep, over the bound of 16");
  expect_refused(nested + "|1\r\n", "nested too deep");
}

TEST(RespScanner, DepthIsBoundedWhateverTheLimitsSay) {
  std::string nested;
  for (std::size_t i = 0; i < kDepthMost + 1; ++i) nested += "*1\r\n";
  expect_refused(nested, "nested too deep, over the bound of 32", Limits{.depth_max = 1000});
}

}  // namespace
}  // namespace holdfast::resp
