#include "wire/resp/reply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <new>
#include <string>

#include "wire/resp/scanner.h"

// Counts what this program allocates, for the promise that small replies allocate nothing.
static std::size_t allocations = 0;

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace holdfast::resp {
namespace {

using std::string_view_literals::operator""sv;

Result<Reply> parse(std::string_view bytes) {
  EXPECT_EQ(Scanner().scan(bytes), bytes.size()) << bytes;
  return Reply::parse(bytes);
}

TEST(RespReply, ScalarsAreWhatTheySay) {
  const auto text = [](std::string_view bytes) { return std::string(parse(bytes)->root().text()); };
  const auto kind = [](std::string_view bytes) { return parse(bytes)->root().kind(); };
  EXPECT_EQ(kind("+OK\r\n"), Kind::text);
  EXPECT_EQ(text("+OK\r\n"), "OK");
  EXPECT_EQ(kind("$4\r\na\r\nb\r\n"), Kind::text);
  EXPECT_EQ(text("$4\r\na\r\nb\r\n"), "a\r\nb");
  EXPECT_EQ(text("$0\r\n\r\n"), "");
  EXPECT_EQ(kind("=8\r\ntxt:text\r\n"), Kind::text);
  EXPECT_EQ(text("=8\r\ntxt:text\r\n"), "text");
  EXPECT_EQ(kind("-MOVED 1 a:1\r\n"), Kind::error);
  EXPECT_EQ(text("-MOVED 1 a:1\r\n"), "MOVED 1 a:1");
  EXPECT_EQ(kind("!5\r\nERR x\r\n"), Kind::error);
  EXPECT_EQ(text("!5\r\nERR x\r\n"), "ERR x");
  EXPECT_EQ(kind("(-12345678901234567890\r\n"), Kind::big_number);
  EXPECT_EQ(text("(-12345678901234567890\r\n"), "-12345678901234567890");
}

TEST(RespReply, AllThreeFormsOfNullAreNull) {
  for (const std::string_view bytes : {"$-1\r\n", "*-1\r\n", "_\r\n"}) EXPECT_TRUE(parse(bytes)->root().is_null());
  EXPECT_FALSE(parse("$0\r\n\r\n")->root().is_null());
  EXPECT_FALSE(parse("*0\r\n")->root().is_null());
}

TEST(RespReply, NumbersAndBooleans) {
  const auto integer = [](std::string_view bytes) { return parse(bytes)->root().integer(); };
  EXPECT_EQ(integer(":-42\r\n"), -42);
  EXPECT_EQ(integer(":+42\r\n"), 42);
  EXPECT_EQ(integer(":9223372036854775807\r\n"), 9223372036854775807);
  EXPECT_EQ(integer("$1\r\n7\r\n"), 0);
  const auto real = [](std::string_view bytes) { return parse(bytes)->root().real(); };
  EXPECT_EQ(real(",1.25\r\n"), 1.25);
  EXPECT_EQ(real(",+10\r\n"), 10);
  EXPECT_EQ(real(",-2e-3\r\n"), -0.002);
  EXPECT_EQ(real(",inf\r\n"), HUGE_VAL);
  EXPECT_EQ(real(",-inf\r\n"), -HUGE_VAL);
  EXPECT_TRUE(std::isnan(real(",nan\r\n")));
  EXPECT_TRUE(std::isnan(real(",-nan\r\n")));
  EXPECT_TRUE(parse("#t\r\n")->root().boolean());
  EXPECT_FALSE(parse("#f\r\n")->root().boolean());
}

TEST(RespReply, MembersAreReachedByIndexAndInTurn) {
  const auto reply = parse("*4\r\n*2\r\n:1\r\n*1\r\n:2\r\n$1\r\na\r\n*0\r\n:9\r\n");
  const Value root = reply->root();
  ASSERT_EQ(root.kind(), Kind::array);
  ASSERT_EQ(root.size(), 4);
  EXPECT_EQ(root[0][0].integer(), 1);
  EXPECT_EQ(root[0][1][0].integer(), 2);
  EXPECT_EQ(root[1].text(), "a");
  EXPECT_EQ(root[2].size(), 0);
  EXPECT_EQ(root[3].integer(), 9);
  std::vector<std::size_t> sizes;
  for (const Value value : root) sizes.push_back(value.size());
  EXPECT_THAT(sizes, testing::ElementsAre(2, 0, 0, 0));
}

TEST(RespReply, BeyondTheEndIsNull) {
  const auto reply = parse("*1\r\n:1\r\n");
  EXPECT_TRUE(reply->root()[1].is_null());
  EXPECT_TRUE(reply->root()[0][0].is_null());
  EXPECT_TRUE(reply->root()[5][7].is_null());
}

TEST(RespReply, MapsHaveTheirKeysAndValuesInTurn) {
  const auto reply = parse("%2\r\n+a\r\n:1\r\n+b\r\n~1\r\n:2\r\n");
  EXPECT_EQ(reply->root().kind(), Kind::map);
  ASSERT_EQ(reply->root().size(), 4);
  EXPECT_EQ(reply->root()[2].text(), "b");
  EXPECT_EQ(reply->root()[3].kind(), Kind::set);
  EXPECT_EQ(reply->root()[3][0].integer(), 2);
}

TEST(RespReply, AttributesAreDroppedWhereverTheyStand) {
  const auto reply = parse("|1\r\n+a\r\n*1\r\n:7\r\n*2\r\n|2\r\n+b\r\n:1\r\n+c\r\n:2\r\n:3\r\n|0\r\n:4\r\n");
  ASSERT_EQ(reply->root().size(), 2);
  EXPECT_EQ(reply->root()[0].integer(), 3);
  EXPECT_EQ(reply->root()[1].integer(), 4);
}

std::string array_of(int from, int to) {
  std::string bytes = "*" + std::to_string(to - from) + "\r\n";
  for (int i = from; i < to; ++i) bytes += ":" + std::to_string(i) + "\r\n";
  return bytes;
}

TEST(RespReply, RepliesAroundTheSizeThatNeedsMemoryAreRead) {
  for (int size = 10; size < 40; ++size) {
    const std::string bytes = array_of(0, size);
    Result<Reply> reply = parse(bytes);
    const Reply moved = std::move(*reply);
    ASSERT_EQ(moved.root().size(), size);
    for (int i = 0; i < size; ++i) EXPECT_EQ(moved.root()[i].integer(), i);
  }
}

TEST(RespReply, SmallRepliesAreScannedAndReadWithoutAllocating) {
  const std::string_view stream = "*3\r\n$5\r\nhello\r\n$1\r\n7\r\n$-1\r\n:-1\r\n";  // HMGET and PTTL
  Scanner scanner;
  const std::size_t before = allocations;
  const auto first = scanner.scan(stream);
  const auto second = scanner.scan(stream.substr(*first));
  const auto record = Reply::parse(stream.substr(0, *first));
  const auto ttl = Reply::parse(stream.substr(*first));
  EXPECT_EQ(allocations, before);
  EXPECT_EQ(*first + *second, stream.size());
  EXPECT_EQ(to_integer(record->root()[1]), 7);
  EXPECT_EQ(ttl->root().integer(), -1);
  const std::string large = array_of(0, 16);  // 17 nodes
  ASSERT_TRUE(Reply::parse(large));
  EXPECT_GT(allocations, before) << "allocations are not counted";
}

TEST(RespReply, AttributeThatNeedsMemoryLeavesNothingBehind) {
  for (const int size : {10, 30}) {
    const std::string attribute = "|1\r\n+a\r\n" + array_of(0, size);
    const std::string first = attribute + ":1\r\n";
    EXPECT_EQ(parse(first)->root().integer(), 1);
    const std::string inner = "*3\r\n:1\r\n" + attribute + array_of(5, 30) + ":3\r\n";
    const auto reply = parse(inner);
    EXPECT_EQ(reply->root()[0].integer(), 1);
    EXPECT_EQ(reply->root()[1].size(), 25);
    EXPECT_EQ(reply->root()[1][24].integer(), 29);
    EXPECT_EQ(reply->root()[2].integer(), 3);
  }
}

TEST(RespReply, WhatIsNotOneWholeReplyIsRefused) {
  for (const std::string_view bytes : {""sv,
                                       "+"sv,
                                       "+OK"sv,
                                       "+OK\r"sv,
                                       "+OK\n"sv,
                                       "\r\n"sv,
                                       "\n"sv,
                                       "x\r\n"sv,
                                       "$5\r\nhell"sv,
                                       "$5\r\nhello"sv,
                                       "$5\r\nhello\r"sv,
                                       "$5\r\nhelloxx"sv,
                                       "$1\r\nab\r\n"sv,
                                       "*2\r\n:1\r\n"sv,
                                       "*1\r\n"sv,
                                       "|1\r\n+a\r\n:1\r\n"sv,
                                       "|0\r\n"sv,
                                       ":1\r\n:2\r\n"sv,
                                       "*1\r\n>0\r\n"sv,
                                       "*99999999999\r\n"sv,
                                       "$9223372036854775807\r\n"sv,
                                       "=2\r\nxx\r\n"sv}) {
    const auto reply = Reply::parse(bytes);
    ASSERT_FALSE(reply) << bytes;
    EXPECT_EQ(reply.error().code, Errc::internal);
    EXPECT_THAT(reply.error().message, testing::StartsWith("not RESP: "));
  }
}

TEST(RespReply, DepthIsBounded) {
  std::string nested;
  for (int i = 0; i < 32; ++i) nested += "*1\r\n";
  EXPECT_TRUE(Reply::parse(nested + ":1\r\n"));
  for (int i = 0; i < 1'000'000; ++i) nested += "*1\r\n";
  EXPECT_FALSE(Reply::parse(nested));
}

TEST(RespReply, IntegersInTextAreRead) {
  EXPECT_EQ(to_integer(parse(":5\r\n")->root()), 5);
  EXPECT_EQ(to_integer(parse("$2\r\n-5\r\n")->root()), -5);
  EXPECT_EQ(to_integer(parse("(77\r\n")->root()), 77);
  for (const std::string_view bytes :
       {"$0\r\n\r\n", "$2\r\n5x\r\n", "$2\r\n+5\r\n", "$2\r\n 5\r\n", "$19\r\n9223372036854775808\r\n", "_\r\n",
        "*0\r\n", "-5\r\n", ",5\r\n", "(9223372036854775808\r\n"})
    EXPECT_EQ(to_integer(parse(bytes)->root()), std::nullopt) << bytes;
}

TEST(RespReply, ErrorsAndPushesAreToldFromTheirFirstBytes) {
  EXPECT_TRUE(is_error("-ERR\r\n"));
  EXPECT_TRUE(is_error("!3\r\nERR\r\n"));
  EXPECT_TRUE(is_error("|1\r\n+a\r\n:1\r\n-ERR\r\n"));
  EXPECT_FALSE(is_error("+OK\r\n"));
  EXPECT_FALSE(is_error("*1\r\n-ERR\r\n"));
  EXPECT_FALSE(is_error("|1\r\n+a\r\n-ERR\r\n:1\r\n"));
  EXPECT_TRUE(is_push(">1\r\n+a\r\n"));
  EXPECT_TRUE(is_push("|1\r\n+a\r\n:1\r\n>1\r\n+a\r\n"));
  EXPECT_FALSE(is_push("*1\r\n+a\r\n"));
  EXPECT_FALSE(is_push(""));
}

TEST(RespReply, FirstWordOfAnErrorSaysItsKind) {
  EXPECT_EQ(error_word("MOVED 3999 127.0.0.1:6381"), "MOVED");
  EXPECT_EQ(error_word("NOSCRIPT"), "NOSCRIPT");
  EXPECT_EQ(error_word(""), "");
}

TEST(Reply, RepliesBehindEachOtherAreReadOneByOne) {
  const std::string bytes = "*2\r\n$1\r\na\r\n$-1\r\n:7\r\n-ERR no\r\n";
  std::string_view rest = bytes;
  Reply reply;
  ASSERT_TRUE(reply.read(rest));
  EXPECT_EQ(reply.root()[0].text(), "a");
  ASSERT_TRUE(reply.read(rest));
  EXPECT_EQ(reply.root().integer(), 7);
  ASSERT_TRUE(reply.read(rest));
  EXPECT_EQ(reply.root().text(), "ERR no");
  EXPECT_TRUE(rest.empty());
  EXPECT_FALSE(reply.read(rest));
}

}  // namespace
}  // namespace holdfast::resp
