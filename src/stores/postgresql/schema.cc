#include "stores/postgresql/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include "base/encoding.h"
#include "base/log.h"
#include "base/number.h"
#include "stores/postgresql/dialect.h"

namespace holdfast::stores::postgresql {
namespace {

constexpr std::string_view kDoing = "prepare the tables of";
constexpr int kOldestServer = 130000;
constexpr int kOldestYugabyte = 110000;
// Two that make the same object at once, without locks that both know of.
constexpr int kTriesMax = 5;

// Dapr's columns in order; the last of v1 came with later migrations.
constexpr auto kColumnsV1 =
    std::to_array<std::string_view>({"key", "value", "isbinary", "insertdate", "updatedate", "expiredate", "row_id"});
constexpr auto kColumnsV2 =
    std::to_array<std::string_view>({"key", "value", "etag", "created_at", "updated_at", "expires_at", "row_id"});
constexpr std::size_t kFirstColumnsV1 = 5;
constexpr std::size_t kFirstColumnsV2 = 6;

constexpr auto kOwnColumns =
    std::to_array<std::string_view>({"holdfast_etag", "holdfast_created_by", "holdfast_modified_by",
                                     "holdfast_content_type", "holdfast_tags", "holdfast_indexes"});

class Builder {
 public:
  Builder(Session& session, PostgresqlSettings& settings, SteadyTime deadline)
      : session_(session), settings_(settings), deadline_(deadline) {}

  Result<ServerFacts> look_at_server() {
    ServerFacts facts;
    facts.version = session_.server_version();
    const int oldest = settings_.engine == Engine::yugabytedb ? kOldestYugabyte : kOldestServer;
    if (facts.version < oldest)
      return fail(refusal(fmt::format("{} runs PostgreSQL {}.{}, and {} or later is needed", settings_.server,
                                      facts.version / 10000, facts.version % 10000, oldest / 10000)));
    if (settings_.engine != Engine::postgresql) {
      // A commit of theirs is on a majority's disks.
      facts.is_durable = true;
      return facts;
    }
    auto rows =
        session_.run(kDoing,
                     "SELECT current_setting('server_encoding'), current_setting('fsync') = 'on' AND "
                     "current_setting('synchronous_commit') <> 'off', "
                     "current_setting('synchronous_standby_names'), (SELECT count(*) FROM pg_stat_replication), "
                     "current_setting('synchronous_commit') NOT IN ('off', 'local')",
                     deadline_);
    if (!rows) return fail(std::move(rows.error()));
    if (const std::string_view encoding = rows->text(0, 0); encoding != "UTF8")
      return fail(refusal(fmt::format("the encoding of database {} is {}, not UTF8", settings_.server, encoding)));
    facts.is_durable = rows->boolean(0, 1);
    facts.standbys = SynchronousStandbys::parse(rows->text(0, 2));
    facts.connected_standbys = static_cast<std::uint32_t>(rows->integer(0, 3));
    facts.waits_for_standbys = rows->boolean(0, 4);
    return facts;
  }

  // Dapr's course writes tablePrefix with v1, where Dapr passes over it.
  Status choose_table() {
    if (!settings_.falls_back_to_state) return {};
    auto named = columns_of(settings_.table);
    if (!named) return fail(std::move(named.error()));
    const TableName daprs{.schema = {}, .table = "state"};
    auto there = columns_of(daprs);
    if (!there) return fail(std::move(there.error()));
    if (!named->empty() || !is_daprs(*there)) return {};
    log::warn(
        "holdfast.postgresql",
        "{}: tablePrefix asks for table {}, which is not there; table \"state\" is used, which holds Dapr's rows: "
        "Dapr passes over tablePrefix with version v1",
        settings_.place().text(), settings_.table.quoted());
    settings_.table = daprs;
    return {};
  }

