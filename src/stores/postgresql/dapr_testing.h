// Databases of their own for the tests of this folder, and Dapr by hand on them.
#pragma once

#include <fmt/format.h>

#include <array>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/encoding.h"
#include "stores/postgresql/store_testing.h"
#include "support/postgresql_servers.h"

namespace holdfast::stores::postgresql {

// One for all tests of the program; begin with HOLDFAST_NEEDS_POSTGRESQL().
inline test::PostgresqlServer& layout_server() {
  static test::PostgresqlServer server;
  return server;
}

// Empty, and owned by user "app".
class Database {
 public:
  explicit Database(std::string_view options = "") {
    static int made = 0;
    name_ = "layout_" + std::to_string(++made);
    layout_server().must(fmt::format("CREATE DATABASE {} OWNER {} {}", name_, test::PostgresqlServer::kUser, options));
  }
  ~Database() {
    try {
      layout_server().must("DROP DATABASE " + name_ + " WITH (FORCE)");
    } catch (const std::exception&) {  // it goes with the server
    }
  }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  const std::string& name() const { return name_; }
  // For libpq, which takes the last of two words with one name.
  std::string address() const { return layout_server().connection_string() + " dbname=" + name_; }
  test::PostgresqlClient client() const { return test::PostgresqlClient(address()); }
  test::PostgresqlClient superuser() const {
    return test::PostgresqlClient(layout_server().superuser_connection_string() + " dbname=" + name_);
  }
  // Of a component: what has expired stays until a test takes it away.
  Fields fields(const Fields& more = {}) const {
    Fields all{
        {"connectionString", layout_server().connection_string()}, {"database", name_}, {"cleanupInterval", "-1"}};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

 private:
  std::string name_;
};

// What daprd says to PostgreSQL, with its layout of `layout`, in the table that it keeps its records in.
class Dapr {
 public:
  Dapr(const Database& database, Layout layout, std::string prefix = "")
      : layout_(layout), prefix_(std::move(prefix)), client_(database.client()), lock_(database.client()) {}

  static int levels(Layout layout) { return layout == Layout::v1 ? 3 : 2; }
  int levels() const { return levels(layout_); }
  std::string migrations_row() const { return is_v1() ? "migrations" : "migrations-state-v2-" + prefix_; }

  // Its Init: migrations run beside the transaction that has the lock. An earlier version knows fewer levels.
  void init(int level) {
    lock();
    migrate(level);
    unlock();
  }
  void init() { init(levels()); }
  void lock() {
    lock_.query("CREATE TABLE IF NOT EXISTS dapr_metadata (key text NOT NULL PRIMARY KEY, value text NOT NULL)");
    lock_.query("INSERT INTO dapr_metadata (key, value) VALUES ($1, 'lock') ON CONFLICT (key) DO NOTHING", {"lock"});
    lock_.query("BEGIN");
    lock_.query("SELECT value FROM dapr_metadata WHERE key = $1 FOR UPDATE", {"lock"});
  }
  void migrate(int level) {
    const std::string at = client_.value("SELECT value FROM dapr_metadata WHERE key = '" + migrations_row() + "'");
    for (int next = at.empty() ? 1 : std::stoi(at) + 1; next <= level; ++next) {
      if (next == levels()) {
        add_row_id();
      } else {
        client_.query(sql(migrations()[static_cast<std::size_t>(next - 1)]));
      }
      client_.query("INSERT INTO dapr_metadata (key, value) VALUES ('" + migrations_row() +
                        "', $1) ON CONFLICT (key) DO UPDATE SET value = $1",
                    {std::to_string(next)});
    }
  }
  void unlock() { lock_.query("ROLLBACK"); }

  struct Value {
    std::string text;
    bool is_bytes = false;
  };
  static Value json(std::string text) { return {std::move(text), false}; }
  static Value bytes(std::string text) { return {std::move(text), true}; }

