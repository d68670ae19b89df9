#include "bench/bare_sqlite.h"

#include <sqlite3.h>

#include <stdexcept>

namespace holdfast::bench {

void BareSqlite::must(int code) {
  if (code != SQLITE_OK && code != SQLITE_DONE)
    throw std::runtime_error(std::string("bare SQLite failed: ") + sqlite3_errmsg(db_));
}

BareSqlite::BareSqlite(const std::string& file) {
  must(sqlite3_open(file.c_str(), &db_));
  must(sqlite3_exec(db_,
                    "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                    "CREATE TABLE state(key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, is_binary BOOLEAN NOT NULL,"
                    "etag TEXT NOT NULL, expiration_time TIMESTAMP DEFAULT NULL,"
                    "update_time TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)",
                    nullptr, nullptr, nullptr));
  must(sqlite3_prepare_v2(db_,
                          "INSERT INTO state(key,value,is_binary,etag) VALUES(?,?,?,?) ON CONFLICT(key) DO UPDATE SET "
                          "value=excluded.value,is_binary=excluded.is_binary,etag=excluded.etag,expiration_time=NULL,"
                          "update_time=CURRENT_TIMESTAMP",
                          -1, &upsert_, nullptr));
}

BareSqlite::~BareSqlite() {
  sqlite3_finalize(upsert_);
  sqlite3_close(db_);
}

void BareSqlite::save_batch(const std::function<Row()>& next) {
  must(sqlite3_exec(db_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr));
  for (int i = 0; i < kBatch; ++i) {
    const Row row = next();
    sqlite3_bind_text(upsert_, 1, row.key.data(), static_cast<int>(row.key.size()), SQLITE_STATIC);
    sqlite3_bind_text(upsert_, 2, row.value.data(), static_cast<int>(row.value.size()), SQLITE_STATIC);
    sqlite3_bind_int(upsert_, 3, row.is_binary ? 1 : 0);
    sqlite3_bind_text(upsert_, 4, row.etag.data(), static_cast<int>(row.etag.size()), SQLITE_STATIC);
    must(sqlite3_step(upsert_));
    sqlite3_reset(upsert_);
  }
  must(sqlite3_exec(db_, "COMMIT", nullptr, nullptr, nullptr));
}

}  // namespace holdfast::bench
