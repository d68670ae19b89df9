#include "stores/sqlite/query_sql.h"

#include <fmt/format.h>

#include <span>

#include "base/encoding.h"
#include "base/number.h"
#include "state/keys.h"
#include "stores/sqlite/mapping.h"

namespace holdfast::stores::sqlite {
namespace {

using state::Filter;
using Op = state::Filter::Op;

// "a.b" as SQLite's $."a"."b": quoted, so that no character of a segment means anything.
Result<std::string> json_path(std::string_view path) {
  std::string out = "$";
  while (true) {
    const std::size_t dot = path.find('.');
    const std::string_view segment = path.substr(0, dot);
    if (segment.find('"') != std::string_view::npos)
      return fail(Errc::invalid_argument, "a path of a query may not hold a quotation mark on this store");
    out += fmt::format(".\"{}\"", segment);
    if (dot == std::string_view::npos) return out;
    path.remove_prefix(dot + 1);
  }
}

class Compiler {
 public:
  explicit Compiler(CompiledQuery& out) : out_(out) {}

  // The number of a new parameter, as "?7".
  template <class T>
  std::string parameter(T value) {
    out_.parameters.emplace_back(std::move(value));
    return fmt::format("?{}", out_.parameters.size());
  }

  Result<std::string> condition(const Filter& filter) {
    if (filter.op == Op::all_of) return joined(filter.filters, " AND ");
    if (filter.op == Op::any_of) return joined(filter.filters, " OR ");
    auto path = json_path(filter.path);
    if (!path) return fail(std::move(path.error()));
    const std::string at = parameter(std::move(*path));
    if (filter.op == Op::in) return is_among(at, filter.values);
    if (filter.values.empty()) return fail(Errc::internal, "a filter of a query has no value");
    const state::Scalar& value = filter.values.front();
    if (filter.op == Op::eq) return equals(at, value);
    if (filter.op == Op::neq) return fmt::format("NOT coalesce({}, 0)", equals(at, value));
    return compares(at, sign_of(filter.op), value);
  }

  Result<std::string> order(const std::vector<state::Sort>& sorts) {
    std::string sql;
    for (const state::Sort& sort : sorts) {
      auto path = json_path(sort.path);
      if (!path) return fail(std::move(path.error()));
      sql += fmt::format("json_extract(s.value, {}){}, ", parameter(std::move(*path)), sort.descending ? " DESC" : "");
    }
    return sql + "s.key";
  }

 private:
  // As a balanced tree: SQLite bounds the depth of an expression, and "a AND b AND c ..." is a deep
  // one.
  Result<std::string> joined(std::span<const Filter> filters, std::string_view word) {
    if (filters.empty()) return fail(Errc::internal, "a filter of a query has no parts");
    if (filters.size() == 1) return condition(filters.front());
    const std::size_t half = filters.size() / 2;
    auto left = joined(filters.first(half), word);
    if (!left) return left;
    auto right = joined(filters.subspan(half), word);
    if (!right) return right;
    return fmt::format("({}{}{})", *left, word, *right);
  }

  std::string is_number(const std::string& at) {
    return fmt::format("json_type(s.value, {}) IN ('integer', 'real')", at);
  }
  std::string has_type(const std::string& at, std::string_view type) {
    return fmt::format("json_type(s.value, {}) = '{}'", at, type);
  }

  std::string equals(const std::string& at, const state::Scalar& value) {
    if (std::holds_alternative<std::nullptr_t>(value)) return "(" + has_type(at, "null") + ")";
    if (const bool* flag = std::get_if<bool>(&value)) return "(" + has_type(at, *flag ? "true" : "false") + ")";
    return compares(at, "=", value);
  }

  std::string compares(const std::string& at, std::string_view sign, const state::Scalar& value) {
    if (const double* number = std::get_if<double>(&value))
      return fmt::format("({} AND json_extract(s.value, {}) {} {})", is_number(at), at, sign, parameter(*number));
    if (const std::string* text = std::get_if<std::string>(&value))
      return fmt::format("({} AND json_extract(s.value, {}) {} {})", has_type(at, "text"), at, sign, parameter(*text));
    return "(0)";
  }

