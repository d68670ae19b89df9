#include "stores/postgresql/standbys.h"

#include <fmt/format.h>

#include "base/random.h"

namespace holdfast::stores::postgresql {
namespace {

std::string timeline_row(const PostgresqlSettings& settings) { return "holdfast-timeline:" + settings.table.table; }

std::string position_sql(const PostgresqlSettings& settings, std::string_view place) {
  return fmt::format(
      "SELECT (SELECT split_part(value, '.', 2)::bigint FROM {} WHERE key = '{}'), ({} - '0/0'::pg_lsn)::bigint",
      settings.metadata_table.quoted(), timeline_row(settings), place);
}

}  // namespace

// "TIMELINE.NUMBER"; the timeline is in the names of the log's files.
Status note_timeline(Session& session, const PostgresqlSettings& settings, SteadyTime deadline) {
  const std::string number = std::to_string(random_u64() >> 2);
  const std::string row = timeline_row(settings);
  Values values;
  values.text(row).text(number);
  auto noted = session.run(
      "note the timeline of",
      fmt::format(
          "INSERT INTO {} AS m (key, value) SELECT $1::text, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) "
          "|| '.' || $2::text WHERE NOT pg_is_in_recovery() ON CONFLICT (key) DO UPDATE SET value = "
          "excluded.value WHERE split_part(m.value, '.', 1) <> split_part(excluded.value, '.', 1)",
          settings.metadata_table.quoted()),
      values, deadline);
  if (!noted) return fail(std::move(noted.error()));
  return {};
}

std::string primary_position_sql(const PostgresqlSettings& settings) {
  return position_sql(settings, "pg_current_wal_flush_lsn()");
}

std::string standby_position_sql(const PostgresqlSettings& settings) {
  return position_sql(settings, "pg_last_wal_replay_lsn()");
}

std::optional<state::Position::Reached> read_position(const Rows& rows) {
  if (rows.size() == 0 || rows.is_null(0, 0) || rows.is_null(0, 1)) return std::nullopt;
  return state::Position::Reached{static_cast<std::uint64_t>(rows.integer(0, 0)),
                                  static_cast<std::uint64_t>(rows.integer(0, 1))};
}

}  // namespace holdfast::stores::postgresql
