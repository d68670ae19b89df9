#include "stores/sqlite/settings.h"

#include <fmt/format.h>

#include <array>

#include "base/encoding.h"
#include "base/log.h"
#include "stores/sqlite/inspect.h"
#include "stores/sqlite/store.h"
#include "stores/sqlite/type.h"

namespace holdfast::stores::sqlite {
namespace {

using state::Setting;
using state::SettingKind;

constexpr std::array<Setting, 10> kSettings{{
    {.name = "connectionString",
     .help = "path of the file, a file: URI, or :memory:",
     .alias = "url",
     .required = true},
    {.name = "timeout",
     .kind = SettingKind::duration,
     .fallback = "20s",
     .help = "the longest that one operation may take; at least 1s",
     .alias = "timeoutInSeconds"},
    {.name = "busyTimeout",
     .kind = SettingKind::duration,
     .fallback = "2s",
     .help = "how long to wait while another process holds the database; 0: not at all"},
    {.name = "disableWAL",
     .kind = SettingKind::boolean,
     .fallback = "false",
     .help = "use a rollback journal instead of a write-ahead log: needed on network file systems"},
    {.name = "tableName",
     .kind = SettingKind::identifier,
     .fallback = "state",
     .help = "table of the records; its side table has _holdfast appended"},
    {.name = "metadataTableName",
     .kind = SettingKind::identifier,
     .fallback = "metadata",
     .help = "table of the schema level and the time of the last cleanup"},
    {.name = "cleanupInterval",
     .kind = SettingKind::duration,
     .fallback = "60s",
     .help = "how often expired rows are removed (they are hidden at once); 0: never",
     .alias = "cleanupIntervalInSeconds"},
    {.name = "synchronous",
     .fallback = "FULL",
     .help = "how hard a commit pushes to the disk: below FULL a power cut can lose acknowledged writes",
     .choices = "OFF NORMAL FULL EXTRA"},
    {.name = "writeQueueMax",
     .kind = SettingKind::integer,
     .fallback = "4096",
     .help = "writes that may wait for the disk; beyond it a write is refused at once"},
    {.name = "watch",
     .fallback = "off",
     .help = "log: triggers log every change of the table, so that records can be watched; kept ten minutes",
     .choices = "off log"},
}};

constexpr std::array<std::string_view, 4> kFeatures{"ETAG", "TRANSACTIONAL", "TTL", "KEYS_LIKE"};

std::unexpected<Error> refuse(const state::Component& component, std::string_view why) {
  return fail(Errc::invalid_argument, fmt::format("component \"{}\" (state.sqlite): {}{}", component.name, why,
                                                  component.file.empty() ? "" : " (" + component.file + ")"));
}

Status read_synchronous(const state::Component& component, const state::Settings& fields, SqliteSettings& out) {
  std::string_view text = fields.text("synchronous");
  if (!out.connection.synchronous.empty()) {
    if (fields.has("synchronous") && !iequals(text, out.connection.synchronous))
      return refuse(component, "the field synchronous and the connection string's pragma differ; keep one");
    text = out.connection.synchronous;
  }
  if (iequals(text, "OFF"))
    out.synchronous = Synchronous::off;
  else if (iequals(text, "NORMAL"))
    out.synchronous = Synchronous::normal;
  else if (iequals(text, "FULL"))
    out.synchronous = Synchronous::full;
  else if (iequals(text, "EXTRA"))
    out.synchronous = Synchronous::extra;
  else
    return refuse(component, "synchronous must be OFF, NORMAL, FULL or EXTRA");
  return {};
}

Result<std::shared_ptr<state::StoreCore>> prepare(const state::Component& component,
                                                  const state::StoreEnvironment& environment) {
  auto settings = SqliteSettings::read(component);
  if (!settings) return fail(std::move(settings.error()));
  if (settings->connection.has_other_txlock)
    log::warn("holdfast.sqlite", "component \"{}\": _txlock is not \"immediate\"; immediate is used all the same",
              component.name);
  return SqliteCore::open(std::move(*settings), environment);
}

}  // namespace

bool SqliteSettings::is_durable() const {
  return !connection.in_memory && (synchronous == Synchronous::full || synchronous == Synchronous::extra);
}

Result<SqliteSettings> SqliteSettings::read(const state::Component& component) {
  auto fields = state::Settings::read(component, kSettings);
  if (!fields) return fail(std::move(fields.error()));
  auto connection = parse_connection_string(fields->text("connectionString"));
  if (!connection) return refuse(component, connection.error().message);
  SqliteSettings out;
  out.component = component.name;
  out.connection = std::move(*connection);
  out.timeout = fields->duration("timeout");
  if (out.timeout < Milliseconds(1000)) return refuse(component, "invalid value for 'timeout': must be at least 1s");
  out.busy_timeout = fields->duration("busyTimeout");
  // As in Dapr, a database that cannot be written stays with the rollback journal.
  out.wal = !fields->boolean("disableWAL") && !out.connection.read_only;
  out.table = fields->text("tableName");
  out.metadata_table = fields->text("metadataTableName");
  if (iequals(out.table, out.metadata_table) || iequals(out.side_table(), out.metadata_table) ||
      iequals(out.index_table(), out.metadata_table))
    return refuse(component, "tableName and metadataTableName name the same table; change one");
  if (!fields->text("cleanupInterval").empty()) out.cleanup_interval = fields->duration("cleanupInterval");
  const std::int64_t queue_max = fields->integer("writeQueueMax");
  if (queue_max < 1 || queue_max > 1'000'000) return refuse(component, "writeQueueMax must be between 1 and 1000000");
  out.write_queue_max = static_cast<std::size_t>(queue_max);
  out.watch_log = iequals(fields->text("watch"), "log");
  if (!out.watch_log && !fields->text("watch").empty() && !iequals(fields->text("watch"), "off"))
    return refuse(component, "watch must be off or log");
  if (out.watch_log && out.connection.read_only)
    return refuse(component,
                  "watch: log needs triggers in the database, which is opened read-only; take out one of the two");
  if (auto read = read_synchronous(component, *fields, out); !read) return fail(std::move(read.error()));
  // With a rollback journal a commit is the removal of the journal's name, which FULL does not
  // sync: after a power cut the journal may be back and undo an acknowledged write.
  if (!out.wal && out.synchronous == Synchronous::full) out.synchronous = Synchronous::extra;
  return out;
}

}  // namespace holdfast::stores::sqlite

namespace holdfast::stores {

const state::StoreType kSqliteType{
    .type = "state.sqlite",
    .alias = "state.sqlite3",
    .version = "",
    .summary = "a file of this machine, in Dapr's layout; durable, no server needed",
    .settings = sqlite::kSettings,
    .dapr_features = sqlite::kFeatures,
    .prepare = sqlite::prepare,
    .inspect = sqlite::inspect,
};

}  // namespace holdfast::stores
