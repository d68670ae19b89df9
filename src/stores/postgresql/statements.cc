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
  return of(fmt::format("SELECT t.key, {} FROM {} t WHERE t.key = ANY($1::text[]) AND {}", columns(shape),
                        dialect_.table, dialect_.live()));
}

std::string Statements::condition(Kind when, int etags_at) const {
  if (when == Kind::any) return "";
  std::string sql = " AND " + dialect_.live();
  if (when == Kind::one_of) sql += fmt::format(" AND {} = ANY(${}::text[])", dialect_.etag_text(), etags_at);
  return sql;
}

// A record that has expired is overwritten as if it were not there: its history begins anew. Where `updated` is null
// afterwards, the record was created.
std::string Statements::set_sql(Kind when) const {
  const Dialect& d = dialect_;
  const bool is_update = when == Kind::present || when == Kind::one_of;
  const std::string until = "now() + $4::bigint * interval '1 millisecond'";
  const std::string live = d.live();
  // Of v2 $3 is the etag and $11 whether it is JSON; of v1 $3 is whether it is not, and of a counter $11 where it
  // begins.
  const std::string value = d.is_v2 ? "$2::bytea" : "$2::text::jsonb";
  std::string first_etag = "$3::text::uuid";
  std::string next_etag = first_etag;
  if (d.etags == Dialect::Etag::transaction) first_etag = next_etag = "pg_current_xact_id()::xid";
  if (d.etags == Dialect::Etag::counter) first_etag = "$11::bigint", next_etag = "t.etag + 1";
  std::string own_columns = d.is_v2 ? "etag, holdfast_json" : "isbinary";
  std::string own_values = d.is_v2 ? first_etag + ", $11::boolean" : "$3::boolean";
  std::string own_sets =
      d.is_v2 ? fmt::format("etag = {}, holdfast_json = $11::boolean", next_etag) : "isbinary = $3::boolean";
  if (d.etags == Dialect::Etag::counter) {
    own_columns += ", etag";
    own_values += ", " + first_etag;
    own_sets += ", etag = " + next_etag;
  }
  const std::string sets = fmt::format(
      "value = {value}, {own_sets}, {created} = CASE WHEN {live} THEN t.{created} ELSE now() END, "
      "{updated} = CASE WHEN {live} THEN now() END, "
      "{expires} = CASE WHEN $5::boolean AND {live} THEN t.{expires} ELSE {until} END, "
      "holdfast_created_by = CASE WHEN {live} AND t.holdfast_etag = t.{etag} THEN t.holdfast_created_by "
      "ELSE $6::text END, holdfast_modified_by = $7::text, holdfast_content_type = $8::text, holdfast_tags = $9::text, "
      "holdfast_indexes = $10::text, holdfast_etag = {next_etag}",
      fmt::arg("value", value), fmt::arg("own_sets", own_sets), fmt::arg("created", d.created),
      fmt::arg("updated", d.updated), fmt::arg("live", live), fmt::arg("expires", d.expires), fmt::arg("until", until),
      fmt::arg("etag", d.etag), fmt::arg("next_etag", next_etag));
  const int last = d.etags == Dialect::Etag::transaction ? 10 : 11;
  std::string sql;
  if (is_update) {
    sql = fmt::format("UPDATE {} AS t SET {} WHERE t.key = $1::text{}", d.table, sets, condition(when, last + 1));
    // Every parameter has to be somewhere.
    if (d.etags == Dialect::Etag::counter) sql += " AND $11::bigint IS NOT NULL";
  } else {
    sql = fmt::format(
        "INSERT INTO {} AS t (key, value, {}, {}, holdfast_created_by, holdfast_modified_by, holdfast_content_type, "
        "holdfast_tags, holdfast_indexes, holdfast_etag) VALUES ($1::text, {}, {}, {}, $6::text, $7::text, $8::text, "
        "$9::text, $10::text, {}) ON CONFLICT (key) DO UPDATE SET {}",
        d.table, own_columns, d.expires, value, own_values, until, first_etag, sets);
    if (when == Kind::absent) sql += " WHERE NOT " + live;
  }
  return sql + fmt::format(
                   " RETURNING {0} AS etag, t.{1} IS NULL AS created, t.{2} AS expires, t.{3} AS created_at, "
                   "coalesce(t.{1}, t.{3}) AS modified_at, t.holdfast_created_by AS created_by",
                   d.etag_text(), d.updated, d.expires, d.created);
}

std::string Statements::guarded(std::string sql, Guard guard) const {
  if (guard == Guard::none) return sql;
  return fmt::format(
      "WITH w AS ({}) SELECT w.*, 1 / (SELECT count(*) FROM w) FROM (SELECT 1 AS one) o LEFT JOIN w ON true", sql);
}

const Statement& Statements::set(Kind when, Guard guard) {
  const Statement*& known = sets_[static_cast<std::size_t>(when)][static_cast<std::size_t>(guard)];
  if (known == nullptr) known = &of(guarded(set_sql(when), guard));
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
