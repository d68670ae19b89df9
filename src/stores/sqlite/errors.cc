#include "stores/sqlite/errors.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <array>

namespace holdfast::stores::sqlite {
namespace {

struct Row {
  int code;
  Errc errc;
  std::string_view why;
  std::string_view advice;
};

constexpr std::array kRows{
    Row{SQLITE_FULL, Errc::unavailable, "the disk or the database's page limit is full (SQLITE_FULL)",
        "Free some space; the store goes on by itself"},
    Row{SQLITE_BUSY, Errc::unavailable, "another process kept the database locked for longer than busyTimeout",
        "Try again; raise busyTimeout if this repeats"},
    Row{SQLITE_LOCKED, Errc::unavailable, "a table is locked by another connection", "Try again"},
    Row{SQLITE_IOERR, Errc::unavailable, "reading or writing the file failed",
        "Look at the disk and the system log; the data that was acknowledged stands"},
    Row{SQLITE_CANTOPEN, Errc::unavailable, "the file cannot be opened or made",
        "Check that the folder exists and that this user may write to it"},
    Row{SQLITE_READONLY, Errc::denied, "the file or its folder is read-only for this user",
        "Give write permission to the file and its folder"},
    Row{SQLITE_PERM, Errc::denied, "access was refused", "Check the permissions of the file"},
    Row{SQLITE_AUTH, Errc::denied, "access was refused", "Check the permissions of the file"},
    Row{SQLITE_NOTADB, Errc::internal, "the file is not a SQLite database",
        "Name another file in connectionString, or move this one away"},
    Row{SQLITE_CORRUPT, Errc::internal, "the database is damaged",
        "Run \"PRAGMA integrity_check\" with the sqlite3 tool and restore a backup"},
    Row{SQLITE_NOMEM, Errc::overloaded, "there is no memory left", "Try again with smaller requests"},
    Row{SQLITE_INTERRUPT, Errc::deadline_exceeded, "the time was up", "Ask for less at once or allow more time"},
    Row{SQLITE_TOOBIG, Errc::invalid_argument, "the record is larger than SQLite can hold", "Store less in one record"},
};

const Row& row_of(int code) {
  static constexpr Row kOther{SQLITE_ERROR, Errc::internal, "SQLite refused", "Report this with the log"};
  for (const Row& row : kRows)
    if (row.code == (code & 0xff)) return row;
  return kOther;
}

Error compose(const Place& place, std::string_view doing, const Row& row, Errc errc, int code, std::string_view words) {
  Error error(errc, fmt::format("component \"{}\" (state.sqlite): cannot {} {}: {} [{}]. {}.", place.component, doing,
                                place.file, row.why, code, row.advice));
  error.backend_message = words;
  return error;
}

}  // namespace

bool is_busy(int code) { return (code & 0xff) == SQLITE_BUSY || (code & 0xff) == SQLITE_LOCKED; }

Error describe(const Place& place, std::string_view doing, int code, std::string_view words) {
  const Row& row = row_of(code);
  return compose(place, doing, row, row.errc, code, words);
}

Error describe_commit(const Place& place, int code, std::string_view words) {
  const Row& row = row_of(code);
  const int primary = code & 0xff;
  const bool is_certain = primary != SQLITE_IOERR && primary != SQLITE_CORRUPT && primary != SQLITE_NOTADB;
  return compose(place, "commit to", row, is_certain ? row.errc : Errc::outcome_unknown, code, words);
}

}  // namespace holdfast::stores::sqlite
