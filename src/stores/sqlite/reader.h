// Reads over one connection. One thread at a time; every call sees one instant of the database.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "state/store.h"
#include "stores/sqlite/database.h"
#include "stores/sqlite/mapping.h"
#include "stores/sqlite/settings.h"

namespace holdfast::stores::sqlite {

class Reader {
 public:
  // The connection is this thread's, and the deadline watched, while it lives.
  class Session {
   public:
    explicit Session(Reader& reader);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

   private:
    static int is_over(void* reader);
    Reader& reader_;
    std::unique_lock<std::mutex> lock_;
  };

  // `shared` is taken for the length of every call: a database in memory has one connection for
  // everybody.
  static Result<Reader> open(std::shared_ptr<Database> database, const SqliteSettings& settings, std::mutex* shared);

  using Found = Result<std::optional<state::Record>>;
  // A busy database shows as Errc::unavailable and was_busy().
  Found get(const state::GetRequest& request, WallTime now);
  std::vector<Found> get_many(std::span<const state::GetRequest> requests, WallTime now);
  bool was_busy() const { return was_busy_; }

  Status ping();

  // Calls from here on stop at `deadline` with SQLITE_INTERRUPT.
  void set_deadline(const Clock& clock, SteadyTime deadline) {
    clock_ = &clock;
    deadline_ = deadline;
  }

  // For scans, inside a Session: statements by their text.
  Result<Statement*> cached(const std::string& sql);
  Database& database() { return *database_; }
  const SqliteSettings& settings() const { return settings_; }

 private:
  Found get_locked(const state::GetRequest& request, WallTime now);
  Result<Statement*> point_statement(RowShape shape);
  Error read_error(int code);

  std::shared_ptr<Database> database_;
  SqliteSettings settings_;
  std::mutex* shared_ = nullptr;
  Statement points_[2][2];
  Statement begin_, commit_;
  std::map<std::string, Statement> cached_;  // a handful: one for each shape of a scan
  bool was_busy_ = false;
  const Clock* clock_ = nullptr;  // null: no deadline
  SteadyTime deadline_;
};

}  // namespace holdfast::stores::sqlite
