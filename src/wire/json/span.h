// Skipping over bytes of no interest, which is most of the work on long strings.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <string_view>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace holdfast::json {

using ByteSet = std::array<bool, 256>;

// The first place at or after text[at] whose byte is in `stops`; text.size() when there is none. `in_stops` says
// the same of one byte, or of sixteen at once, by comparisons alone.
template <class InStops>
std::size_t find_stop(std::string_view text, std::size_t at, const ByteSet& stops, InStops in_stops) {
#ifdef __SSE2__
  using Block = unsigned char __attribute__((vector_size(16)));
  for (; text.size() - at >= sizeof(Block); at += sizeof(Block)) {
    Block block;
    std::memcpy(&block, text.data() + at, sizeof block);
    const int found = _mm_movemask_epi8((__m128i)in_stops(block));
    if (found != 0) return at + static_cast<std::size_t>(std::countr_zero(static_cast<unsigned>(found)));
  }
#endif
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