  // Whether nothing has to be made.
  Result<bool> is_complete() {
    auto columns = columns_of(settings_.table);
    if (!columns) return fail(std::move(columns.error()));
    if (!columns->empty() && !is_daprs(*columns)) return fail(somebody_elses(settings_.table));
    has_rows_without_id_ = !columns->empty() && !columns->contains("row_id");
    auto index = columns_of({settings_.table.schema, settings_.table.table + "_holdfast_index"});
    if (!index) return fail(std::move(index.error()));
    auto level = migration_level();
    if (!level) return fail(std::move(level.error()));
    const auto has = [&](std::string_view name) { return columns->contains(std::string(name)); };
    return *level >= last_level() && std::ranges::all_of(daprs_columns(), has) &&
           std::ranges::all_of(kOwnColumns, has) && (settings_.layout == Layout::v1 || has("holdfast_json")) &&
           !index->empty();
  }

  Status make() {
    Status made;
    for (int tries = 0; tries < kTriesMax; ++tries) {
      made = make_once();
      const Refusal& refused = session_.refusal();
      const bool others_made_it = refused.is("23505") || refused.is("42P07") || refused.is("42710");
      if (made || !(others_made_it || is_worth_repeating(refused))) return made;
    }
    return made;
  }

 private:
  using Columns = std::set<std::string, std::less<>>;

  Error refusal(std::string why) const {
    return {Errc::invalid_argument, fmt::format("{}: {}", settings_.place().text(), why)};
  }
  Error somebody_elses(const TableName& table) const {
    return refusal(
        fmt::format("table {} of {} belongs to something else: it lacks columns of Dapr's. Name another table",
                    table.quoted(), settings_.server));
  }

  Status run(const std::string& sql) {
    auto rows = session_.run(kDoing, sql, deadline_);
    if (!rows) return fail(std::move(rows.error()));
    return {};
  }

  bool counts_versions() const { return settings_.layout == Layout::v1 && settings_.engine == Engine::cockroachdb; }

  std::span<const std::string_view> daprs_columns() const {
    return settings_.layout == Layout::v1 ? std::span<const std::string_view>(kColumnsV1) : kColumnsV2;
  }
  bool is_daprs(const Columns& columns) const {
    const auto first = daprs_columns().first(settings_.layout == Layout::v1 ? kFirstColumnsV1 : kFirstColumnsV2);
    return std::ranges::all_of(first, [&](std::string_view name) { return columns.contains(name); }) &&
           (!counts_versions() || columns.contains("etag"));
  }
  // Dapr's store of CockroachDB v1 keeps no level.
  int last_level() const { return settings_.layout == Layout::v2 ? 2 : counts_versions() ? 0 : 3; }

  // Empty where there is no such table.
  Result<Columns> columns_of(const TableName& table) {
    Values values;
    const std::string name = table.quoted();
    values.text(name);
    auto rows = session_.run(kDoing,
                             "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass($1::text) AND "
                             "attnum > 0 AND NOT attisdropped",
                             values, deadline_);
    if (!rows) return fail(std::move(rows.error()));
    Columns columns;
    for (int row = 0; row < rows->size(); ++row) columns.emplace(rows->text(row, 0));
    return columns;
  }

  // How many of Dapr's migrations were applied. A level that is higher than we know is left alone, as Dapr does.
  Result<int> migration_level() {
    auto there = columns_of(settings_.metadata_table);
    if (!there) return fail(std::move(there.error()));
    if (there->empty()) return 0;
    if (!there->contains("key") || !there->contains("value")) return fail(somebody_elses(settings_.metadata_table));
    Values values;
    values.text(settings_.migrations_row);
    auto rows = session_.run(kDoing, "SELECT value FROM " + settings_.metadata_table.quoted() + " WHERE key = $1::text",
                             values, deadline_);
    if (!rows) return fail(std::move(rows.error()));
    int level = 0;
    if (rows->size() == 0 || (read_number(rows->text(0, 0), level) && level >= 0)) return level;
    return fail(
        refusal(fmt::format("the row \"{}\" of table {} is no number of migrations; set it to {} if the tables "
                            "are Dapr's",
                            settings_.migrations_row, settings_.metadata_table.quoted(), last_level())));
  }

