#include "wire/memcached/scanner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace holdfast::memcached {
namespace {

using testing::HasSubstr;

const std::vector<std::string_view> kReplies = {
    "HD\r\n",
    "HD c12 f0 t-1\r\n",
    "EN\r\n",
    "VA 0 f0\r\n\r\n",
    "VA 5 f1 c2 t3\r\nEND\r\n\r\n",
    "VA 7\r\n\r\nEN\r\n\n\r\n",
    "ERROR\r\n",
    "SERVER_ERROR out of memory storing object\r\n",
    "VERSION 1.6.18\r\n",
    "END\r\n",
    "STAT pid 1\r\nEND\r\n",
    "STAT pid 1\r\nSTAT version 1.6.18\r\nSTAT empty \r\nEND\r\n",
};

std::string failure_of(std::string_view bytes, Limits limits = {}) {
  Scanner scanner(limits);
  const auto length = scanner.scan(bytes);
  if (length) return "it took " + std::to_string(*length);
  EXPECT_EQ(scanner.scan(bytes).error().message, length.error().message) << "it forgot that it had failed";
  return length.error().message;
}

TEST(MemcachedScanner, WholeReplyIsAsLongAsItIsWhateverComesBehind) {
  Scanner scanner;
  for (const std::string_view reply : kReplies) {
    EXPECT_EQ(scanner.scan(reply), reply.size()) << reply;
    EXPECT_EQ(scanner.scan(std::string(reply) + "VA 9 f0\r\nnot al"), reply.size()) << reply;
  }
}

TEST(MemcachedScanner, ReplySplitAtEveryByteGivesTheSame) {
  for (const std::string_view reply : kReplies)
    for (std::size_t cut = 0; cut < reply.size(); ++cut) {
      Scanner scanner;
      EXPECT_EQ(scanner.scan(reply.substr(0, cut)), 0) << reply << " at " << cut;
      EXPECT_EQ(scanner.scan(reply), reply.size()) << reply << " at " << cut;
    }
}

TEST(MemcachedScanner, ByteByByteAStreamFallsIntoItsReplies) {
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

TEST(MemcachedScanner, WhatIsNotMemcachedIsSaidAtOnce) {
  EXPECT_THAT(failure_of("+"), HasSubstr("begins with byte 0x2b"));
  EXPECT_THAT(failure_of("\r\n"), HasSubstr("0x0d"));
  EXPECT_THAT(failure_of("HD\n"), HasSubstr("without a carriage return"));
  for (const std::string_view line : {"VA x\r\n", "VA \r\n", "VA\r\n"})
    EXPECT_THAT(failure_of(line), HasSubstr("no length"));
  EXPECT_THAT(failure_of("VA -1\r\n"), HasSubstr("no length"));
  EXPECT_THAT(failure_of("VA 1 f0\r\nvv\r\n"), HasSubstr("longer than announced"));
  EXPECT_THAT(failure_of("STAT a b\r\nHD\r\n"), HasSubstr("do not end with END"));
}

TEST(MemcachedScanner, BoundsHoldAsSoonAsTheyAreExceeded) {
  const Limits small{.line_bytes_max = 20, .value_bytes_max = 10, .stats_bytes_max = 30};
  EXPECT_EQ(failure_of("VA 10 f0\r\n0123456789\r\n", small), "it took 22");
  EXPECT_THAT(failure_of("VA 11 f0\r\n", small), HasSubstr("value is too long"));
  EXPECT_THAT(failure_of("VA 99999999999999999999\r\n", small), HasSubstr("line is too long"));
  EXPECT_THAT(failure_of("VA 99999999999999999999\r\n"), HasSubstr("no length"));
  EXPECT_THAT(failure_of("ERROR 789012345678901", small), HasSubstr("line is too long"));
  EXPECT_THAT(failure_of("STAT a 1\r\nSTAT b 1\r\nSTAT c 1\r\nSTAT d 1\r\n", small), HasSubstr("no end of statistics"));
}

}  // namespace
}  // namespace holdfast::memcached
