#pragma once

#include <cstdint>
#include <string_view>

namespace holdfast {

// For tables whose keys come from outside. Differs from process to process, so that nobody can choose keys that share a
// bucket. Thread-safe.
std::uint64_t hash_of(std::string_view key);

}  // namespace holdfast
