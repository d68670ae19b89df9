// Dapr's query language (filter, sort, page) as a tree, and its parser. Pure; bounded in depth and size.
// Source: the Dapr state query API; doc/query.md has the grammar.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace holdfast::state {

// A JSON scalar of a filter. Numbers are doubles, as in Dapr.
using Scalar = std::variant<std::nullptr_t, bool, double, std::string>;

struct Filter {
  enum class Op : std::uint8_t { eq, neq, gt, gte, lt, lte, in, all_of, any_of };
  Op op = Op::eq;
  std::string path;             // dotted, into the JSON value; empty for all_of and any_of
  std::vector<Scalar> values;   // one, or the list of `in`
  std::vector<Filter> filters;  // of all_of and any_of; at least two
};

// ">", ">=", "<" or "<=" of the four that compare.
std::string_view sign_of(Filter::Op op);

struct Sort {
  std::string path;
  bool descending = false;
};

struct Query {
  std::vector<Filter> filter;  // none or one
  std::vector<Sort> sort;
  std::uint32_t limit = 0;  // 0: no limit
  std::string token;
  std::string index;  // by its name, where a store asks one of several; empty: one that can answer. Others ignore it
  bool want_fields = false;  // the record fields beside the values, where the store can give them in the same trip
  std::string key_prefix;    // only keys that begin with it; empty: every key of the store, as in Dapr
  // Given: of those only the ones that a listing shows; this one and the next are as of ListRequest (state/store.h).
  std::optional<std::size_t> own_bytes;
  bool hides_isolated = false;

  // Whether the query looks at the record of this key.
  bool covers(std::string_view key) const;
};

inline constexpr std::size_t kQueryDepthMax = 64;
inline constexpr std::size_t kQueryNodesMax = 1024;

// Dapr's error texts ("filter unit must be a map", ...), as Errc::invalid_argument.
Result<Query> parse_query(std::string_view json);

}  // namespace holdfast::state
