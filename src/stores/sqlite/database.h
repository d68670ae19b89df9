// A connection and its statements as values. Both belong to one thread at a time, so connections
// are opened without SQLite's own mutex (SQLITE_OPEN_NOMUTEX).
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "stores/sqlite/errors.h"

namespace holdfast::stores::sqlite {

// Results of step() and execute() are SQLite's (extended) codes: the hot path decides on them
// without making an Error. Bound text is borrowed until reset().
class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  void bind(int at, std::string_view text) {
    sqlite3_bind_text64(get(), at, text.data() == nullptr ? "" : text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
  }
  void bind(int at, std::int64_t value) { sqlite3_bind_int64(get(), at, value); }
  void bind_real(int at, double value) { sqlite3_bind_double(get(), at, value); }
  void bind_null(int at) { sqlite3_bind_null(get(), at); }
  // For our own SQL functions only; `kind` is a string literal.
  void bind_pointer(int at, const void* value, const char* kind) {
    sqlite3_bind_pointer(get(), at, const_cast<void*>(value), kind, nullptr);
  }

  int step() { return sqlite3_step(get()); }
  void reset() { sqlite3_reset(get()); }
  // For statements that return no rows: SQLITE_OK, or why not.
  int run() {
    const int code = sqlite3_step(get());
    sqlite3_reset(get());
    return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_OK : code;
  }

  bool is_null(int at) { return sqlite3_column_type(get(), at) == SQLITE_NULL; }
  std::int64_t integer(int at) { return sqlite3_column_int64(get(), at); }
  // Lives until the next step() or reset().
  std::string_view text(int at) {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(get(), at));
    if (bytes == nullptr) return {};
    return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(get(), at))};
  }
  explicit operator bool() const { return statement_ != nullptr; }

 private:
  sqlite3_stmt* get() const { return statement_.get(); }
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

// Resets at the end of a scope, so that a read never holds its snapshot longer than its function
// runs.
class ResetAtExit {
 public:
  explicit ResetAtExit(Statement& statement) : statement_(statement) {}
  ~ResetAtExit() { statement_.reset(); }
  ResetAtExit(const ResetAtExit&) = delete;
  ResetAtExit& operator=(const ResetAtExit&) = delete;

 private:
  Statement& statement_;
};

class Database {
 public:
  // `flags` as for sqlite3_open_v2; URI names are added.
  static Result<Database> open(const Place& place, const std::string& uri, int flags);

  Result<Statement> prepare(const std::string& sql);
  // Several statements without results.
  int execute(const std::string& sql);
  // The first column of the first row as text; empty when there is none.
  Result<std::string> value_of(const std::string& sql);

  sqlite3* handle() const { return handle_.get(); }
  const Place& place() const { return place_; }
  void set_place(Place place) { place_ = std::move(place); }
  // The full path; empty for a database in memory.
  std::string file() const;
  bool is_read_only() const { return sqlite3_db_readonly(handle(), "main") == 1; }

  Error error(std::string_view doing, int code) const {
    return describe(place_, doing, code, sqlite3_errmsg(handle()));
  }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };
  Place place_;
  std::unique_ptr<sqlite3, Close> handle_;
};

}  // namespace holdfast::stores::sqlite
