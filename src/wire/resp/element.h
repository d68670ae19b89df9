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

// What nearly all values of replies are: a string and its length, an integer, null. "$3\r\nabc\r\n", ":-1\r\n",
// "$-1\r\n",
// "_\r\n". The functions below read them without a look at anything else, for the speed of it: whatever is longer,
// incomplete, wrong, of another type or near the end of the bytes is left to read_element().
struct ShortScalar {
  Kind kind = Kind::null;
  std::string_view text;
};
// More digits are left to others: 15 fit into a number whatever they are.
inline constexpr std::size_t kShortDigits = 15;
// Of a line with its type, sign and CRLF. Nothing is looked for where fewer bytes are left.
inline constexpr std::size_t kShortLineBytes = kShortDigits + 4;

// Digits and the CRLF behind them: where they end, or null.
[[gnu::always_inline]] inline const char* read_short_number(const char* at, std::uint64_t& number) {
  std::uint64_t sum = 0;
  const char* const begin = at;
  for (;; ++at) {
    const unsigned digit = static_cast<unsigned char>(*at) - static_cast<unsigned>('0');
    if (digit > 9) break;
    if (at - begin == kShortDigits) return nullptr;
    sum = sum * 10 + digit;
  }
  number = sum;
  return at != begin && at[0] == '\r' && at[1] == '\n' ? at + 2 : nullptr;
}

// A whole one that begins at `at`: where it ends, or null.
[[gnu::always_inline]] inline const char* read_short_scalar(const char* at, const char* end, ShortScalar& scalar) {
  if (static_cast<std::size_t>(end - at) < kShortLineBytes) return nullptr;
  std::uint64_t number = 0;
  switch (*at) {
    case '$': {
      const char* const text = read_short_number(at + 1, number);
      if (text == nullptr) {
        scalar = {};
        return std::string_view(at + 1, 4) == "-1\r\n" ? at + 5 : nullptr;
      }
      if (static_cast<std::uint64_t>(end - text) < number + 2 || text[number] != '\r' || text[number + 1] != '\n')
        return nullptr;
      scalar = {Kind::text, {text, number}};
      return text + number + 2;
    }
    case ':': {
      const char* const behind = read_short_number(at[1] == '-' ? at + 2 : at + 1, number);
      if (behind != nullptr) scalar = {Kind::integer, {at + 1, behind - 2}};
      return behind;
    }
    case '_':
      scalar = {};
      return at[1] == '\r' && at[2] == '\n' ? at + 3 : nullptr;
    default:
      return nullptr;
  }
}

// "*4\r\n": where the line ends, or null.
inline const char* read_short_array(const char* at, const char* end, std::uint64_t& count) {
  if (static_cast<std::size_t>(end - at) < kShortLineBytes || *at != '*') return nullptr;
  return read_short_number(at + 1, count);
}

// Decimal digits with an optional minus, within 64 bits, and nothing else.
std::optional<std::int64_t> parse_integer(std::string_view text);
// As RESP3 writes them: 1.5, -2e3, inf, -inf, nan.
std::optional<double> parse_real(std::string_view text);

}  // namespace holdfast::resp
