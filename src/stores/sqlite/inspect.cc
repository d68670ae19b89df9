#include "stores/sqlite/inspect.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "base/encoding.h"
#include "stores/sqlite/database.h"
#include "stores/sqlite/schema.h"
#include "stores/sqlite/settings.h"

namespace holdfast::stores::sqlite {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> refuse(Errc code, const Place& place, std::string_view why) {
  return fail(code, fmt::format("component \"{}\" (state.sqlite): {}", place.component, why));
}

// The path within "file:PATH?QUERY", as SQLite reads it.
std::string path_of(std::string_view uri) {
  if (uri.starts_with("file:")) uri.remove_prefix(5);
  if (uri.starts_with("//")) uri.remove_prefix(std::min(uri.find('/', 2), uri.size()));
  uri = uri.substr(0, uri.find_first_of("?#"));
  return percent_decode(uri, Plus::literal).value_or(std::string(uri));
}

Status check_that_it_is_there(const SqliteSettings& settings, const Place& place) {
  std::error_code ignored;
  if (fs::exists(place.file, ignored)) return {};
  fs::path folder = fs::path(place.file).parent_path();
  if (folder.empty()) folder = ".";
  if (settings.connection.read_only)
    return refuse(Errc::unavailable, place, fmt::format("there is no {}, and mode=ro makes none", place.file));
  if (!fs::is_directory(folder, ignored))
    return refuse(Errc::unavailable, place,
                  fmt::format("there is no folder {} to make {} in. Make the folder, or correct connectionString.",
                              folder.string(), place.file));
  if (::access(folder.c_str(), W_OK) != 0)
    return refuse(Errc::denied, place,
                  fmt::format("{} cannot be made: this user may not write to its folder", place.file));
  return refuse(Errc::not_found, place,
                fmt::format("there is no {} yet; the sidecar makes it when it starts", place.file));
}

// A connection that leaves no trace. Opening for reading only would leave a new log behind where there was none, so
// the file is opened for writing, which removes such a log at the end; and a log that was there is not folded into the
// file. A file that must not be written is read as one that nobody writes, unless its log says somebody does.
Result<Database> open_quietly(const SqliteSettings& settings, const Place& place) {
  std::error_code ignored;
  const bool has_log = fs::exists(place.file + "-wal", ignored);
  std::string uri = settings.connection.uri;
  if (settings.connection.read_only && !has_log) uri += uri.find('?') == uri.npos ? "?immutable=1" : "&immutable=1";
  const int access = settings.connection.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  auto database = Database::open(place, uri, access | SQLITE_OPEN_NOMUTEX);
  if (!database) return database;
  if (has_log) sqlite3_db_config(database->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  return database;
}

}  // namespace

Status inspect(const state::Component& component) {
  const auto settings = SqliteSettings::read(component);
  if (!settings) return fail(settings.error());
  if (settings->connection.in_memory) return {};
  const Place place{settings->component, path_of(settings->connection.uri)};
  if (auto there = check_that_it_is_there(*settings, place); !there) return there;
  auto database = open_quietly(*settings, place);
  if (!database) return fail(std::move(database.error()));
  if (auto may = check_access(*database, *settings); !may) return may;
  if (auto configured = configure(*database, *settings); !configured) return configured;
  database->execute("PRAGMA query_only = ON");
  if (auto ours = check_schema(*database, *settings); !ours) return ours;
  const auto verdict = database->value_of("PRAGMA quick_check(1)");
  if (!verdict) return fail(verdict.error());
  if (*verdict == "ok") return {};
  return refuse(Errc::internal, place,
                fmt::format("{} is damaged: {}. Restore a backup, or save what can be read with the sqlite3 tool's "
                            ".recover.",
                            place.file, *verdict));
}

Status require_file(const state::Component& component) {
  const auto settings = SqliteSettings::read(component);
  if (!settings) return fail(settings.error());
  if (settings->connection.in_memory) return {};
  const fs::path file = fs::absolute(path_of(settings->connection.uri));
  return check_that_it_is_there(*settings, {settings->component, file.string()});
}

}  // namespace holdfast::stores::sqlite
