// Cursors of stores that list in the order of keys, and tokens of their queries. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::state {

// The place behind a page's last key: "k" and the key; the letter tells the empty key from no cursor.
std::string cursor_after(std::string_view key);
// Nothing: from the start. Errc::invalid_argument for what is no cursor.
Result<std::optional<std::string>> read_cursor(std::string_view cursor);

// Without a sort a query's page continues behind its last key; with one, behind so many rows, as in Dapr: there a
// record that changes between two pages may show twice or not at all.
struct QueryToken {
  bool is_sorted = false;
  std::optional<std::string> after_key;  // without a sort
  std::uint64_t offset = 0;              // with one

  // Errc::invalid_argument when it is not one of a query like that.
  static Result<QueryToken> read(std::string_view token, bool is_sorted);
  // Behind the page that this one began, of so many items.
  std::string next(std::string_view last_key, std::size_t items) const;
};

}  // namespace holdfast::state
