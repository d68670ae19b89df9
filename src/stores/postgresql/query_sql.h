// A query as SQL over jsonb, where the dialect puts jsonb in order. Pure: everything that comes from the request is a
// parameter, of the type of its value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "state/key_cursor.h"
#include "state/query.h"
#include "stores/postgresql/conditions.h"
#include "stores/postgresql/statements.h"

namespace holdfast::stores::postgresql {

struct CompiledQuery {
  explicit CompiledQuery(const Dialect& dialect) : conditions(dialect) {}

  Statement statement;      // yields the key, then the columns of Statements::columns()
  Conditions conditions;    // its parameters
  state::QueryToken token;  // where the page begins
};

// Only JSON values take part. A string never equals a number, nor true 1; order compares two numbers or two strings
// (bytewise). Errc::invalid_argument: a token that is not ours.
Result<CompiledQuery> compile_query(const state::Query& query, const Statements& statements);

}  // namespace holdfast::stores::postgresql
