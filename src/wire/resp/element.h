// One line of a reply, which is a whole scalar or announces what follows. Shared by the scanner and the reader of
// replies, so that what one lets pass the other understands; nobody else needs it.
#pragma once

#include <algorithm>
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

// "$100\r\n", "*4\r\n", ":1764132000000\r\n", "$-1\r\n": which nearly all lines are. Read without a look at the rest.
struct ShortLine {
  Kind kind = Kind::null;
  std::uint32_t bytes = 0;  // of the whole line; 0: it is not one of these
  std::uint64_t count = 0;  // of a string and an array
};
// `bytes` begins with the line. Whatever is longer, wrong or of another type is left to read_element().
inline ShortLine read_short_line(std::string_view bytes) {
  constexpr std::uint32_t kDigitsMost = 15;
  if (bytes.size() < 4) return {};
  ShortLine line;
  switch (bytes[0]) {
    case '$':
      line.kind = Kind::text;
      break;
    case '*':
      line.kind = Kind::array;
      break;
    case ':':
      line.kind = Kind::integer;
      break;
    default:
      return {};
  }
  std::uint32_t at = 1;
  if (bytes[1] == '-') {
    if (line.kind != Kind::integer) {
      if (bytes.substr(2, 3) != "1\r\n") return {};
      return {.kind = Kind::null, .bytes = 5};
    }
    at = 2;
  }
  const std::uint32_t digits = at;
  const auto most = static_cast<std::uint32_t>(std::min<std::size_t>(bytes.size() - 1, digits + kDigitsMost));
  for (; at < most; ++at) {
    const unsigned digit = static_cast<unsigned char>(bytes[at]) - static_cast<unsigned>('0');
    if (digit > 9) break;
    line.count = line.count * 10 + digit;
  }
  if (at == digits || at >= most || bytes[at] != '\r' || bytes[at + 1] != '\n') return {};
  line.bytes = at + 2;
  return line;
}

// Decimal digits with an optional minus, within 64 bits, and nothing else.
std::optional<std::int64_t> parse_integer(std::string_view text);
// As RESP3 writes them: 1.5, -2e3, inf, -inf, nan.
std::optional<double> parse_real(std::string_view text);

}  // namespace holdfast::resp
