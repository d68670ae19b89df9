// The parameters of a statement that is put together for a request, and conditions on keys. Pure.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "stores/postgresql/dialect.h"
#include "stores/postgresql/rows.h"

namespace holdfast::stores::postgresql {

class Conditions {
 public:
  // The dialect outlives it.
  explicit Conditions(const Dialect& dialect) : dialect_(&dialect) {}

  // The number of a new parameter with its type: "$7::text".
  std::string add(std::string_view text);
  std::string add(std::int64_t integer);
  // Of any type that has a text form: "$7::text::float8".
  std::string add_as(std::string_view text, std::string_view type);

  // Conditions on a key: that it begins with a prefix; that it comes behind one, if there is one; that a listing shows
  // it (state::is_listable()). `key` is a column.
  std::string begins_with(std::string_view key, std::string_view prefix);
  std::string comes_after(std::string_view key, const std::optional<std::string>& other);
  std::string is_listable(std::string_view key, std::size_t own_bytes, bool hides_isolated);

  // Refers to what this holds.
  void fill(Values& values) const;

 private:
  const Dialect* dialect_;
  std::deque<std::string> texts_;
};

// As state::read_cursor(), but the key has to be one of PostgreSQL.
Result<std::optional<std::string>> read_cursor(std::string_view cursor);

}  // namespace holdfast::stores::postgresql