  // Each: how many rows were touched.
  std::size_t save(const std::string& key, const Value& value, int ttl = 0) { return upsert(key, value, ttl, ""); }
  std::size_t first_write(const std::string& key, const Value& value) {
    return upsert(key, value, 0, sql(" WHERE (t.{expires} IS NOT NULL AND t.{expires} < {now})"));
  }
  std::size_t update(const std::string& key, const Value& value, const std::string& etag, int ttl = 0) {
    const test::Row parameters = parameters_of(key, value, etag);
    return touched("UPDATE {table} SET " + assignments("$2", "$3", ttl) +
                       (is_v1() ? " WHERE key = $1 AND xmin = $4 AND (expiredate IS NULL OR expiredate > {now})"
                                : " WHERE key = $1 AND etag = $3 AND (expires_at IS NULL OR expires_at >= {now})"),
                   parameters);
  }
  std::size_t remove(const std::string& key) { return touched("DELETE FROM {table} WHERE key = $1", {key}); }
  std::size_t remove(const std::string& key, const std::string& etag) {
    return touched("DELETE FROM {table} WHERE key = $1 AND " + std::string(is_v1() ? "$2 = xmin" : "etag = $2"),
                   {key, etag});
  }

  struct Found {
    Value value;
    std::string etag;
    std::optional<std::string> expires;
  };
  // As daprd answers its caller: `text` is what it was given, or of v1 what jsonb makes of it.
  std::optional<Found> get(const std::string& key) {
    const test::Rows rows =
        client_.query(sql("SELECT key, value, {etag} AS etag, {expires}" + std::string(is_v1() ? ", isbinary" : "") +
                          " FROM {table} WHERE key = $1 AND ({expires} IS NULL OR {expires} >= "
                          "{now})"),
                      {key});
    if (rows.empty()) return std::nullopt;
    const test::Row& row = rows.front();
    if (!is_v1()) return Found{bytes(*hex_decode(row[1]->substr(2))), *row[2], row[3]};
    if (row[4] == "f") return Found{json(*row[1]), *row[2], row[3]};
    return Found{bytes(*base64_decode(row[1]->substr(1, row[1]->size() - 2))), *row[2], row[3]};
  }
  std::string etag(const std::string& key) { return get(key).value().etag; }

  // A page of KeysLike; the number of its last row is the token.
  std::vector<std::string> keys_like(const std::string& pattern, int size, std::string& token) {
    std::vector<std::string> keys;
    for (const test::Row& row : client_.query(
             sql("SELECT key, row_id FROM {table} WHERE key LIKE $1 ESCAPE '\\' AND ({expires} IS NULL OR {expires} >= "
                 "{now}) AND row_id > $2 ORDER BY row_id ASC LIMIT $3"),
             {pattern, token, std::to_string(size)})) {
      keys.push_back(*row[0]);
      token = *row[1];
    }
    return keys;
  }
  // How many rows went; nothing where another sidecar has had its turn.
  std::optional<std::size_t> sweep(int interval_ms) {
    const std::string row = is_v1() ? "last-cleanup" : "last-cleanup-state-v2-" + prefix_;
    if (client_
            .query("INSERT INTO dapr_metadata (key, value) VALUES ('" + row +
                       "', now()::text) ON CONFLICT (key) DO UPDATE SET value = now()::text WHERE (EXTRACT('epoch' "
                       "FROM now() - dapr_metadata.value::timestamp with time zone) * 1000)::bigint > $1 RETURNING 1",
                   {std::to_string(interval_ms - 100)})
            .empty())
      return std::nullopt;
    return touched("DELETE FROM {table} WHERE {expires} IS NOT NULL AND {expires} < now()", {});
  }
  // A record is as if it had expired an hour ago; its etag changes with v1.
  void expire(const std::string& key) {
    client_.query(sql("UPDATE {table} SET {expires} = now() - interval '1 hour' WHERE key = $1"), {key});
  }

  // With {table}, {etag}, {created}, {updated} and {expires} in the words of the layout.
  test::Rows query(std::string_view text, const test::Row& parameters = {}) {
    return client_.query(sql(text), parameters);
  }
  std::string value(std::string_view text, const test::Row& parameters = {}) {
    return client_.value(sql(text), parameters);
  }

 private:
  bool is_v1() const { return layout_ == Layout::v1; }

