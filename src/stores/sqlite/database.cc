#include "stores/sqlite/database.h"

#include <mutex>

namespace holdfast::stores::sqlite {
namespace {

// SQLite counts every allocation under one process-wide lock unless told not to, which makes loops
// wait for each other. Refused, harmlessly, when somebody else initialised SQLite first.
void configure_once() {
  static std::once_flag once;
  std::call_once(once, [] { sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); });
}

}  // namespace

Result<Database> Database::open(const Place& place, const std::string& uri, int flags) {
  configure_once();
  Database database;
  database.place_ = place;
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(uri.c_str(), &raw, flags | SQLITE_OPEN_URI, nullptr);
  database.handle_.reset(raw);
  if (raw == nullptr) return fail(describe(place, "open", SQLITE_NOMEM, ""));
  if (code != SQLITE_OK) return fail(database.error("open", sqlite3_extended_errcode(raw)));
  sqlite3_extended_result_codes(raw, 1);
  return database;
}

Result<Statement> Database::prepare(const std::string& sql) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(handle(), sql.c_str(), static_cast<int>(sql.size()) + 1,
                                      SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  if (code != SQLITE_OK) return fail(error("prepare a statement for", code));
  return Statement(raw);
}

int Database::execute(const std::string& sql) { return sqlite3_exec(handle(), sql.c_str(), nullptr, nullptr, nullptr); }

Result<std::string> Database::value_of(const std::string& sql) {
  auto statement = prepare(sql);
  if (!statement) return fail(std::move(statement.error()));
  const int code = statement->step();
  if (code == SQLITE_DONE) return std::string();
  if (code != SQLITE_ROW) return fail(error("read", code));
  return std::string(statement->text(0));
}

std::string Database::file() const {
  const char* name = sqlite3_db_filename(handle(), "main");
  return name == nullptr ? "" : name;
}

}  // namespace holdfast::stores::sqlite
