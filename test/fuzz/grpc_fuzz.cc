// Frames come out the same however they arrive; timeouts and messages keep their promises.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/encoding.h"
#include "require.h"
#include "wire/grpc/grpc.h"

namespace grpc = holdfast::grpc;

namespace {

std::vector<std::string> frames_of(std::string_view stream, std::size_t step) {
  std::vector<std::string> frames;
  std::string buffer;
  for (std::size_t at = 0; at < stream.size(); at += step) {
    buffer += stream.substr(at, step);
    while (auto frame = grpc::take_frame(buffer)) frames.push_back((frame->compressed ? "1" : "0") + frame->message);
  }
  frames.push_back("left " + buffer);
  return frames;
}

void check_unary(const std::string& body) {
  std::string_view message;
  const grpc::FrameError error = grpc::parse_unary(body, message);
  std::string buffer = body;
  const auto frame = grpc::take_frame(buffer);
  if (error == grpc::FrameError::none) {
    FUZZ_REQUIRE(frame && !frame->compressed && frame->message == message && buffer.empty());
    std::string again;
    grpc::append_frame(again, message);
    FUZZ_REQUIRE(again == body);
  }
  if (error == grpc::FrameError::trailing) FUZZ_REQUIRE(frame && !buffer.empty());
  if (error == grpc::FrameError::incomplete) FUZZ_REQUIRE(!frame);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  check_unary(text);
  const auto whole = frames_of(text, size + 1);
  FUZZ_REQUIRE(frames_of(text, 1) == whole);
  FUZZ_REQUIRE(frames_of(text, 7) == whole);
  if (const auto timeout = grpc::parse_timeout(text)) {
    FUZZ_REQUIRE(timeout->count() >= 0);
    FUZZ_REQUIRE(timeout->count() <= std::int64_t{99'999'999} * 3'600'000);
  }
  const std::string encoded = grpc::encode_message(text);
  for (const char c : encoded) FUZZ_REQUIRE(c >= 0x20 && c <= 0x7e);
  FUZZ_REQUIRE(holdfast::percent_decode(encoded, holdfast::Plus::literal) == text);
  FUZZ_REQUIRE(grpc::decode_message(encoded) == text);
  FUZZ_REQUIRE(grpc::decode_message(text).size() <= size);
  FUZZ_REQUIRE(grpc::parse_status(text) <= grpc::Code::unauthenticated);
  return 0;
}
