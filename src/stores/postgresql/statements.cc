#include "stores/postgresql/statements.h"

#include <fmt/format.h>

namespace holdfast::stores::postgresql {

using Kind = state::Precondition::Kind;

bool is_unmet(const Refusal& refusal) { return refusal.is("22012"); }

const Statement& Statements::of(const std::string& sql) {
  auto& statement = by_text_[sql];
  if (statement == nullptr) statement = std::make_unique<Statement>(Statement{by_text_.size() - 1, sql});
  return *statement;
}

// etag, whether it is JSON, expiry, value; created, modified, createdBy, modifiedBy, content type, tags, indexes.
std::string Statements::columns(Shape shape) const {
  const Dialect& d = dialect_;
  const std::string believed = fmt::format("t.holdfast_etag = t.{}", d.etag);
  std::string columns = d.etag_text() + ", ";
  columns += d.is_v2 ? fmt::format("CASE WHEN {} THEN t.holdfast_json ELSE {} END", believed, shape.daprs_may_be_json)
                     : "NOT t.isbinary";
  columns += fmt::format(", t.{}, ", d.expires);
  // jsonb holds bytes as a string of base64.
  if (!shape.want_value)
    columns += "NULL::text";
  else
    columns += d.is_v2 ? "t.value" : "CASE WHEN t.isbinary THEN t.value #>> '{}' ELSE t.value::text END";
  if (!shape.want_fields) return columns;
  columns += fmt::format(", t.{0}, coalesce(t.{1}, t.{0})", d.created, d.updated);
  for (const std::string_view own : {"created_by", "modified_by", "content_type", "tags", "indexes"})
    columns += fmt::format(", CASE WHEN {} THEN t.holdfast_{} END", believed, own);
  return columns;
}

const Statement& Statements::get(Shape shape) {
  const Statement*& known = gets_[shape.want_value][shape.want_fields];
  if (known == nullptr)
    known = &of(fmt::format("SELECT {} FROM {} t WHERE t.key = $1::text AND {}", columns(shape), dialect_.table,
                            dialect_.live()));
  return *known;
}

const Statement& Statements::get_many(Shape shape) {
  const Statement*& known = gets_many_[shape.want_value][shape.want_fields];
  if (known == nullptr)
    known = &of(fmt::format("SELECT t.key, {} FROM {} t WHERE t.key = ANY($1::text[]) AND {}", columns(shape),
                            dialect_.table, dialect_.live()));
  return *known;
}

std::string Statements::condition(Kind when, int etags_at) const {
  if (when == Kind::any) return "";
  std::string sql = " AND " + dialect_.live();
  if (when == Kind::one_of) sql += fmt::format(" AND {} = ANY(${}::text[])", dialect_.etag_text(), etags_at);
  return sql;
}

// A record that has expired is overwritten as if it were not there: its history begins anew. Where `updated` is null
// afterwards, the record was created. `together`: each parameter is an array, and its elements are those of one save.
std::string Statements::set_sql(Kind when, bool together) const {
  const Dialect& d = dialect_;
  const bool is_update = when == Kind::present || when == Kind::one_of;
  const std::string live = d.live();
  const auto parameter = [together](int number, std::string_view type) {
    return together ? fmt::format("u.p{}::{}", number, type) : fmt::format("${}::{}", number, type);
  };
  // A column, what a new row gets, and what one that was there gets. An update knows no `excluded`, and only the
  // statement for many has to: what a row brings has no other name there.
  std::string columns = "key";
  std::string values = parameter(1, "text");
  std::string sets;
  const auto give = [&](std::string_view column, std::string_view value, std::string_view otherwise = {}) {
    columns += fmt::format(", {}", column);
    values += fmt::format(", {}", value);
    const std::string brought = together ? fmt::format("excluded.{}", column) : std::string(value);
    sets += fmt::format("{}{} = ", sets.empty() ? "" : ", ", column);
    sets += otherwise.empty() ? brought : fmt::format(fmt::runtime(otherwise), fmt::arg("brought", brought));
  };
  // Of v2 $3 is the etag and $11 whether it is JSON; of v1 $3 is whether it is not, and of a counter $11 where it
  // begins.
  std::string etag = parameter(3, "text::uuid");
  std::string next_etag;
  if (d.etags == Dialect::Etag::transaction) etag = next_etag = "pg_current_xact_id()::xid";
  if (d.etags == Dialect::Etag::counter) etag = parameter(11, "bigint"), next_etag = "t.etag + 1";
  give("value", parameter(2, d.is_v2 ? "bytea" : "text::jsonb"));
  if (d.is_v2) give("holdfast_json", parameter(11, "boolean"));
  if (!d.is_v2) give("isbinary", parameter(3, "boolean"));
  if (d.etags != Dialect::Etag::transaction) give("etag", etag, next_etag);
  const std::string kept = together ? std::string("{brought}")
                                    : fmt::format("CASE WHEN {} AND {} THEN t.{} ELSE {{brought}} END",
                                                  parameter(5, "boolean"), live, d.expires);
  give(d.expires, fmt::format("now() + {} * interval '1 millisecond'", parameter(4, "bigint")), kept);
  give("holdfast_created_by", parameter(6, "text"),
       fmt::format("CASE WHEN {} AND t.holdfast_etag = t.{} THEN t.holdfast_created_by ELSE {{brought}} END", live,
                   d.etag));
  give("holdfast_modified_by", parameter(7, "text"));
  give("holdfast_content_type", parameter(8, "text"));
  give("holdfast_tags", parameter(9, "text"));
  give("holdfast_indexes", parameter(10, "text"));
  give("holdfast_etag", etag, next_etag);
  sets += fmt::format(", {0} = CASE WHEN {2} THEN t.{0} ELSE now() END, {1} = CASE WHEN {2} THEN now() END", d.created,
                      d.updated, live);
  const int last = d.etags == Dialect::Etag::transaction ? 10 : 11;
  std::string sql;
  if (is_update) {
    sql = fmt::format("UPDATE {} AS t SET {} WHERE t.key = $1::text{}", d.table, sets, condition(when, last + 1));
    // Every parameter has to be somewhere.
    if (d.etags == Dialect::Etag::counter) sql += " AND $11::bigint IS NOT NULL";
  } else {
    std::string source = fmt::format("VALUES ({})", values);
    if (together) {
      std::string arrays;
      std::string names;
      for (int number = 1; number <= last; ++number) {
        const std::string_view comma = number > 1 ? ", " : "";
        arrays += fmt::format("{}${}::{}[]", comma, number, number == 2 && d.is_v2 ? "bytea" : "text");
        names += fmt::format("{}p{}", comma, number);
      }
      source = fmt::format("SELECT {} FROM unnest({}) AS u({})", values, arrays, names);
    }
    sql = fmt::format("INSERT INTO {} AS t ({}) {} ON CONFLICT (key) DO UPDATE SET {}", d.table, columns, source, sets);
    if (when == Kind::absent) sql += " WHERE NOT " + live;
  }
  return sql + fmt::format(
                   " RETURNING {4}{0} AS etag, t.{1} IS NULL AS created, t.{2} AS expires, t.{3} AS created_at, "
                   "coalesce(t.{1}, t.{3}) AS modified_at, t.holdfast_created_by AS created_by",
                   d.etag_text(), d.updated, d.expires, d.created, together ? "t.key, " : "");
}

std::string Statements::guarded(std::string sql, Guard guard) const {
  if (guard == Guard::none) return sql;
  return fmt::format(
      "WITH w AS ({}) SELECT w.*, 1 / (SELECT count(*) FROM w) FROM (SELECT 1 AS one) o LEFT JOIN w ON true", sql);
}

const Statement& Statements::set(Kind when, Guard guard) {
  const Statement*& known = sets_[static_cast<std::size_t>(when)][static_cast<std::size_t>(guard)];
  if (known == nullptr) known = &of(guarded(set_sql(when, false), guard));
  return *known;
}

const Statement& Statements::set_together(Kind when) {
  const Statement*& known = sets_together_[when == Kind::absent];
  if (known == nullptr) known = &of(set_sql(when, true));
  return *known;
}

const Statement& Statements::erase(Kind when, Guard guard) {
  const Statement*& known = erases_[static_cast<std::size_t>(when)][static_cast<std::size_t>(guard)];
  if (known == nullptr)
    known = &of(guarded(fmt::format("DELETE FROM {} t WHERE t.key = $1::text{} RETURNING {} AS existed", dialect_.table,
                                    condition(when, 2), dialect_.live()),
                        guard));
  return *known;
}

const Statement& Statements::check(Kind when) {
  return of(guarded(fmt::format("SELECT true AS existed FROM {} t WHERE t.key = $1::text{} FOR UPDATE", dialect_.table,
                                condition(when, 2)),
                    Guard::fails));
}

// A row that has expired long ago, which only this transaction ever sees as one: it writes it, or lets it go.
std::string Statements::hold_sql() const {
  const Dialect& d = dialect_;
  std::string columns;
  std::string values;
  if (!d.is_v2) columns = "isbinary, ", values = "false, ";
  if (d.etags == Dialect::Etag::counter) columns += "etag, ", values += "floor(random() * 2000000000)::bigint, ";
  return fmt::format(
      "INSERT INTO {} AS t (key, value, {}{}) VALUES ($1::text, {}, {}'-infinity') ON CONFLICT (key) DO UPDATE SET "
      "key = excluded.key",
      d.table, columns, d.expires, d.is_v2 ? "''" : "'null'", values);
}

const Statement& Statements::hold() {
  return of(
      guarded(fmt::format("{} WHERE NOT {} RETURNING false AS existed", hold_sql(), dialect_.live()), Guard::fails));
}

// A row that is there is locked and stays as it is: a conflicting row is locked before the condition is looked at.
const Statement& Statements::lock() { return of(hold_sql() + " WHERE false"); }

const Statement& Statements::let_go() {
  return of(
      fmt::format("DELETE FROM {} t WHERE t.key = $1::text AND t.{} = '-infinity'", dialect_.table, dialect_.expires));
}

const Statement& Statements::forget_entries() {
  return of(fmt::format("DELETE FROM {} WHERE key = $1::text", dialect_.index));
}

const Statement& Statements::add_entries() {
  const Dialect& d = dialect_;
  std::string etag = "$4::text::uuid";
  if (d.etags == Dialect::Etag::transaction) etag = "pg_current_xact_id()::xid";
  if (d.etags == Dialect::Etag::counter)
    etag = fmt::format("(SELECT t.etag FROM {} t WHERE t.key = $1::text)", d.table);
  return of(
      fmt::format("INSERT INTO {} AS i (name, value, key, etag) SELECT e.name, e.value, $1::text, {} FROM (SELECT "
                  "unnest($2::text[]) AS name, unnest($3::text[]) AS value) e ON CONFLICT (name, value, key) DO UPDATE "
                  "SET etag = excluded.etag",
                  d.index, etag));
}

const Statement& Statements::set_synchronous_commit() {
  return of("SELECT set_config('synchronous_commit', $1::text, true)");
}

}  // namespace holdfast::stores::postgresql
