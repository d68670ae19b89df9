#include "stores/postgresql/conditions.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "state/key_cursor.h"
#include "state/keys.h"
#include "stores/postgresql/mapping.h"

namespace holdfast::stores::postgresql {
namespace {

// As state::prefix_end(), but of text, whose characters are in the order of their bytes. Nothing: there is no text like
// that, or none that is found so simply.
std::optional<std::string> end_of(std::string_view prefix) {
  std::string cut(prefix);
  while (!cut.empty()) {
    if (auto end = state::prefix_end(cut); end && check_key(*end)) return end;
    // The last character has no next one of as many bytes. What begins with the rest of the prefix ends later.
    while (cut.size() > 1 && (static_cast<unsigned char>(cut.back()) & 0xc0) == 0x80) cut.pop_back();
    cut.pop_back();
  }
  return std::nullopt;
}

// A literal of bytea.
std::string bytes_literal(std::string_view bytes) { return fmt::format("'\\x{}'::bytea", hex_encode(bytes)); }

}  // namespace

std::string Conditions::add(std::string_view text) {
  texts_.emplace_back(text);
  return fmt::format("${}::text", texts_.size());
}

std::string Conditions::add_as(std::string_view text, std::string_view type) {
  return fmt::format("{}::{}", add(text), type);
}

std::string Conditions::add(std::int64_t integer) { return add_as(std::to_string(integer), "bigint"); }

std::string Conditions::begins_with(std::string_view key, std::string_view prefix) {
  if (prefix.empty()) return "true";
  std::string sql =
      fmt::format("left({0}, char_length({1})) = {1} AND {0}{2} >= {1}", key, add(prefix), dialect_->bytewise);
  if (const auto end = end_of(prefix)) sql += fmt::format(" AND {}{} < {}", key, dialect_->bytewise, add(*end));
  return sql;
}

std::string Conditions::comes_after(std::string_view key, const std::optional<std::string>& other) {
  return other ? fmt::format("{}{} > {}", key, dialect_->bytewise, add(*other)) : "true";
}

// In bytes, because that is what own_bytes counts.
std::string Conditions::is_listable(std::string_view key, std::size_t own_bytes, bool hides_isolated) {
  if (own_bytes == state::kEveryKey) return "true";
  const std::string own = add(static_cast<std::int64_t>(own_bytes));
  const std::string rest = fmt::format("substr(convert_to({}, 'UTF8'), {}::int + 1)", key, own);
  const auto begins_otherwise = [&](std::string_view head) {
    return fmt::format(" AND substr({}, 1, {}) <> {}", rest, head.size(), bytes_literal(head));
  };
  std::string sql = fmt::format("octet_length({}) >= {} AND position({} in {}) = 0", key, own,
                                bytes_literal(state::kKeySeparator), rest);
  sql += begins_otherwise("outbox-");
  if (hides_isolated) sql += begins_otherwise(state::kIsolationHead);
  return sql;
}

void Conditions::fill(Values& values) const {
  for (const std::string& text : texts_) values.text(text);
}

Result<std::optional<std::string>> read_cursor(std::string_view cursor) {
  auto key = state::read_cursor(cursor);
  if (key && *key && !check_key(**key)) return fail(Errc::invalid_argument, "the cursor is not one of this store's");
  return key;
}

}  // namespace holdfast::stores::postgresql
