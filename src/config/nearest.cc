#include "config/nearest.h"

#include <algorithm>
#include <array>

#include "base/encoding.h"

namespace holdfast::config {
namespace {

constexpr std::size_t kWordBytesMax = 64;
using Row = std::array<std::size_t, kWordBytesMax + 1>;

// The optimal string alignment distance of two lower-case words, of at most kWordBytesMax bytes each.
std::size_t distance(std::string_view a, std::string_view b) {
  Row before_last{};
  Row last{};
  Row row{};
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before_last = last;
    last = row;
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
  }
  return row[b.size()];
}

}  // namespace

std::string nearest(std::string_view word, std::span<const std::string_view> candidates) {
  if (word.empty() || word.size() > kWordBytesMax) return "";
  const std::string lower = to_lower(word);
  std::size_t least = std::max<std::size_t>(1, word.size() / 3) + 1;
  std::string_view best;
  for (const std::string_view candidate : candidates) {
    if (candidate.size() > kWordBytesMax) continue;
    const std::size_t slips = distance(lower, to_lower(candidate));
    // A word of one letter is near everything that short.
    if (slips >= least || slips >= candidate.size()) continue;
    least = slips;
    best = candidate;
  }
  return std::string(best);
}

}  // namespace holdfast::config
