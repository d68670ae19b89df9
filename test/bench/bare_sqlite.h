// What a durable save costs SQLite itself: upserts into Dapr's table, WAL, synchronous=FULL, one thread and a prepared
// statement.
#pragma once

#include <functional>
#include <string>

struct sqlite3;
struct sqlite3_stmt;

namespace holdfast::bench {

class BareSqlite {
 public:
  static constexpr int kBatch = 16;

  struct Row {
    std::string key;
    std::string value;
    std::string etag;
    bool is_binary = false;
  };

  // Makes the file, which may not be there. Throws std::runtime_error, as all of it does.
  explicit BareSqlite(const std::string& file);
  ~BareSqlite();
  BareSqlite(const BareSqlite&) = delete;
  BareSqlite& operator=(const BareSqlite&) = delete;

  // kBatch rows in one transaction.
  void save_batch(const std::function<Row()>& next);

 private:
  void must(int code);

  sqlite3* db_ = nullptr;
  sqlite3_stmt* upsert_ = nullptr;
};

}  // namespace holdfast::bench
