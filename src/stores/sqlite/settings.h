// What a state.sqlite component file may say.
#pragma once

#include <cstddef>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "state/component.h"
#include "stores/sqlite/connection_string.h"

namespace holdfast::stores::sqlite {

// How hard a commit pushes to the disk; SQLite's own words.
enum class Synchronous : unsigned char { off, normal, full, extra };

struct SqliteSettings {
  std::string component;
  ConnectionString connection;
  Milliseconds timeout{20'000};
  Milliseconds busy_timeout{2'000};
  bool wal = true;
  std::string table = "state";
  std::string metadata_table = "metadata";
  Milliseconds cleanup_interval{60'000};  // zero or less: never
  Synchronous synchronous = Synchronous::full;
  std::size_t write_queue_max = 4096;
  bool watch_log = false;

  std::string side_table() const { return table + "_holdfast"; }
  std::string index_table() const { return table + "_holdfast_index"; }
  // An acknowledged write survives a power cut.
  bool is_durable() const;

  static Result<SqliteSettings> read(const state::Component& component);
};

}  // namespace holdfast::stores::sqlite
