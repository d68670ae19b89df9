// A query as SQL over JSON1. Pure: everything that comes from the request is a bound parameter.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "state/key_cursor.h"
#include "state/query.h"
#include "stores/sqlite/database.h"
#include "stores/sqlite/settings.h"

namespace holdfast::stores::sqlite {

struct CompiledQuery {
  std::string sql;  // yields the key, then the columns of select_columns()
  std::vector<std::variant<std::int64_t, double, std::string>> parameters;
  state::QueryToken token;  // where the page begins

  void bind(Statement& statement) const;
};

// Only JSON values take part. A string never equals a number, nor true 1; order compares two
// numbers or two strings (bytewise). Errc::invalid_argument: a token that is not ours, a path with
// a quotation mark.
Result<CompiledQuery> compile_query(const state::Query& query, const SqliteSettings& settings, WallTime now);

}  // namespace holdfast::stores::sqlite