  std::string is_among(const std::string& at, const std::vector<state::Scalar>& values) {
    std::string numbers;
    std::string texts;
    std::string rest;
    for (const state::Scalar& value : values) {
      if (const double* number = std::get_if<double>(&value))
        numbers += (numbers.empty() ? "" : ", ") + parameter(*number);
      else if (const std::string* text = std::get_if<std::string>(&value))
        texts += (texts.empty() ? "" : ", ") + parameter(*text);
      else if (const std::string one = equals(at, value); rest.find(one) == std::string::npos)
        rest += " OR " + one;
    }
    std::string sql = "(0";
    if (!numbers.empty())
      sql += fmt::format(" OR ({} AND json_extract(s.value, {}) IN ({}))", is_number(at), at, numbers);
    if (!texts.empty())
      sql += fmt::format(" OR ({} AND json_extract(s.value, {}) IN ({}))", has_type(at, "text"), at, texts);
    return sql + rest + ")";
  }

  CompiledQuery& out_;
};

std::string live_condition(Compiler& compiler, const SqliteSettings& settings, WallTime now) {
  return fmt::format(
      "(s.expiration_time IS NULL OR (s.expiration_time > {} AND coalesce((SELECT h.expires_ms "
      "FROM "
      "\"{}\" h WHERE h.key = s.key AND h.etag = s.etag) > {}, 1)))",
      compiler.parameter(sql_seconds(now)), settings.side_table(), compiler.parameter(now.ms()));
}

std::string range_condition(Compiler& compiler, const state::Query& query, const state::QueryToken& token) {
  std::string sql;
  std::string from = query.key_prefix;
  if (token.after_key) from = std::max(from, *token.after_key + '\0');
  if (!from.empty()) sql += fmt::format("s.key >= {} AND ", compiler.parameter(from));
  const auto to = query.key_prefix.empty() ? std::nullopt : state::prefix_end(query.key_prefix);
  if (to) sql += fmt::format("s.key < {} AND ", compiler.parameter(*to));
  if (query.own_bytes)
    sql +=
        fmt::format("hf_listable(s.key, {}, {}) AND ", compiler.parameter(static_cast<std::int64_t>(*query.own_bytes)),
                    compiler.parameter(std::int64_t{query.hides_isolated}));
  return sql;
}

}  // namespace

void CompiledQuery::bind(Statement& statement) const {
  int at = 0;
  for (const auto& parameter : parameters) {
    ++at;
    if (const auto* number = std::get_if<std::int64_t>(&parameter))
      statement.bind(at, *number);
    else if (const auto* real = std::get_if<double>(&parameter))
      statement.bind_real(at, *real);
    else
      statement.bind(at, std::get<std::string>(parameter));
  }
}

Result<CompiledQuery> compile_query(const state::Query& query, const SqliteSettings& settings, WallTime now) {
  CompiledQuery out;
  auto token = state::QueryToken::read(query.token, !query.sort.empty());
  if (!token) return fail(std::move(token.error()));
  out.token = std::move(*token);
  Compiler compiler(out);
  const RowShape shape{true, query.want_fields};
  const std::string side = settings.side_table();
  out.sql = fmt::format("SELECT s.key, {} FROM {} WHERE {}{}", select_columns(shape, side),
                        select_source(shape, settings.table, side), range_condition(compiler, query, out.token),
                        live_condition(compiler, settings, now));
  // CASE, because json_extract() fails on text that is not JSON and AND promises no order.
  std::string filter = "1";
  if (!query.filter.empty()) {
    auto condition = compiler.condition(query.filter.front());
    if (!condition) return fail(std::move(condition.error()));
    filter = std::move(*condition);
  }
  out.sql += fmt::format(" AND CASE WHEN s.is_binary = 0 AND json_valid(s.value) THEN {} ELSE 0 END", filter);
  auto order = compiler.order(query.sort);
  if (!order) return fail(std::move(order.error()));
  out.sql += " ORDER BY " + *order;
  // One row more than asked for shows whether there is a next page.
  const std::int64_t limit = query.limit == 0 ? -1 : static_cast<std::int64_t>(query.limit) + 1;
  out.sql += " LIMIT " + compiler.parameter(limit);
  if (out.token.offset > 0) out.sql += " OFFSET " + compiler.parameter(static_cast<std::int64_t>(out.token.offset));
  return out;
}

}  // namespace holdfast::stores::sqlite
