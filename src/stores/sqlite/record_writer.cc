#include "stores/sqlite/record_writer.h"

#include <fmt/format.h>

#include <vector>

#include "base/encoding.h"
#include "base/random.h"
#include "state/pairs.h"
#include "stores/sqlite/change_log.h"
#include "stores/sqlite/mapping.h"

namespace holdfast::stores::sqlite {
namespace {

struct Wanted {
  Statement* statement;
  std::string sql;
};

void bind_or_null(Statement& statement, int at, std::string_view text) {
  if (text.empty())
    statement.bind_null(at);
  else
    statement.bind(at, text);
}

// Those whose time is over by Dapr's column; with a change log by ours, to the millisecond, because who watches waits
// for it.
std::string expired_sql(const SqliteSettings& settings) {
  if (!settings.watch_log)
    return fmt::format(
        "SELECT rowid, key FROM \"{}\" WHERE expiration_time IS NOT NULL AND expiration_time <= ?1 LIMIT ?2",
        settings.table);
  return fmt::format(
      "SELECT s.rowid, s.key FROM \"{}\" s WHERE s.expiration_time IS NOT NULL AND s.expiration_time <= ?3 AND "
      "(s.expiration_time <= ?1 OR (SELECT h.expires_ms FROM \"{}\" h WHERE h.key = s.key AND h.etag = s.etag) <= ?4) "
      "LIMIT ?2",
      settings.table, settings.side_table());
}

}  // namespace

Result<RecordWriter> RecordWriter::open(Database& database, const SqliteSettings& settings) {
  RecordWriter writer;
  writer.handle_ = database.handle();
  const std::string& t = settings.table;
  const std::string h = settings.side_table();
  const std::string i = settings.index_table();
  const std::vector<Wanted> wanted{
      {&writer.begin_, "BEGIN IMMEDIATE"},
      {&writer.commit_, "COMMIT"},
      {&writer.find_, fmt::format("SELECT s.rowid, s.etag, s.expiration_time, CASE WHEN s.expiration_time IS NULL THEN "
                                  "NULL ELSE "
                                  "(SELECT h.expires_ms FROM \"{}\" h WHERE h.key = s.key AND h.etag = s.etag) END "
                                  "FROM \"{}\" s WHERE s.key = ?1",
                                  h, t)},
      {&writer.insert_, fmt::format("INSERT INTO \"{}\" (key, value, is_binary, etag, expiration_time, update_time) "
                                    "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                                    t)},
      {&writer.update_, fmt::format("UPDATE \"{}\" SET value = ?2, is_binary = ?3, etag = ?4, expiration_time = ?5, "
                                    "update_time = ?6 WHERE rowid = ?1",
                                    t)},
      {&writer.remove_, fmt::format("DELETE FROM \"{}\" WHERE rowid = ?1", t)},
      {&writer.side_update_,
       fmt::format("UPDATE \"{}\" SET etag = ?3, expires_ms = ?4, modified_us = ?5, modified_by = ?6, "
                   "content_type = ?7, tags = ?8, indexes = ?9 WHERE key = ?1 AND etag = ?2",
                   h)},
      {&writer.side_put_, fmt::format("INSERT OR REPLACE INTO \"{}\" (key, etag, expires_ms, "
                                      "created_us, created_by, modified_us, "
                                      "modified_by, content_type, tags, indexes) VALUES (?1, ?3, "
                                      "?4, ?5, ?2, ?5, ?6, ?7, ?8, ?9)",
                                      h)},
      {&writer.side_remove_, fmt::format("DELETE FROM \"{}\" WHERE key = ?1", h)},
      {&writer.side_created_, fmt::format("SELECT created_us, created_by FROM \"{}\" WHERE key = ?1 AND etag = ?2", h)},
      {&writer.entry_put_,
       fmt::format("INSERT OR REPLACE INTO \"{}\" (name, value, key, etag) VALUES (?1, ?2, ?3, ?4)", i)},
      {&writer.entries_remove_, fmt::format("DELETE FROM \"{}\" WHERE key = ?1", i)},
      {&writer.entries_any_, fmt::format("SELECT 1 FROM \"{}\" LIMIT 1", i)},
      {&writer.expired_, expired_sql(settings)},
      {&writer.orphans_,
       fmt::format("SELECT h.key, s.key IS NULL, h.indexes IS NOT NULL AND s.etag <> h.etag FROM \"{}\" h "
                   "LEFT JOIN \"{}\" s ON s.key = h.key WHERE h.key > ?1 ORDER BY h.key LIMIT ?2",
                   h, t)},
      {&writer.cleanup_turn_, fmt::format("INSERT INTO \"{0}\" (key, value) VALUES "
                                          "('last-cleanup', ?1) ON CONFLICT (key) DO UPDATE "
                                          "SET value = ?1 WHERE value <= ?2 OR value > ?1",
                                          settings.metadata_table)},
  };
  for (const Wanted& each : wanted) {
    auto statement = database.prepare(each.sql);
    if (!statement) return fail(std::move(statement.error()));
    *each.statement = std::move(*statement);
  }
  if (!settings.watch_log) return writer;
  for (const Wanted& each :
       {Wanted{&writer.newest_change_, newest_change_sql(settings)}, Wanted{&writer.relabel_, relabel_sql(settings)}}) {
    auto statement = database.prepare(each.sql);
    if (!statement) return fail(std::move(statement.error()));
    *each.statement = std::move(*statement);
  }
  return writer;
}

int RecordWriter::begin(WallTime now) {
  if (now.us / 1'000'000 != now_.us / 1'000'000 || now_text_.empty()) now_text_ = sql_seconds(now);
  now_ = now;
  has_entries_.reset();
  return begin_.run();
}

void RecordWriter::roll_back(Database& database) {
  if (sqlite3_get_autocommit(database.handle()) == 0) database.execute("ROLLBACK");
}

int RecordWriter::find(std::string_view key, Found& found) {
  found.has_row = found.is_live = false;
  const ResetAtExit reset(find_);
  find_.bind(1, key);
  const int code = find_.step();
  if (code == SQLITE_DONE) return SQLITE_OK;
  if (code != SQLITE_ROW) return code;
  std::optional<std::string_view> expiration;
  std::optional<std::int64_t> exact_ms;
  if (!find_.is_null(2)) expiration = find_.text(2);
  if (!find_.is_null(3)) exact_ms = find_.integer(3);
  found.has_row = true;
  const Liveness liveness = judge(expiration, exact_ms, now_);
  found.is_live = liveness.is_live;
  found.expires_at = liveness.expires_at;
  found.rowid = find_.integer(0);
  found.etag = find_.text(1);
  return SQLITE_OK;
}

Status RecordWriter::check(const state::Precondition& when, const Found& found) {
  const std::string_view etag = found.etag;
  if (when.holds(found.is_live ? &etag : nullptr)) return {};
  Error error(Errc::precondition_failed, !found.is_live ? "there is no live record with this key"
                                         : when.kind == state::Precondition::Kind::absent
                                             ? "a live record with this key is already there"
                                             : "the record has another etag: it was changed since it was read");
  if (found.is_live) error.current_etag = found.etag;
  return fail(std::move(error));
}

int RecordWriter::put(const state::SetRequest& request, std::string_view principal, const Found& found,
                      state::Written& written) {
  written.etag = uuid_v4();
  written.created = !found.is_live;
  written.expires_at = found.is_live && request.keep_expiry ? found.expires_at : expiry_after(now_, request.ttl);
  std::string_view value = request.value;
  if (request.shape == state::Shape::bytes) value = encoded_ = base64_encode(request.value);
  if (const int code = put_row(request, found, written, value); code != SQLITE_OK) return code;
  if (encoded_.capacity() > 1'048'576) encoded_ = {};
  if (const int code = put_side(request, principal, found, written); code != SQLITE_OK) return code;
  return put_entries(request, found, written.etag);
}

int RecordWriter::put_row(const state::SetRequest& request, const Found& found, const state::Written& written,
                          std::string_view value) {
  Statement& statement = found.has_row ? update_ : insert_;
  if (found.has_row)
    statement.bind(1, found.rowid);
  else
    statement.bind(1, request.key);
  statement.bind(2, value);
  statement.bind(3, static_cast<std::int64_t>(request.shape == state::Shape::bytes));
  statement.bind(4, written.etag);
  std::string expires;
  if (written.expires_at) expires = expiry_text(*written.expires_at);
  bind_or_null(statement, 5, expires);
  statement.bind(6, now_text_);
  return statement.run();
}

int RecordWriter::put_side(const state::SetRequest& request, std::string_view principal, const Found& found,
                           state::Written& written) {
  const std::string_view created_by = request.created_by.empty() ? principal : request.created_by;
  const std::string_view modified_by = request.modified_by.empty() ? principal : request.modified_by;
  if (request.want_record) {
    written.fields = fields_of(request, created_by, modified_by);
    if (found.is_live)
      if (const int code = read_created(request.key, found.etag, *written.fields); code != SQLITE_OK) return code;
  }
  const std::string tags = state::encode_pairs(request.tags);
  const std::string indexes = state::encode_pairs(request.indexes);
  const auto run = [&](Statement& statement, std::string_view second) {
    statement.bind(1, request.key);
    statement.bind(2, second);
    statement.bind(3, written.etag);
    if (written.expires_at)
      statement.bind(4, written.expires_at->ms());
    else
      statement.bind_null(4);
    statement.bind(5, now_.us);
    statement.bind(6, modified_by);
    bind_or_null(statement, 7, request.content_type);
    bind_or_null(statement, 8, tags);
    bind_or_null(statement, 9, indexes);
    return statement.run();
  };
  if (found.is_live) {
    if (const int code = run(side_update_, found.etag); code != SQLITE_OK) return code;
    if (sqlite3_changes(handle_) > 0) return SQLITE_OK;
  }
  // A record that expired, or that Dapr wrote last, starts its history here.
  return run(side_put_, created_by);
}

int RecordWriter::put_entries(const state::SetRequest& request, const Found& found, std::string_view etag) {
  if (found.has_row)
    if (const int code = remove_entries(request.key); code != SQLITE_OK) return code;
  for (const auto& [name, value] : request.indexes) {
    entry_put_.bind(1, name);
    entry_put_.bind(2, value);
    entry_put_.bind(3, request.key);
    entry_put_.bind(4, etag);
    if (const int code = entry_put_.run(); code != SQLITE_OK) return code;
    has_entries_ = true;
  }
  return SQLITE_OK;
}

// Where no record has entries, which is asked once a transaction, no write pays for them.
int RecordWriter::remove_entries(std::string_view key) {
  if (!has_entries_) {
    const ResetAtExit reset(entries_any_);
    const int code = entries_any_.step();
    if (code != SQLITE_ROW && code != SQLITE_DONE) return code;
    has_entries_ = code == SQLITE_ROW;
  }
  if (!*has_entries_) return SQLITE_OK;
  entries_remove_.bind(1, key);
  return entries_remove_.run();
}

state::RecordFields RecordWriter::fields_of(const state::SetRequest& request, std::string_view created_by,
                                            std::string_view modified_by) const {
  state::RecordFields fields;
  fields.created = fields.modified = now_;
  fields.created_by = created_by;
  fields.modified_by = modified_by;
  fields.content_type = request.content_type;
  fields.tags.assign(request.tags.begin(), request.tags.end());
  fields.indexes.assign(request.indexes.begin(), request.indexes.end());
  return fields;
}

int RecordWriter::read_created(std::string_view key, std::string_view etag, state::RecordFields& fields) {
  const ResetAtExit reset(side_created_);
  side_created_.bind(1, key);
  side_created_.bind(2, etag);
  const int code = side_created_.step();
  if (code == SQLITE_DONE) return SQLITE_OK;
  if (code != SQLITE_ROW) return code;
  fields.created = WallTime{side_created_.integer(0)};
  fields.created_by = side_created_.text(1);
  return SQLITE_OK;
}

int RecordWriter::remove(std::string_view key, const Found& found) {
  if (!found.has_row) return SQLITE_OK;
  remove_.bind(1, found.rowid);
  if (const int code = remove_.run(); code != SQLITE_OK) return code;
  side_remove_.bind(1, key);
  if (const int code = side_remove_.run(); code != SQLITE_OK) return code;
  return remove_entries(key);
}

int RecordWriter::remove_expired(int limit, int& removed) {
  std::int64_t newest = 0;
  if (newest_change_) {
    const ResetAtExit reset(newest_change_);
    if (const int code = newest_change_.step(); code != SQLITE_ROW) return code;
    newest = newest_change_.integer(0);
  }
  // Collected first: deleting under a running SELECT may visit a row twice or not at all.
  std::vector<std::pair<std::int64_t, std::string>> rows;
  {
    const ResetAtExit reset(expired_);
    expired_.bind(1, now_text_);
    expired_.bind(2, static_cast<std::int64_t>(limit));
    const std::string soon = sql_seconds(WallTime{now_.us + 1'000'000});
    if (relabel_) {
      expired_.bind(3, soon);
      expired_.bind(4, now_.us / 1000);
    }
    int code = SQLITE_ROW;
    while ((code = expired_.step()) == SQLITE_ROW) rows.emplace_back(expired_.integer(0), expired_.text(1));
    if (code != SQLITE_DONE) return code;
  }
  for (const auto& [rowid, key] : rows) {
    const Found found{.has_row = true, .is_live = false, .rowid = rowid, .etag = {}, .expires_at = {}};
    if (const int code = remove(key, found); code != SQLITE_OK) return code;
    ++removed;
  }
  if (!relabel_ || removed == 0) return SQLITE_OK;
  relabel_.bind(1, newest);
  return relabel_.run();
}

int RecordWriter::remove_orphans(int limit, std::string& from) {
  std::vector<std::string> orphans;
  std::vector<std::string> strangers;  // of records that another program rewrote
  std::string last;
  int seen = 0;
  {
    const ResetAtExit reset(orphans_);
    orphans_.bind(1, from);
    orphans_.bind(2, static_cast<std::int64_t>(limit));
    int code = SQLITE_ROW;
    while ((code = orphans_.step()) == SQLITE_ROW) {
      ++seen;
      last = orphans_.text(0);
      if (orphans_.integer(1) != 0) orphans.push_back(last);
      if (orphans_.integer(2) != 0) strangers.push_back(last);
    }
    if (code != SQLITE_DONE) return code;
  }
  for (const std::string& key : orphans) {
    side_remove_.bind(1, key);
    if (const int code = side_remove_.run(); code != SQLITE_OK) return code;
    if (const int code = remove_entries(key); code != SQLITE_OK) return code;
  }
  for (const std::string& key : strangers)
    if (const int code = remove_entries(key); code != SQLITE_OK) return code;
  from = seen < limit ? std::string() : last;
  return SQLITE_OK;
}

int RecordWriter::take_cleanup_turn(Milliseconds interval, bool& due) {
  // Dapr allows 100 ms of jitter; both sides of the comparison are whole seconds.
  const std::string before = sql_seconds(WallTime{now_.us - (interval.count() - 100) * 1000});
  cleanup_turn_.bind(1, now_text_);
  cleanup_turn_.bind(2, before);
  const int code = cleanup_turn_.run();
  due = code == SQLITE_OK && sqlite3_changes(handle_) > 0;
  return code;
}

}  // namespace holdfast::stores::sqlite
