// Skipping over bytes of no interest, which is most of the work on long strings.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace holdfast::json {

using ByteSet = std::array<bool, 256>;

// The first place at or after text[at] whose byte is in `stops`; text.size() when there is none. `in_stops` says
// the same of one byte by comparisons alone: compilers turn sixteen of them into a few vector instructions.
template <class InStops>
std::size_t find_stop(std::string_view text, std::size_t at, const ByteSet& stops, InStops in_stops) {
  constexpr std::size_t kBlock = 16;
  for (; text.size() - at >= kBlock; at += kBlock) {
    const char* block = text.data() + at;
    unsigned char any = 0;
    for (std::size_t i = 0; i < kBlock; ++i) any |= in_stops(static_cast<unsigned char>(block[i]));
    if (any != 0) break;
  }
  while (at < text.size() && !stops[static_cast<unsigned char>(text[at])]) ++at;
  return at;
}

template <class InStops>
constexpr ByteSet byte_set(InStops in_stops) {
  ByteSet set{};
  for (std::size_t i = 0; i < set.size(); ++i) set[i] = in_stops(static_cast<unsigned char>(i)) != 0;
  return set;
}

}  // namespace holdfast::json