  // Everything under the lock that Dapr's sidecars take too. CockroachDB changes schemas outside of transactions: there
  // each step says what it does where somebody was quicker.
  Status make_once() {
    const std::string metadata = settings_.metadata_table.quoted();
    Status made =
        run("CREATE TABLE IF NOT EXISTS " + metadata + " (key text NOT NULL PRIMARY KEY, value text NOT NULL)");
    if (settings_.engine == Engine::cockroachdb) {
      if (made) made = make_tables();
      if (made) made = set_level();
      return made;
    }
    if (made)
      made = run("INSERT INTO " + metadata + " (key, value) VALUES ('lock', 'lock') ON CONFLICT (key) DO NOTHING");
    // Whatever the server's default is: what others have done meanwhile shows once the lock is had.
    if (made) made = run("BEGIN ISOLATION LEVEL READ COMMITTED");
    if (!made) return made;
    made = run("SELECT value FROM " + metadata + " WHERE key = 'lock' FOR UPDATE");
    if (made) made = make_tables();
    if (made) made = set_level();
    if (made) made = run("COMMIT");
    if (!made) {
      const Refusal refused = session_.refusal();
      (void)run("ROLLBACK");
      session_.set_refusal(refused);
    }
    return made;
  }

  Status make_tables() {
    auto complete = is_complete();  // another sidecar may have been quicker
    if (!complete) return fail(std::move(complete.error()));
    if (*complete) return {};
    Status made = counts_versions() ? make_counted() : settings_.layout == Layout::v1 ? make_v1() : make_v2();
    if (made && !counts_versions()) made = make_row_id();
    if (made) made = make_own();
    return made;
  }

  Status make_v1() {
    const std::string table = settings_.table.quoted();
    Status made = run("CREATE TABLE IF NOT EXISTS " + table +
                      " (key text NOT NULL PRIMARY KEY, value jsonb NOT NULL, isbinary boolean NOT NULL, insertdate "
                      "timestamp with time zone NOT NULL DEFAULT now(), updatedate timestamp with time zone NULL)");
    if (made) made = run("ALTER TABLE " + table + " ADD COLUMN IF NOT EXISTS expiredate timestamp with time zone");
    return made;
  }

  // CockroachDB's v1.
  Status make_counted() {
    const std::string table = settings_.table.quoted();
    Status made = run("CREATE TABLE IF NOT EXISTS " + table +
                      " (key text NOT NULL PRIMARY KEY, value jsonb NOT NULL, isbinary boolean NOT NULL, etag bigint, "
                      "insertdate timestamp with time zone NOT NULL DEFAULT now(), updatedate timestamp with time zone "
                      "NULL, expiredate timestamp with time zone NULL, row_id bigint NOT NULL DEFAULT unique_rowid())");
    if (made) made = run("ALTER TABLE " + table + " ADD COLUMN IF NOT EXISTS expiredate timestamp with time zone");
    if (made)
      made = run("ALTER TABLE " + table + " ADD COLUMN IF NOT EXISTS row_id bigint NOT NULL DEFAULT unique_rowid()");
    if (made) made = run(index("UNIQUE ", "_row_id_uidx", "row_id", ""));
    if (made) made = run(index("", "_expiredate_idx", "expiredate", ""));
    return made;
  }

  Status make_v2() {
    const std::string table = settings_.table.quoted();
    auto there = columns_of(settings_.table);
    if (!there) return fail(std::move(there.error()));
    if (!there->empty()) return {};
    Status made = run("CREATE TABLE " + table +
                      " (key text NOT NULL PRIMARY KEY, value bytea NOT NULL, etag uuid NOT NULL DEFAULT "
                      "gen_random_uuid(), created_at timestamp with time zone NOT NULL DEFAULT now(), updated_at "
                      "timestamp with time zone NULL, expires_at timestamp with time zone NULL)");
    if (made) made = run("CREATE INDEX ON " + table + " (expires_at)");
    return made;
  }

