#include "wire/grpc/grpc.h"

#include "base/encoding.h"
#include "wire/protobuf/fields.h"

namespace holdfast::grpc {

std::string_view go_name(Code code) {
  static constexpr std::string_view kNames[] = {
      "OK",       "Canceled",       "Unknown",          "InvalidArgument",   "DeadlineExceeded",
      "NotFound", "AlreadyExists",  "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
      "Aborted",  "OutOfRange",     "Unimplemented",    "Internal",          "Unavailable",
      "DataLoss", "Unauthenticated"};
  return kNames[static_cast<int>(code)];
}

Code parse_status(std::string_view text) {
  int value = 0;
  if (text.empty() || text.size() > 2) return Code::unknown;
  for (const char c : text) {
    if (c < '0' || c > '9') return Code::unknown;
    value = value * 10 + (c - '0');
  }
  return value <= static_cast<int>(Code::unauthenticated) ? static_cast<Code>(value) : Code::unknown;
}

Code code_of_http_status(int status) {
  switch (status) {
    case 400:
      return Code::internal;
    case 401:
      return Code::unauthenticated;
    case 403:
      return Code::permission_denied;
    case 404:
      return Code::unimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return Code::unavailable;
    default:
      return Code::unknown;
  }
}

std::array<char, kPrefixBytes> prefix_of(std::size_t message_bytes) {
  std::array<char, kPrefixBytes> prefix{};
  for (std::size_t i = 0; i < 4; ++i) prefix[1 + i] = static_cast<char>(message_bytes >> (8 * (3 - i)));
  return prefix;
}

std::size_t begin_frame(std::string& out) {
  const std::size_t at = out.size();
  out.append(kPrefixBytes, '\0');
  return at;
}

void end_frame(std::string& out, std::size_t at) {
  const auto prefix = prefix_of(out.size() - at - kPrefixBytes);
  out.replace(at, prefix.size(), prefix.data(), prefix.size());
}

void append_frame(std::string& out, std::string_view message) {
  const std::size_t at = begin_frame(out);
  out += message;
  end_frame(out, at);
}

std::size_t announced_bytes(std::string_view prefix) {
  std::size_t length = 0;
  for (std::size_t i = 1; i < kPrefixBytes; ++i) length = length << 8 | static_cast<unsigned char>(prefix[i]);
  return length;
}

FrameError parse_unary(std::string_view body, std::string_view& message) {
  if (body.size() < kPrefixBytes) return FrameError::incomplete;
  if (body[0] != 0) return FrameError::compressed;
  const std::size_t length = announced_bytes(body);
  if (body.size() - kPrefixBytes < length) return FrameError::incomplete;
  if (body.size() - kPrefixBytes > length) return FrameError::trailing;
  message = body.substr(kPrefixBytes);
  return FrameError::none;
}

std::optional<Frame> take_frame(std::string& buffer) {
  if (buffer.size() < kPrefixBytes) return std::nullopt;
  const std::size_t length = announced_bytes(buffer);
  if (buffer.size() - kPrefixBytes < length) return std::nullopt;
  Frame frame{buffer.substr(kPrefixBytes, length), buffer[0] != 0};
  buffer.erase(0, kPrefixBytes + length);
  return frame;
}

std::optional<Milliseconds> parse_timeout(std::string_view text) {
  if (text.size() < 2 || text.size() > 9) return std::nullopt;
  std::int64_t value = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  switch (text.back()) {
    case 'H':
      return std::chrono::hours(value);
    case 'M':
      return std::chrono::minutes(value);
    case 'S':
      return std::chrono::seconds(value);
    case 'm':
      return Milliseconds(value);
    case 'u':
      return Milliseconds((value + 999) / 1000);
    case 'n':
      return Milliseconds((value + 999'999) / 1'000'000);
    default:
      return std::nullopt;
  }
}

std::string encode_message(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c >= 0x20 && c <= 0x7e && c != '%') {
      out += c;
    } else {
      out += '%';
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 15];
    }
  }
  return out;
}

namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string decode_message(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_escape =
        text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0;
    out += is_escape ? static_cast<char>(hex_value(text[i + 1]) << 4 | hex_value(text[i + 2])) : text[i];
    if (is_escape) i += 2;
  }
  return out;
}

Detail error_info(std::string_view reason, std::string_view domain, const Metadata& metadata) {
  Detail detail{"google.rpc.ErrorInfo", {}};
  protobuf::append_bytes(detail.encoded, 1, reason);
  protobuf::append_bytes(detail.encoded, 2, domain);
  for (const auto& [key, value] : metadata) protobuf::append_map_entry(detail.encoded, 3, key, value);
  return detail;
}

Detail resource_info(std::string_view type, std::string_view name) {
  Detail detail{"google.rpc.ResourceInfo", {}};
  protobuf::append_bytes(detail.encoded, 1, type);
  protobuf::append_bytes(detail.encoded, 2, name);
  return detail;
}

Detail bad_request(std::string_view field, std::string_view description) {
  std::string violation;
  protobuf::append_bytes(violation, 1, field);
  protobuf::append_bytes(violation, 2, description);
  Detail detail{"google.rpc.BadRequest", {}};
  protobuf::append_message(detail.encoded, 1, violation);
  return detail;
}

Detail help(std::string_view description, std::string_view url) {
  std::string link;
  protobuf::append_bytes(link, 1, description);
  protobuf::append_bytes(link, 2, url);
  Detail detail{"google.rpc.Help", {}};
  protobuf::append_message(detail.encoded, 1, link);
  return detail;
}

std::string encode_binary(std::string_view bytes) {
  std::string text = base64_encode(bytes);
  while (text.ends_with('=')) text.pop_back();
  return text;
}

std::optional<std::string> decode_binary(std::string_view text) {
  std::string padded(text);
  while (padded.size() % 4 != 0) padded += '=';
  return base64_decode(padded);
}

std::string encode_details(Code code, std::string_view message, const std::vector<Detail>& details) {
  std::string status;
  protobuf::append_uint(status, 1, static_cast<std::uint64_t>(code));
  protobuf::append_bytes(status, 2, message);
  for (const Detail& detail : details) {
    std::string any;
    protobuf::append_bytes(any, 1, std::string("type.googleapis.com/") + std::string(detail.type));
    protobuf::append_bytes(any, 2, detail.encoded);
    protobuf::append_message(status, 3, any);
  }
  return encode_binary(status);
}

}  // namespace holdfast::grpc
