// Whether anybody may want to know of a key, asked by every write: no lock, a load where nobody watches, a hash for each
// length of the prefixes that are watched.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <functional>
#include <string_view>

namespace holdfast::state {

// Counts the prefixes that are watched by their hash; collisions say "may" more often than needed, never less.
// Thread-safe. What add() has done is seen by every write that begins after it.
class WatchFilter {
 public:
  void add(std::string_view prefix) {
    const std::string_view head = cut(prefix);
    slot_of(head).fetch_add(1);
    if (counts_[head.size()].fetch_add(1) == 0) lengths_.fetch_or(bit_of(head.size()));
  }
  // Once for each add(). A caller at a time, add() included.
  void remove(std::string_view prefix) {
    const std::string_view head = cut(prefix);
    if (counts_[head.size()].fetch_sub(1) == 1) lengths_.fetch_and(~bit_of(head.size()));
    slot_of(head).fetch_sub(1);
  }
  bool may_match(std::string_view key) const {
    for (std::uint64_t left = lengths_.load(std::memory_order_acquire); left != 0; left &= left - 1) {
      const auto length = static_cast<std::size_t>(std::countr_zero(left));
      if (length > key.size()) return false;
      if (slot_of(key.substr(0, length)).load(std::memory_order_acquire) != 0) return true;
    }
    return false;
  }

 private:
  // A bit for each length; longer prefixes are told apart by their beginning alone.
  static constexpr std::size_t kLengthMax = 63;
  static constexpr std::size_t kSlots = 4096;
  static std::string_view cut(std::string_view prefix) { return prefix.substr(0, kLengthMax); }
  static std::uint64_t bit_of(std::size_t length) { return std::uint64_t{1} << length; }
  static std::size_t index_of(std::string_view head) { return std::hash<std::string_view>()(head) % kSlots; }
  std::atomic<std::uint32_t>& slot_of(std::string_view head) { return slots_[index_of(head)]; }
  const std::atomic<std::uint32_t>& slot_of(std::string_view head) const { return slots_[index_of(head)]; }

  std::atomic<std::uint64_t> lengths_{0};
  std::array<std::atomic<std::uint32_t>, kLengthMax + 1> counts_{};
  std::array<std::atomic<std::uint32_t>, kSlots> slots_{};
};

}  // namespace holdfast::state
