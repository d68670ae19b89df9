// gRPC over HTTP/2 as functions: message framing, timeouts, status. I/O-free.
// Source: grpc.github.io/grpc/core/md_doc__p_r_o_t_o_c_o_l-_h_t_t_p2.html and google/rpc/status.proto.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace holdfast::grpc {

enum class Code : int {
  ok = 0,
  cancelled = 1,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  already_exists = 6,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  aborted = 10,
  out_of_range = 11,
  unimplemented = 12,
  internal = 13,
  unavailable = 14,
  data_loss = 15,
  unauthenticated = 16,
};
// Go's spelling, as Dapr prints it: "InvalidArgument".
std::string_view go_name(Code code);
// The value of a grpc-status field; what is no code of gRPC's is unknown.
Code parse_status(std::string_view text);
// For an answer without grpc-status (http-grpc-status-mapping.md); 200 is unknown, too.
Code code_of_http_status(int status);

inline constexpr std::size_t kPrefixBytes = 5;

// What stands before a message that goes by itself.
std::array<char, kPrefixBytes> prefix_of(std::size_t message_bytes);
// Appends a message with its prefix: no compression, big-endian length.
void append_frame(std::string& out, std::string_view message);
// Reserves the prefix; end_frame() fills in the length of what was appended since.
std::size_t begin_frame(std::string& out);
void end_frame(std::string& out, std::size_t at);

enum class FrameError { none, incomplete, compressed, trailing };
// The one message of a unary request body.
FrameError parse_unary(std::string_view body, std::string_view& message);
// Takes the first whole message off the front of `buffer`; nothing while it is incomplete.
struct Frame {
  std::string message;
  bool compressed = false;
};
std::optional<Frame> take_frame(std::string& buffer);
// The length in a frame's prefix, which the peer may have announced beyond any limit; needs kPrefixBytes.
std::size_t announced_bytes(std::string_view prefix);

// "100m" is 100 milliseconds; nothing when malformed. Rounded up to a millisecond.
std::optional<Milliseconds> parse_timeout(std::string_view text);

// grpc-message escaping: bytes outside 0x20..0x7e, and %, as %XX.
std::string encode_message(std::string_view text);
// What is no escape is taken as it stands: an error's words are not to get lost over one.
std::string decode_message(std::string_view text);

// Values of headers whose names end in -bin: base64, sent without padding, taken with or without.
std::string encode_binary(std::string_view bytes);
std::optional<std::string> decode_binary(std::string_view text);

// One entry of google.rpc.Status.details: "google.rpc.ErrorInfo" and the encoded message.
struct Detail {
  std::string_view type;
  std::string encoded;
};
using Metadata = std::vector<std::pair<std::string, std::string>>;
Detail error_info(std::string_view reason, std::string_view domain, const Metadata& metadata);
Detail resource_info(std::string_view type, std::string_view name);
Detail bad_request(std::string_view field, std::string_view description);
Detail help(std::string_view description, std::string_view url);

// grpc-status-details-bin: an encoded google.rpc.Status in unpadded base64.
std::string encode_details(Code code, std::string_view message, const std::vector<Detail>& details);

}  // namespace holdfast::grpc
