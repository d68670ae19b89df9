#include "service/cursor.h"

#include "base/encoding.h"
#include "base/number.h"

namespace holdfast::service {
namespace {

// FNV-1a, 64 bits: enough to notice a cursor used for another listing.
std::string hash_of(const CursorScope& scope) {
  std::uint64_t hash = 14695981039346656037ull;
  const auto mix = [&hash](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
    hash = (hash ^ 0xff) * 1099511628211ull;
  };
  mix(scope.store);
  mix(scope.prefix);
  if (!scope.isolation.empty()) mix(scope.isolation);
  return hex_encode({reinterpret_cast<const char*>(&hash), sizeof hash});
}

constexpr std::size_t kScopeBytes = 16;

}  // namespace

std::string seal_cursor(const CursorScope& scope, WallTime now, std::string_view position) {
  std::string inside = "1" + hash_of(scope) + std::to_string(now.ms()) + ":";
  inside += position;
  return base64url_encode(inside);
}

Result<std::string> open_cursor(std::string_view cursor, const CursorScope& scope, WallTime now) {
  const auto inside = base64url_decode(cursor);
  const std::size_t colon = inside ? inside->find(':') : std::string::npos;
  if (!inside || colon == std::string::npos || colon < 1 + kScopeBytes || (*inside)[0] != '1')
    return fail(Errc::invalid_argument, "the cursor is not one of this service; start again without a cursor");
  if (inside->substr(1, kScopeBytes) != hash_of(scope))
    return fail(Errc::invalid_argument,
                "the cursor belongs to another store, isolation key or prefix; repeat the call it came from");
  std::int64_t made_ms = 0;
  const std::string_view made = std::string_view(*inside).substr(0, colon).substr(1 + kScopeBytes);
  // Not negative: the subtraction below must not overflow.
  if (!read_number(made, made_ms) || made_ms < 0)
    return fail(Errc::invalid_argument, "the cursor is not one of this service; start again without a cursor");
  if (now.ms() - made_ms > std::chrono::duration_cast<Milliseconds>(kCursorLife).count())
    return fail(Errc::not_found, "cursor-expired");
  return inside->substr(colon + 1);
}

}  // namespace holdfast::service
