// Skipping over bytes of no interest, which is most of the work on long strings.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
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
  // What is left, with bytes in front of it that are passed over.
  if (text.size() >= sizeof(Block) && at < text.size()) {
    const std::size_t begin = text.size() - sizeof(Block);
    Block block;
    std::memcpy(&block, text.data() + begin, sizeof block);
    const unsigned found = static_cast<unsigned>(_mm_movemask_epi8((__m128i)in_stops(block))) >> (at - begin);
    return found != 0 ? at + static_cast<std::size_t>(std::countr_zero(found)) : text.size();
  }
#endif
  while (at < text.size() && !stops[static_cast<unsigned char>(text[at])]) ++at;
  return at;
}

// Whether `text`, of up to kShortBytes, has none of `stops`: names, keys and etags, at whose length find_stop() would
// look at one byte after the other.
inline constexpr std::size_t kShortBytes = 16;
template <class InStops>
bool has_no_stop_in_short(std::string_view text, const ByteSet& stops, InStops in_stops) {
#ifdef __SSE2__
  // The first bytes and the last, which may be the same, as often as they fit into sixteen.
  const auto none_at_the_ends = [&]<class Part>(Part) {
    std::array<Part, 16 / sizeof(Part)> ends;
    std::memcpy(&ends[0], text.data(), sizeof(Part));
    std::memcpy(&ends[1], text.data() + text.size() - sizeof(Part), sizeof(Part));
    for (std::size_t i = 2; i < ends.size(); ++i) ends[i] = ends[i - 2];
    unsigned char __attribute__((vector_size(16))) block;
    std::memcpy(&block, ends.data(), sizeof block);
    return _mm_movemask_epi8((__m128i)in_stops(block)) == 0;
  };
  if (text.size() >= 8) return none_at_the_ends(std::uint64_t{});
  if (text.size() >= 4) return none_at_the_ends(std::uint32_t{});
#endif
  bool found = false;
  for (const char c : text) found |= stops[static_cast<unsigned char>(c)];
  return !found;
}

template <class InStops>
constexpr ByteSet byte_set(InStops in_stops) {
  ByteSet set{};
  for (std::size_t i = 0; i < set.size(); ++i) set[i] = in_stops(static_cast<unsigned char>(i)) != 0;
  return set;
}

}  // namespace holdfast::json
