// One line of a reply, which is a whole scalar or announces what follows. Shared by the scanner and the reader of
// replies, so that what one lets pass the other understands; nobody else needs it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "wire/resp/kind.h"

namespace holdfast::resp {

enum class Form : std::uint8_t {
  line,       // the line is all there is
  bulk,       // `count` bytes and CRLF follow
  aggregate,  // `count` values follow
  attribute,  // `count` values follow, then the value that they are about
};

struct Element {
  Kind kind = Kind::null;
  Form form = Form::line;
  std::uint64_t count = 0;     // of a map and an attribute: keys and values together
  std::string_view text = {};  // of a line: what stands behind the type
  std::uint32_t skipped = 0;   // of a bulk: bytes in front that are no part of the text ("txt:")
};

// Aggregates inside each other, at most. Deeper is refused whatever the limits say: both readers keep a place for each.
inline constexpr std::size_t kDepthMost = 32;

// Whether a line of a reply may begin so.
bool is_type(char type);

// `line` is without its CRLF and not empty. The error says what is wrong with it, to stand behind "not RESP: ".
std::expected<Element, std::string_view> read_element(std::string_view line);

// The header of a short string, "$1234\r\n", which most of all lines are; `bytes` begins with it. Nothing for everything
// else, also for what is wrong: then the line is to be read as a whole.
struct ShortBulk {
  std::size_t header_bytes = 0;
  std::uint64_t count = 0;
};
inline std::optional<ShortBulk> read_short_bulk(std::string_view bytes) {
  constexpr std::size_t kDigitsMost = 5;
  if (!bytes.starts_with('$')) return std::nullopt;
  ShortBulk bulk{.header_bytes = 1, .count = 0};
  for (; bulk.header_bytes < bytes.size() && bulk.header_bytes <= kDigitsMost; ++bulk.header_bytes) {
    const char c = bytes[bulk.header_bytes];
    if (c < '0' || c > '9') break;
    bulk.count = bulk.count * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (bulk.header_bytes == 1 || bytes.substr(bulk.header_bytes, 2) != "\r\n") return std::nullopt;
  bulk.header_bytes += 2;
  return bulk;
}

// Decimal digits with an optional minus, within 64 bits, and nothing else.
std::optional<std::int64_t> parse_integer(std::string_view text);
// As RESP3 writes them: 1.5, -2e3, inf, -inf, nan.
std::optional<double> parse_real(std::string_view text);

}  // namespace holdfast::resp