  // Numbered as the rows came, as Dapr does it.
  Status make_row_id() {
    const std::string table = settings_.table.quoted();
    Status made;
    if (has_rows_without_id_) {
      const std::string_view since = settings_.layout == Layout::v1 ? "insertdate" : "created_at";
      made = run(fmt::format("ALTER TABLE {} ADD COLUMN IF NOT EXISTS row_id bigint", table));
      if (made)
        made =
            run(fmt::format("UPDATE {0} AS t SET row_id = n.number FROM (SELECT key, row_number() OVER (ORDER BY {1}, "
                            "key) AS number FROM {0}) AS n WHERE t.key = n.key",
                            table, since));
      if (made)
        made =
            run(fmt::format("ALTER TABLE {} ALTER COLUMN row_id SET NOT NULL, ALTER COLUMN row_id ADD GENERATED BY "
                            "DEFAULT AS IDENTITY",
                            table));
      if (made)
        made =
            run(fmt::format("SELECT setval(pg_get_serial_sequence('{0}', 'row_id'), coalesce(max(row_id), 0) + 1, "
                            "false) FROM {0}",
                            table));
    } else {
      made = run("ALTER TABLE " + table +
                 " ADD COLUMN IF NOT EXISTS row_id bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL");
    }
    if (made) made = run(index("UNIQUE ", "_row_id_uidx", "row_id", ""));
    return made;
  }

  std::string index(std::string_view kind, std::string_view suffix, std::string_view of, std::string_view where) const {
    return fmt::format("CREATE {}INDEX IF NOT EXISTS \"{}{}\" ON {} ({}){}", kind, settings_.table.table, suffix,
                       settings_.table.quoted(), of, where);
  }

  Status make_own() {
    const Dialect dialect(settings_);
    std::string columns =
        fmt::format("ALTER TABLE {} ADD COLUMN IF NOT EXISTS holdfast_etag {}", dialect.table, dialect.etag_type);
    for (const std::string_view name : std::span(kOwnColumns).subspan(1))
      columns += fmt::format(", ADD COLUMN IF NOT EXISTS {} text", name);
    if (dialect.is_v2) columns += ", ADD COLUMN IF NOT EXISTS holdfast_json boolean";
    Status made = run(columns);
    // Where text is in the order of its bytes anyhow, the primary key is that index.
    if (made && !dialect.bytewise.empty())
      made = run(index("", "_holdfast_key", fmt::format("key{}", dialect.bytewise), ""));
    if (made && !dialect.is_v2 && !counts_versions())
      made = run(index("", "_holdfast_expiry", "expiredate", " WHERE expiredate IS NOT NULL"));
    if (made)
      made = run(
          fmt::format("CREATE TABLE IF NOT EXISTS {0} (name text{2} NOT NULL, value text{2} NOT NULL, key text{2} NOT "
                      "NULL, etag {1} NOT NULL, PRIMARY KEY (name, value, key))",
                      dialect.index, dialect.etag_type, dialect.bytewise));
    if (made)
      made = run(fmt::format("CREATE INDEX IF NOT EXISTS \"{}_holdfast_index_key\" ON {} (key)", settings_.table.table,
                             dialect.index));
    return made;
  }

  Status set_level() {
    auto level = migration_level();
    if (!level) return fail(std::move(level.error()));
    if (*level >= last_level()) return {};
    const std::string text = std::to_string(last_level());
    Values values;
    values.text(settings_.migrations_row).text(text);
    auto rows = session_.run(kDoing,
                             "INSERT INTO " + settings_.metadata_table.quoted() +
                                 " (key, value) VALUES ($1::text, $2::text) ON CONFLICT (key) DO UPDATE SET value = "
                                 "excluded.value",
                             values, deadline_);
    if (!rows) return fail(std::move(rows.error()));
    return {};
  }

  Session& session_;
  PostgresqlSettings& settings_;
  const SteadyTime deadline_;
  bool has_rows_without_id_ = false;  // a table of an earlier Dapr
};

}  // namespace

Result<ServerFacts> prepare_database(Session& session, PostgresqlSettings& settings, bool only_look,
                                     SteadyTime deadline) {
  Builder builder(session, settings, deadline);
  auto facts = builder.look_at_server();
  if (!facts) return facts;
  if (auto chosen = builder.choose_table(); !chosen) return fail(std::move(chosen.error()));
  auto complete = builder.is_complete();
  if (!complete) return fail(std::move(complete.error()));
  if (*complete) return facts;
  if (only_look)
    return fail(Errc::not_found, fmt::format("{}: {} does not have all tables of the store yet; they are made when it "
                                             "is opened",
                                             settings.place().text(), settings.server));
  if (auto made = builder.make(); !made) return fail(std::move(made.error()));
  return facts;
}

}  // namespace holdfast::stores::postgresql
