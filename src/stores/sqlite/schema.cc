// The layout. Dapr's tables come first and belong to Dapr: a first-write of Dapr's inserts six
// values by position, so the order and number of columns must not change, and nothing may be added
// to them.
//
//   <state>           key TEXT PK, value TEXT, is_binary BOOLEAN, etag TEXT, expiration_time
//   TIMESTAMP NULL,
//                     update_time TIMESTAMP. Times are text, UTC, whole seconds.
//   <metadata>        key, value; rows migrations = "1" and last-cleanup = a time.
//   <state>_holdfast  ours: the record fields and the exact expiry, believed only while etag equals
//   the row's. <state>_holdfast_index   ours: a row for each index entry of a record, believed only while etag equals
//   the record's. <state>_holdfast_expiry  ours: a partial index on expiration_time, so that cleaning up does not read
//   every row.
//                     SQLite keeps it whoever writes; Dapr does not notice it.
#include "stores/sqlite/schema.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "base/number.h"
#include "state/pairs.h"

namespace holdfast::stores::sqlite {
namespace {

constexpr std::string_view kStateColumns = "key*,value,is_binary,etag,expiration_time,update_time";
constexpr std::string_view kMetadataColumns = "key*,value";
constexpr std::string_view kSideColumns =
    "key*,etag,expires_ms,created_us,created_by,modified_us,modified_by,content_type,tags,indexes";
constexpr std::string_view kIndexColumns = "name*,value*,key*,etag";

// Names in order, a star after those of the primary key; empty when there is no such table.
Result<std::string> columns_of(Database& database, const std::string& table) {
  auto text =
      database.value_of(fmt::format("SELECT group_concat(lower(name) || iif(pk > 0, '*', ''), ',') FROM "
                                    "(SELECT name, pk FROM pragma_table_info('{}') ORDER BY cid)",
                                    table));
  return text;
}

// False when the table is not there yet.
Result<bool> has_table(Database& database, const std::string& table, std::string_view columns) {
  auto found = columns_of(database, table);
  if (!found) return fail(std::move(found.error()));
  if (found->empty()) return false;
  if (*found == columns) return true;
  const Place& place = database.place();
  return fail(Errc::invalid_argument,
              fmt::format("component \"{}\" (state.sqlite): table \"{}\" of {} belongs to "
                          "something else: its columns "
                          "are {}, not {}. Name other tables in tableName and metadataTableName, "
                          "or another file in "
                          "connectionString.",
                          place.component, table, place.file, *found, columns));
}

struct Found {
  bool state = false;
  bool metadata = false;
  bool side = false;
  bool index = false;
  bool can_be_read() const { return state && metadata && side; }
  bool is_complete() const { return can_be_read() && index; }
};

Result<Found> look(Database& database, const SqliteSettings& settings) {
  auto encoding = database.value_of("PRAGMA encoding");
  if (!encoding) return fail(std::move(encoding.error()));
  auto state = has_table(database, settings.table, kStateColumns);
  if (!state) return fail(std::move(state.error()));
  auto metadata = has_table(database, settings.metadata_table, kMetadataColumns);
  if (!metadata) return fail(std::move(metadata.error()));
  auto side = has_table(database, settings.side_table(), kSideColumns);
  if (!side) return fail(std::move(side.error()));
  auto index = has_table(database, settings.index_table(), kIndexColumns);
  if (!index) return fail(std::move(index.error()));
  if (*encoding != "UTF-8")
    return fail(Errc::invalid_argument,
                fmt::format("component \"{}\" (state.sqlite): the text of {} is {}, not UTF-8, so "
                            "its keys would have "
                            "another order. Name another file in connectionString.",
                            database.place().component, database.place().file, *encoding));
  return Found{*state, *metadata, *side, *index};
}

// Dapr's level: how many of its migrations were applied. A higher one than we know is left alone,
// as Dapr does.
Result<int> migration_level(Database& database, const SqliteSettings& settings) {
  auto text =
      database.value_of(fmt::format("SELECT value FROM \"{}\" WHERE key = 'migrations'", settings.metadata_table));
  if (!text) return fail(std::move(text.error()));
  if (text->empty()) return 0;
  int level = 0;
  if (!read_number(*text, level) || level < 0)
    return fail(Errc::invalid_argument,
                fmt::format("component \"{}\" (state.sqlite): invalid migration level in table \"{}\" of "
                            "{}. Set the "
                            "row \"migrations\" to 1 if the tables are Dapr's.",
                            database.place().component, settings.metadata_table, database.place().file));
  return level;
}

Status run(Database& database, const std::string& sql) {
  if (const int code = database.execute(sql); code != SQLITE_OK)
    return fail(database.error("prepare the tables of", code));
  return {};
}

Status make_dapr_tables(Database& database, const SqliteSettings& settings) {
  if (auto made = run(database, fmt::format("CREATE TABLE IF NOT EXISTS \"{}\" (\n"
                                            "  key TEXT NOT NULL PRIMARY KEY,\n"
                                            "  value TEXT NOT NULL\n"
                                            ")",
                                            settings.metadata_table));
      !made)
    return made;
  auto level = migration_level(database, settings);
  if (!level) return fail(std::move(level.error()));
  // Whatever the level says: it belongs to the metadata table, which several state tables may
  // share.
  if (auto made = run(database, fmt::format("CREATE TABLE IF NOT EXISTS \"{}\" (\n"
                                            "  key TEXT NOT NULL PRIMARY KEY,\n"
                                            "  value TEXT NOT NULL,\n"
                                            "  is_binary BOOLEAN NOT NULL,\n"
                                            "  etag TEXT NOT NULL,\n"
                                            "  expiration_time TIMESTAMP DEFAULT NULL,\n"
                                            "  update_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP\n"
                                            ")",
                                            settings.table));
      !made)
    return made;
  if (*level > 0) return {};
  return run(database,
             fmt::format("REPLACE INTO \"{}\" (key, value) VALUES ('migrations', '1')", settings.metadata_table));
}

Status make_own_tables(Database& database, const SqliteSettings& settings) {
  if (auto made = run(database, fmt::format("CREATE TABLE IF NOT EXISTS \"{}\" (\n"
                                            "  key TEXT NOT NULL PRIMARY KEY,\n"
                                            "  etag TEXT NOT NULL,\n"
                                            "  expires_ms INTEGER,\n"
                                            "  created_us INTEGER NOT NULL,\n"
                                            "  created_by TEXT NOT NULL,\n"
                                            "  modified_us INTEGER NOT NULL,\n"
                                            "  modified_by TEXT NOT NULL,\n"
                                            "  content_type TEXT,\n"
                                            "  tags TEXT,\n"
                                            "  indexes TEXT\n"
                                            ") WITHOUT ROWID",
                                            settings.side_table()));
      !made)
    return made;
  if (auto made = run(database, fmt::format("CREATE TABLE IF NOT EXISTS \"{0}\" (\n"
                                            "  name TEXT NOT NULL,\n"
                                            "  value TEXT NOT NULL,\n"
                                            "  key TEXT NOT NULL,\n"
                                            "  etag TEXT NOT NULL,\n"
                                            "  PRIMARY KEY (name, value, key)\n"
                                            ") WITHOUT ROWID;\n"
                                            "CREATE INDEX IF NOT EXISTS \"{0}_key\" ON \"{0}\" (key)",
                                            settings.index_table()));
      !made)
    return made;
  return run(database, fmt::format("CREATE INDEX IF NOT EXISTS \"{0}_holdfast_expiry\" ON \"{0}\" (expiration_time) "
                                   "WHERE expiration_time IS NOT NULL",
                                   settings.table));
}

// Records of a version that kept entries and had no index.
Status fill_index(Database& database, const SqliteSettings& settings) {
  auto records = database.prepare(
      fmt::format("SELECT key, etag, indexes FROM \"{}\" WHERE indexes IS NOT NULL", settings.side_table()));
  if (!records) return fail(std::move(records.error()));
  auto entry = database.prepare(fmt::format(
      "INSERT OR REPLACE INTO \"{}\" (name, value, key, etag) VALUES (?1, ?2, ?3, ?4)", settings.index_table()));
  if (!entry) return fail(std::move(entry.error()));
  int code = SQLITE_ROW;
  while ((code = records->step()) == SQLITE_ROW) {
    for (const auto& [name, value] : state::decode_pairs(records->text(2))) {
      entry->bind(1, name);
      entry->bind(2, value);
      entry->bind(3, records->text(0));
      entry->bind(4, records->text(1));
      if (const int added = entry->run(); added != SQLITE_OK)
        return fail(database.error("prepare the tables of", added));
    }
  }
  if (code != SQLITE_DONE) return fail(database.error("prepare the tables of", code));
  return {};
}

Status missing_tables(const Database& database) {
  return fail(Errc::invalid_argument,
              fmt::format("component \"{}\" (state.sqlite): {} is opened read-only and lacks the "
                          "tables of the store. "
                          "Open it once without mode=ro, so that they can be made.",
                          database.place().component, database.place().file));
}

}  // namespace

Status check_access(const Database& database, const SqliteSettings& settings) {
  if (settings.connection.read_only || !database.is_read_only()) return {};
  return fail(Errc::denied,
              fmt::format("component \"{}\" (state.sqlite): cannot write to {}: the file is read-only for "
                          "this user. Give write permission to the file and its folder, or add ?mode=ro "
                          "to connectionString.",
                          database.place().component, database.place().file));
}

Status check_schema(Database& database, const SqliteSettings& settings) {
  auto found = look(database, settings);
  if (!found) return fail(std::move(found.error()));
  if (settings.connection.read_only && !found->can_be_read()) return missing_tables(database);
  return {};
}

Result<bool> has_index(Database& database, const SqliteSettings& settings) {
  return has_table(database, settings.index_table(), kIndexColumns);
}

Status make_schema(Database& database, const SqliteSettings& settings) {
  auto found = look(database, settings);
  if (!found) return fail(std::move(found.error()));
  if (found->is_complete()) {
    auto level = migration_level(database, settings);
    if (!level) return fail(std::move(level.error()));
    if (*level > 0) return {};
  }
  if (const int code = database.execute("BEGIN EXCLUSIVE"); code != SQLITE_OK)
    return fail(database.error("prepare the tables of", code));
  Status made = make_dapr_tables(database, settings);
  if (made) made = make_own_tables(database, settings);
  if (made && found->side && !found->index) made = fill_index(database, settings);
  if (made) made = run(database, "COMMIT");
  if (!made) {
    database.execute("ROLLBACK");
    return made;
  }
  // Another process may have made them meanwhile, or the level claims tables that are not there.
  return check_schema(database, settings);
}

Status configure(Database& database, const SqliteSettings& settings) {
  sqlite3_busy_timeout(database.handle(),
                       static_cast<int>(std::max<Milliseconds::rep>(settings.busy_timeout.count(), 0)));
  std::string sql =
      fmt::format("PRAGMA synchronous = {}; PRAGMA cache_size = -512; PRAGMA journal_size_limit = 67108864",
                  static_cast<int>(settings.synchronous));
  for (const std::string& pragma : settings.connection.pragmas) sql += "; PRAGMA " + pragma;
  if (const int code = database.execute(sql); code != SQLITE_OK) return fail(database.error("configure", code));
  return {};
}

Status set_journal_mode(Database& database, const SqliteSettings& settings) {
  if (settings.connection.read_only) return {};
  const std::string_view wanted = settings.connection.in_memory ? "memory" : settings.wal ? "wal" : "delete";
  auto mode = database.value_of(fmt::format("PRAGMA journal_mode = {}", wanted));
  if (!mode) return fail(std::move(mode.error()));
  if (iequals(*mode, wanted)) return {};
  return fail(Errc::unavailable, fmt::format("component \"{}\" (state.sqlite): {} stays in journal mode {} although "
                                             "{} is wanted. On a "
                                             "network file system set disableWAL: true; otherwise close the other "
                                             "programs that use it.",
                                             database.place().component, database.place().file, *mode, wanted));
}

}  // namespace holdfast::stores::sqlite
