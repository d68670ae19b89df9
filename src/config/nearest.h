// What somebody probably meant by a word that is none of those known.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace holdfast::config {

// The candidate that the fewest slips of a finger turn into `word` (a letter left out, put in, replaced, or two
// neighbours swapped), in any case; empty when even that takes more than a third of the word's letters. The first of
// several. Words of more than 64 bytes have no near ones.
std::string nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace holdfast::config
