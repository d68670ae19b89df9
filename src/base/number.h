// Numbers in text. Pure.
#pragma once

#include <charconv>
#include <concepts>
#include <string_view>

namespace holdfast {

// The whole text as a number: digits of the base, with a minus in front where the type has one and never a plus; for a
// floating-point type also 1.5, 1e9, inf and nan. False, and `out` as it was, for an empty text, for anything behind the
// number, and for what is out of the type's range.
template <class Number>
  requires std::integral<Number> || std::floating_point<Number>
bool read_number(std::string_view text, Number& out, int base = 10) {
  Number number = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  std::from_chars_result read;
  if constexpr (std::integral<Number>)
    read = std::from_chars(begin, end, number, base);
  else
    read = std::from_chars(begin, end, number);
  if (read.ec != std::errc() || read.ptr != end) return false;
  out = number;
  return true;
}

}  // namespace holdfast
