// The cursors that callers see: opaque, bound to the store, isolation key and prefix they were made for, good for a
// day. They are not secrets and not signed: a made-up cursor can only start a listing at another place of the same
// prefix.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace holdfast::service {

inline constexpr auto kCursorLife = std::chrono::hours(24);

// What a listing is of.
struct CursorScope {
  std::string_view store;
  std::string_view isolation;  // empty: none
  std::string_view prefix;
};

std::string seal_cursor(const CursorScope& scope, WallTime now, std::string_view position);
// The position inside. Errc::invalid_argument when it is not a cursor of this scope; Errc::not_found when it is too
// old.
Result<std::string> open_cursor(std::string_view cursor, const CursorScope& scope, WallTime now);

}  // namespace holdfast::service
