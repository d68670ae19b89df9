#include "wire/memcached/reply.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::memcached {
namespace {

using testing::HasSubstr;
using Kind = Reply::Kind;

Reply read(std::string_view bytes) {
  auto reply = Reply::read(bytes);
  EXPECT_TRUE(reply) << reply.error().message;
  EXPECT_TRUE(bytes.empty()) << bytes;
  return reply ? *reply : Reply();
}

TEST(MemcachedReply, AValueComesWithWhatWasAskedOfIt) {
  const Reply reply = read("VA 6 f4294967295 c18446744073709551615 t-1 W\r\na\r\nb\r\n\r\n");
  EXPECT_EQ(reply.kind, Kind::value);
  EXPECT_EQ(reply.value, "a\r\nb\r\n");
  EXPECT_EQ(reply.flags, 4294967295);
  EXPECT_EQ(reply.cas, 18446744073709551615ULL);
  EXPECT_EQ(reply.seconds_left, -1);
  EXPECT_EQ(read("VA 0\r\n\r\n").value, "");
  EXPECT_EQ(read("VA 1 t\r\nx\r\n").seconds_left, std::nullopt);
}

TEST(MemcachedReply, EachWordHasItsKind) {
  EXPECT_EQ(read("HD c7\r\n").cas, 7);
  EXPECT_EQ(read("HD f1 c7 t60\r\n").seconds_left, 60);
  EXPECT_EQ(read("EN\r\n").kind, Kind::miss);
  EXPECT_EQ(read("NF c0\r\n").kind, Kind::not_found);
  EXPECT_EQ(read("NS c0\r\n").kind, Kind::not_stored);
  EXPECT_EQ(read("EX c0\r\n").kind, Kind::exists);
  EXPECT_EQ(read("MN\r\n").kind, Kind::no_op);
  EXPECT_EQ(read("VERSION 1.6.18\r\n").text, "1.6.18");
  EXPECT_EQ(read("ERROR\r\n").kind, Kind::error);
  EXPECT_EQ(read("SERVER_ERROR out of memory\r\n").text, "SERVER_ERROR out of memory");
  EXPECT_EQ(read("CLIENT_ERROR bad\r\n").kind, Kind::error);
  EXPECT_EQ(read("STORED\r\n").kind, Kind::other);
}

TEST(MemcachedReply, StatisticsAreFoundByTheirName) {
  const Reply reply = read("STAT pid 7\r\nSTAT item_size_max 1048576\r\nSTAT none \r\nEND\r\n");
  EXPECT_EQ(reply.kind, Kind::stats);
  EXPECT_EQ(find_stat(reply.text, "item_size_max"), "1048576");
  EXPECT_EQ(find_stat(reply.text, "pid"), "7");
  EXPECT_EQ(find_stat(reply.text, "none"), "");
  EXPECT_EQ(find_stat(reply.text, "item"), "");
  EXPECT_EQ(find_stat(read("END\r\n").text, "pid"), "");
}

TEST(MemcachedReply, OneAfterTheOtherIsTakenOffTheBytes) {
  std::string_view bytes = "VA 1 c1\r\nx\r\nEN\r\nHD";
  EXPECT_EQ(Reply::read(bytes)->value, "x");
  EXPECT_EQ(Reply::read(bytes)->kind, Kind::miss);
  EXPECT_THAT(Reply::read(bytes).error().message, HasSubstr("not whole"));
}

}  // namespace
}  // namespace holdfast::memcached