  std::string sql(std::string_view text) const {
    return fmt::format(fmt::runtime(text), fmt::arg("table", prefix_ + "state"),
                       fmt::arg("created", is_v1() ? "insertdate" : "created_at"),
                       fmt::arg("updated", is_v1() ? "updatedate" : "updated_at"),
                       fmt::arg("expires", is_v1() ? "expiredate" : "expires_at"),
                       fmt::arg("etag", is_v1() ? "xmin" : "etag"),
                       fmt::arg("now", is_v1() ? "CURRENT_TIMESTAMP" : "now()"));
  }
  std::size_t touched(const std::string& text, const test::Row& parameters) {
    return client_.query(sql(text) + " RETURNING 1", parameters).size();
  }

  std::span<const std::string_view> migrations() const {
    static constexpr std::array<std::string_view, 2> kV1{
        "CREATE TABLE IF NOT EXISTS {table} (key text NOT NULL PRIMARY KEY, value jsonb NOT NULL, isbinary boolean NOT "
        "NULL, insertdate TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT NOW(), updatedate TIMESTAMP WITH TIME ZONE NULL)",
        "ALTER TABLE {table} ADD expiredate TIMESTAMP WITH TIME ZONE"};
    static constexpr std::array<std::string_view, 1> kV2{
        "CREATE TABLE IF NOT EXISTS {table} (key text NOT NULL PRIMARY KEY, value bytea NOT NULL, etag uuid NOT NULL "
        "DEFAULT gen_random_uuid(), created_at timestamp with time zone NOT NULL DEFAULT now(), updated_at timestamp "
        "with time zone, expires_at timestamp with time zone); CREATE INDEX ON {table} (expires_at);"};
    return is_v1() ? std::span<const std::string_view>(kV1) : kV2;
  }
  void add_row_id() {
    for (const std::string_view step :
         {"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS row_id BIGINT",
          "UPDATE {table} AS t SET row_id = n.rn FROM (SELECT key, ROW_NUMBER() OVER (ORDER BY {created}, key) AS rn "
          "FROM {table}) AS n WHERE t.key = n.key AND t.row_id IS NULL",
          "ALTER TABLE {table} ALTER COLUMN row_id SET NOT NULL",
          "ALTER TABLE {table} ALTER COLUMN row_id ADD GENERATED BY DEFAULT AS IDENTITY",
          "SELECT setval(pg_get_serial_sequence('{table}', 'row_id'), COALESCE(MAX(row_id), 0) + 1, false) FROM "
          "{table}",
          "CREATE UNIQUE INDEX IF NOT EXISTS {table}_row_id_uidx ON {table} (row_id)"})
      client_.query(sql(step));
  }

  static std::string expiry(int ttl, std::string_view now) {
    return ttl > 0 ? fmt::format("{} + interval '{} seconds'", now, ttl) : "NULL";
  }
  std::string assignments(std::string_view value, std::string_view is_binary, int ttl) const {
    if (is_v1())
      return fmt::format("value = {}, isbinary = {}, updatedate = CURRENT_TIMESTAMP, expiredate = {}", value, is_binary,
                         expiry(ttl, "CURRENT_TIMESTAMP"));
    return "value = $2, updated_at = now(), etag = gen_random_uuid(), expires_at = " + expiry(ttl, "now()");
  }
  test::Row parameters_of(const std::string& key, const Value& value, const std::string& etag = "") const {
    test::Row parameters{key};
    if (is_v1()) {
      parameters.push_back(value.is_bytes ? "\"" + base64_encode(value.text) + "\"" : value.text);
      parameters.push_back(value.is_bytes ? "true" : "false");
    } else {
      parameters.push_back("\\x" + hex_encode(value.text));
    }
    if (!etag.empty()) parameters.push_back(etag);
    return parameters;
  }
  std::size_t upsert(const std::string& key, const Value& value, int ttl, const std::string& where) {
    const std::string insert =
        is_v1() ? "(key, value, isbinary, expiredate) VALUES ($1, $2, $3, " + expiry(ttl, "CURRENT_TIMESTAMP") + ")"
                : "(key, value, etag, expires_at) VALUES ($1, $2, gen_random_uuid(), " + expiry(ttl, "now()") + ")";
    return touched("INSERT INTO {table} AS t " + insert + " ON CONFLICT (key) DO UPDATE SET " +
                       assignments("excluded.value", "excluded.isbinary", ttl) + where,
                   parameters_of(key, value));
  }

  const Layout layout_;
  const std::string prefix_;
  test::PostgresqlClient client_;
  test::PostgresqlClient lock_;
};

}  // namespace holdfast::stores::postgresql
