#include "wire/protobuf/fields.h"

#include <gtest/gtest.h>

namespace holdfast::protobuf {
namespace {

TEST(ProtobufFields, WhatIsWrittenIsRead) {
  std::string message;
  append_bytes(message, 1, "store");
  append_uint(message, 3, 300);
  append_map_entry(message, 4, "k", "v");
  Reader r(message);
  ASSERT_TRUE(r.next());
  EXPECT_EQ(r.field(), 1u);
  EXPECT_EQ(r.bytes(), "store");
  ASSERT_TRUE(r.next());
  EXPECT_TRUE(r.is_varint());
  EXPECT_EQ(r.varint(), 300u);
  ASSERT_TRUE(r.next());
  EXPECT_EQ(r.field(), 4u);
  Reader entry(r.bytes());
  ASSERT_TRUE(entry.next());
  EXPECT_EQ(entry.bytes(), "k");
  EXPECT_FALSE(r.next());
  EXPECT_TRUE(r.ok());
}

TEST(ProtobufFields, EveryTruncationIsAnErrorOrACleanEnd) {
  std::string message;
  append_bytes(message, 1, "store");
  append_uint(message, 3, 300);
  for (std::size_t cut = 1; cut < message.size(); ++cut) {
    Reader r(std::string_view(message).substr(0, cut));
    while (r.next()) {
    }
    EXPECT_EQ(r.ok(), cut == 7) << "cut at " << cut;  // 7: exactly the first field
  }
}

TEST(ProtobufFields, MalformedInputStopsTheWalk) {
  for (const std::string_view bad : {std::string_view("\x00", 1), std::string_view("\x0a\xff\xff\xff\xff\x0f", 6),
                                     std::string_view("\x0b", 1), std::string_view("\x09\x01", 2),
                                     std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11)}) {
    Reader r(bad);
    while (r.next()) {
    }
    EXPECT_FALSE(r.ok());
  }
}

}  // namespace
}  // namespace holdfast::protobuf
