// The cursors that callers see: opaque, bound to the store and prefix they were made for, good for a day.
// They are not secrets and not signed: a made-up cursor can only start a listing at another place of the same prefix.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace holdfast::service {

inline constexpr auto kCursorLife = std::chrono::hours(24);

std::string seal_cursor(std::string_view store, std::string_view prefix, WallTime now, std::string_view position);
// The position inside. Errc::invalid_argument when it is not a cursor of this store and prefix; Errc::not_found
// when it is too old.
Result<std::string> open_cursor(std::string_view cursor, std::string_view store, std::string_view prefix, WallTime now);

}  // namespace holdfast::service
