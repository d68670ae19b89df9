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

TEST(GrpcStatus, MessageIsDecodedAndWhatIsNoEscapeIsKept) {
  EXPECT_EQ(decode_message("a%25b%0A%c3%A9"), "a%b\n\xc3\xa9");
  for (const std::string_view as_it_is : {"", "%", "%2", "100% of it", "%zz", "%%", "plain"})
    EXPECT_EQ(decode_message(as_it_is), as_it_is);
  EXPECT_EQ(decode_message("%%41"), "%A");
}

TEST(GrpcStatus, CodesOfGrpcAreTakenAndOthersAreUnknown) {
  EXPECT_EQ(parse_status("0"), Code::ok);
  EXPECT_EQ(parse_status("5"), Code::not_found);
  EXPECT_EQ(parse_status("16"), Code::unauthenticated);
  for (const std::string_view other : {"", "17", "-1", "x", "1x", "100", "4294967296"})
    EXPECT_EQ(parse_status(other), Code::unknown) << other;
}

TEST(GrpcStatus, AnswersWithoutOneAreMappedFromHttp) {
  EXPECT_EQ(code_of_http_status(200), Code::unknown);
  EXPECT_EQ(code_of_http_status(400), Code::internal);
  EXPECT_EQ(code_of_http_status(401), Code::unauthenticated);
  EXPECT_EQ(code_of_http_status(403), Code::permission_denied);
  EXPECT_EQ(code_of_http_status(404), Code::unimplemented);
  for (const int status : {429, 502, 503, 504}) EXPECT_EQ(code_of_http_status(status), Code::unavailable) << status;
  EXPECT_EQ(code_of_http_status(500), Code::unknown);
}

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
