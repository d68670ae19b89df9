#include "stores/postgresql/query_sql.h"

#include <fmt/format.h>

#include "state/keys.h"
#include "stores/postgresql/mapping.h"
#include "wire/json/json.h"

namespace holdfast::stores::postgresql {
namespace {

using state::Filter;
using Op = state::Filter::Op;

std::string json_of(const state::Scalar& value) {
  if (std::holds_alternative<std::nullptr_t>(value)) return "null";
  if (const bool* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  std::string text;
  if (const double* number = std::get_if<double>(&value))
    json::append_number(text, *number);
  else
    json::append_string(text, std::get<std::string>(value));
  return text;
}

// No jsonb has such a string in it, nor can one be made to compare with.
bool is_impossible(const state::Scalar& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text != nullptr && text->contains('\0');
}

class Compiler {
 public:
  explicit Compiler(Conditions& conditions) : conditions_(conditions) {}

  std::string condition(const Filter& filter) {
    if (filter.op == Op::all_of) return joined(filter, " AND ");
    if (filter.op == Op::any_of) return joined(filter, " OR ");
    const std::string at = member(filter.path);
    if (filter.op == Op::in) return is_among(at, filter);
    if (filter.values.empty()) return "false";
    const state::Scalar& value = filter.values.front();
    if (filter.op == Op::eq) return equals(at, value);
    if (filter.op == Op::neq) return fmt::format("NOT coalesce({}, false)", equals(at, value));
    return compares(at, sign_of(filter.op), value);
  }

  // Absent and null first, then false, true, numbers, strings bytewise, and the rest.
  std::string order(const state::Sort& sort) {
    const std::string at = member(sort.path);
    const std::string_view way = sort.descending ? " DESC" : "";
    return fmt::format(
        "CASE jsonb_typeof({0}) WHEN 'boolean' THEN 1 WHEN 'number' THEN 2 WHEN 'string' THEN 3 WHEN 'object' THEN 4 "
        "WHEN 'array' THEN 4 ELSE 0 END{1}, CASE WHEN jsonb_typeof({0}) IN ('boolean', 'number') THEN {0} END{1}, CASE "
        "WHEN "
        "jsonb_typeof({0}) = 'string' THEN {0} #>> '{{}}' END COLLATE \"C\"{1}, ",
        at, way);
  }

 private:
  // "a.b" as t.value -> 'a' -> 'b': members of objects only.
  std::string member(std::string_view path) {
    std::string sql = "(t.value";
    for (;;) {
      const std::size_t dot = path.find('.');
      sql += " -> " + conditions_.add(path.substr(0, dot));
      if (dot == std::string_view::npos) return sql + ")";
      path.remove_prefix(dot + 1);
    }
  }

  std::string joined(const Filter& filter, std::string_view word) {
    std::string sql = "(";
    for (const Filter& part : filter.filters)
      sql += (sql.size() > 1 ? std::string(word) : std::string()) + condition(part);
    return sql + ")";
  }

  std::string equals(const std::string& at, const state::Scalar& value) {
    if (is_impossible(value)) return "false";
    return fmt::format("{} = {}", at, conditions_.add_as(json_of(value), "jsonb"));
  }

  std::string compares(const std::string& at, std::string_view sign, const state::Scalar& value) {
    if (std::holds_alternative<double>(value))
      return fmt::format("(jsonb_typeof({0}) = 'number' AND {0} {1} {2})", at, sign,
                         conditions_.add_as(json_of(value), "jsonb"));
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr || is_impossible(value)) return "false";
    return fmt::format("(jsonb_typeof({0}) = 'string' AND ({0} #>> '{{}}') COLLATE \"C\" {1} {2})", at, sign,
                       conditions_.add(*text));
  }

  std::string is_among(const std::string& at, const Filter& filter) {
    std::string list;
    for (const state::Scalar& value : filter.values)
      if (!is_impossible(value)) list += (list.empty() ? "" : ", ") + conditions_.add_as(json_of(value), "jsonb");
    return list.empty() ? "false" : fmt::format("{} IN ({})", at, list);
  }

  Conditions& conditions_;
};

}  // namespace

Result<CompiledQuery> compile_query(const state::Query& query, const Statements& statements) {
  CompiledQuery out(statements.dialect());
  auto token = state::QueryToken::read(query.token, !query.sort.empty());
  if (!token) return fail(std::move(token.error()));
  out.token = std::move(*token);
  if (out.token.after_key && !check_key(*out.token.after_key))
    return fail(Errc::invalid_argument, "the token is not one of this query's");
  const Dialect& d = statements.dialect();
  Conditions& conditions = out.conditions;
  Compiler compiler(conditions);
  std::string& sql = out.statement.sql;
  sql = fmt::format("SELECT t.key, {} FROM {} t WHERE NOT t.isbinary AND {} AND {} AND {} AND {}",
                    statements.columns({.want_value = true, .want_fields = query.want_fields}), d.table, d.live(),
                    conditions.begins_with("t.key", query.key_prefix),
                    conditions.comes_after("t.key", out.token.after_key),
                    conditions.is_listable("t.key", query.own_bytes.value_or(state::kEveryKey), query.hides_isolated));
  if (!query.filter.empty()) sql += " AND " + compiler.condition(query.filter.front());
  sql += " ORDER BY ";
  for (const state::Sort& sort : query.sort) sql += compiler.order(sort);
  sql += "t.key COLLATE \"C\"";
  // One row more than asked for shows whether there is a next page.
  if (query.limit != 0) sql += " LIMIT " + conditions.add(static_cast<std::int64_t>(query.limit) + 1);
  if (out.token.offset > 0) sql += " OFFSET " + conditions.add(static_cast<std::int64_t>(out.token.offset));
  return out;
}

}  // namespace holdfast::stores::postgresql
