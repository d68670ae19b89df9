// What a caller may say of index entries. Pure.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/result.h"
#include "state/store.h"

namespace holdfast::service {

inline constexpr std::size_t kIndexEntriesMax = 16;
inline constexpr std::size_t kIndexEntryBytesMax = 256;  // name and value together

// Errc::invalid_argument: too many, too long, without a name, a name twice.
Status check_index_entries(state::PairsView entries);

// "user_id:123,city:Berlin", as v1's metadata has them: commas between, a colon behind the name; spaces around an entry
// and empty ones do not count. A value may hold further colons, and no comma. Errors as above.
Result<state::Pairs> parse_index_entries(std::string_view text);

}  // namespace holdfast::service
