#include "state/key_cursor.h"

#include "base/encoding.h"
#include "base/number.h"

namespace holdfast::state {
namespace {

constexpr std::uint64_t kOffsetMax = std::uint64_t{1} << 62;

}  // namespace

std::string cursor_after(std::string_view key) { return "k" + base64url_encode(key); }

Result<std::optional<std::string>> read_cursor(std::string_view cursor) {
  if (cursor.empty()) return std::nullopt;
  auto key = cursor.starts_with('k') ? base64url_decode(cursor.substr(1)) : std::nullopt;
  if (!key) return fail(Errc::invalid_argument, "the cursor is not one of this store's");
  return std::move(*key);
}

Result<QueryToken> QueryToken::read(std::string_view token, bool is_sorted) {
  QueryToken out{.is_sorted = is_sorted, .after_key = {}};
  if (token.empty()) return out;
  if (is_sorted) {
    if (token.starts_with('o') && read_number(token.substr(1), out.offset) && out.offset < kOffsetMax) return out;
  } else if (auto key = read_cursor(token)) {
    out.after_key = std::move(*key);
    return out;
  }
  return fail(Errc::invalid_argument, "the token is not one of this query's");
}

std::string QueryToken::next(std::string_view last_key, std::size_t items) const {
  return is_sorted ? "o" + std::to_string(offset + items) : cursor_after(last_key);
}

}  // namespace holdfast::state
