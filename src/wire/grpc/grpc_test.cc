#include "wire/grpc/grpc.h"

#include <gtest/gtest.h>

#include "base/encoding.h"

namespace holdfast::grpc {
namespace {

TEST(GrpcFraming, MessageSplitAtEveryByteIsTakenWhole) {
  std::string wire;
  append_frame(wire, "hello");
  append_frame(wire, "");
  for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
    std::string buffer = wire.substr(0, cut);
    std::vector<std::string> got;
    while (auto frame = take_frame(buffer)) got.push_back(frame->message);
    buffer += wire.substr(cut);
    while (auto frame = take_frame(buffer)) got.push_back(frame->message);
    EXPECT_EQ(got, (std::vector<std::string>{"hello", ""})) << "cut at " << cut;
    EXPECT_TRUE(buffer.empty());
  }
}

TEST(GrpcFraming, UnaryBodyMustBeExactlyOneMessage) {
  std::string wire;
  append_frame(wire, "hello");
  std::string_view message;
  EXPECT_EQ(parse_unary(wire, message), FrameError::none);
  EXPECT_EQ(message, "hello");
  EXPECT_EQ(parse_unary(wire + "x", message), FrameError::trailing);
  EXPECT_EQ(parse_unary(wire.substr(0, 8), message), FrameError::incomplete);
  EXPECT_EQ(parse_unary("", message), FrameError::incomplete);
  wire[0] = 1;
  EXPECT_EQ(parse_unary(wire, message), FrameError::compressed);
}

TEST(GrpcTimeout, UnitsAndNonsense) {
  EXPECT_EQ(parse_timeout("100m"), Milliseconds(100));
  EXPECT_EQ(parse_timeout("2S"), Milliseconds(2000));
  EXPECT_EQ(parse_timeout("1u"), Milliseconds(1));
  EXPECT_EQ(parse_timeout("99999999n"), Milliseconds(100));
  EXPECT_EQ(parse_timeout("99999999H"), std::chrono::hours(99999999));
  for (const char* bad : {"", "m", "10", "10x", "-1m", "123456789m"}) EXPECT_FALSE(parse_timeout(bad)) << bad;
}

TEST(GrpcStatus, MessageIsPercentEncoded) { EXPECT_EQ(encode_message("a%b\n\xc3\xa9"), "a%25b%0A%C3%A9"); }

TEST(GrpcBinaryHeader, IsTakenWithAndWithoutPadding) {
  for (const std::string_view bytes : {"", "a", "ab", "abc", "abcd"}) {
    const std::string text = encode_binary(bytes);
    EXPECT_EQ(text.find('='), std::string::npos);
    EXPECT_EQ(decode_binary(text), bytes);
    EXPECT_EQ(decode_binary(base64_encode(bytes)), bytes);
  }
  EXPECT_FALSE(decode_binary("a"));
  EXPECT_FALSE(decode_binary("****"));
}

}  // namespace
}  // namespace holdfast::grpc
