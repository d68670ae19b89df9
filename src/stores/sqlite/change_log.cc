#include "stores/sqlite/change_log.h"

#include <fmt/format.h>
#include <pthread.h>

#include <limits>
#include <map>

#include "base/log.h"
#include "base/number.h"

namespace holdfast::stores::sqlite {

using state::FeedEvents;
using state::WatchEvent;

namespace {

constexpr int kKeptSeconds = 600;
// How soon changes of other processes are seen.
constexpr auto kLook = std::chrono::milliseconds(100);
constexpr std::size_t kPage = 1000;
constexpr std::size_t kMissedMax = 8192;
constexpr std::uint64_t kEverything = std::numeric_limits<std::int64_t>::max();

std::string log_table(const SqliteSettings& settings) { return settings.table + "_holdfast_log"; }

// A trigger's statements: one row, and up to two old ones go.
std::string trigger(const SqliteSettings& settings, std::string_view name, std::string_view when, std::string_view key,
                    std::string_view kind) {
  return fmt::format(
      "CREATE TRIGGER IF NOT EXISTS \"{0}_{1}\" AFTER {2} ON \"{3}\" BEGIN "
      "INSERT INTO \"{0}\" (key, kind, at) VALUES ({4}, {5}, CAST(strftime('%s', 'now') AS INTEGER)); "
      "DELETE FROM \"{0}\" WHERE seq IN (SELECT seq FROM \"{0}\" ORDER BY seq LIMIT 2) "
      "AND at < CAST(strftime('%s', 'now') AS INTEGER) - {6}; END;",
      log_table(settings), name, when, settings.table, key, kind, kKeptSeconds);
}

WatchEvent::Kind kind_of(std::int64_t kind) {
  if (kind == 0) return WatchEvent::Kind::put;
  return kind == 1 ? WatchEvent::Kind::erase : WatchEvent::Kind::expire;
}

}  // namespace

Status make_change_log(Database& database, const SqliteSettings& settings) {
  const std::string sql = fmt::format(
      "BEGIN IMMEDIATE; "
      "CREATE TABLE IF NOT EXISTS \"{0}\" (seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL, "
      "kind INTEGER NOT NULL, at INTEGER NOT NULL); "
      "INSERT OR IGNORE INTO \"{1}\" (key, value) VALUES ('holdfast-log:{2}', '{3}'); {4} {5} {6} COMMIT",
      log_table(settings), settings.metadata_table, settings.table, state::Feed::random_id(),
      trigger(settings, "put", "INSERT", "NEW.key", "0"), trigger(settings, "change", "UPDATE", "NEW.key", "0"),
      trigger(settings, "removal", "DELETE", "OLD.key",
              "CASE WHEN OLD.expiration_time IS NOT NULL AND OLD.expiration_time <= CURRENT_TIMESTAMP THEN 2 ELSE 1 END"));
  const int code = database.execute(sql);
  if (code == SQLITE_OK) return {};
  const Error error = database.error("prepare the change log (watch: log) of", code);
  database.execute("ROLLBACK");
  return fail(error);
}

std::string relabel_sql(const SqliteSettings& settings) {
  return fmt::format("UPDATE \"{}\" SET kind = 2 WHERE seq > ?1 AND kind = 1", log_table(settings));
}

std::string newest_change_sql(const SqliteSettings& settings) {
  return fmt::format("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{}'), 0)", log_table(settings));
}

Result<std::unique_ptr<ChangeLog>> ChangeLog::open(Reader reader, const Clock& clock) {
  std::string id;
  std::uint64_t newest = 0;
  {
    const Reader::Session session(reader);
    const SqliteSettings& settings = reader.settings();
    auto found = reader.database().value_of(fmt::format("SELECT value FROM \"{}\" WHERE key = 'holdfast-log:{}'",
                                                        settings.metadata_table, settings.table));
    if (!found) return fail(std::move(found.error()));
    auto head = reader.database().value_of(newest_change_sql(settings));
    if (!head) return fail(std::move(head.error()));
    read_number(*head, newest);
    id = std::move(*found);
  }
  return std::unique_ptr<ChangeLog>(new ChangeLog(std::move(reader), clock, std::move(id), newest));
}

ChangeLog::ChangeLog(Reader reader, const Clock& clock, std::string id, std::uint64_t newest)
    : reader_(std::move(reader)),
      clock_(clock),
      feed_(std::make_unique<state::Feed>(state::FeedLimits(), std::move(id), newest)),
      last_(newest) {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "sqlite-watch");
}

ChangeLog::~ChangeLog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  asked_changed_.notify_all();
  thread_.join();
}

void ChangeLog::wake() {
  {
    const std::lock_guard lock(mutex_);
    if (!begun_) return;
    ++asked_;
  }
  asked_changed_.notify_one();
}

void ChangeLog::catch_up() {
  std::unique_lock lock(mutex_);
  begun_ = true;
  const std::uint64_t mine = ++asked_;
  asked_changed_.notify_one();
  done_changed_.wait(lock, [&] { return done_ >= mine || stopping_; });
}

void ChangeLog::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto asked = [this] { return asked_ != done_ || stopping_; };
    if (begun_) {
      asked_changed_.wait_for(lock, kLook, asked);
    } else {
      asked_changed_.wait(lock, asked);
    }
    if (stopping_) return;
    const std::uint64_t turn = asked_;
    lock.unlock();
    tail();
    lock.lock();
    done_ = turn;
    done_changed_.notify_all();
  }
}

// Publishes what has been logged. What cannot be read now is read the next time.
void ChangeLog::tail() {
  for (;;) {
    auto changes = read(reader_, last_, kEverything, kPage);
    if (!changes) {
      if (!std::exchange(failing_, true)) log::warn("holdfast.sqlite", "watch: {}", changes.error().message);
      return;
    }
    if (changes->empty()) return;
    // Numbers have no gaps but where old rows have gone.
    if (changes->front().seq != last_ + 1) feed_->publish_loss();
    const std::uint64_t newest = changes->back().seq;
    const std::size_t count = changes->size();
    std::erase_if(*changes, [this](const Change& change) { return !feed_->wants(change.key); });
    auto events = with_records(reader_, std::move(*changes), feed_->wants_values(), clock_.wall());
    if (!events) return;
    failing_ = false;
    for (const auto& event : *events) feed_->publish(*event);
    feed_->advance(newest);
    last_ = newest;
    if (count < kPage) return;
  }
}

Result<std::vector<ChangeLog::Change>> ChangeLog::read(Reader& reader, std::uint64_t after, std::uint64_t to,
                                                       std::size_t limit) {
  const Reader::Session session(reader);
  auto statement =
      reader.cached(fmt::format("SELECT seq, key, kind FROM \"{}\" WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3",
                                log_table(reader.settings())));
  if (!statement) return fail(std::move(statement.error()));
  Statement& rows = **statement;
  const ResetAtExit reset(rows);
  rows.bind(1, static_cast<std::int64_t>(after));
  rows.bind(2, static_cast<std::int64_t>(to));
  rows.bind(3, static_cast<std::int64_t>(limit));
  std::vector<Change> changes;
  int code = SQLITE_ROW;
  while ((code = rows.step()) == SQLITE_ROW)
    changes.push_back({static_cast<std::uint64_t>(rows.integer(0)), std::string(rows.text(1)), kind_of(rows.integer(2))});
  if (code != SQLITE_DONE) return fail(reader.database().error("read the change log of", code));
  return changes;
}

Result<FeedEvents> ChangeLog::with_records(Reader& reader, std::vector<Change> changes, bool whole, WallTime now) {
  state::RecordsByKey records;
  for (const std::string_view key : state::keys_put(changes)) {
    auto record = reader.get({.key = key, .want_value = whole, .want_fields = whole}, now);
    if (!record) return fail(std::move(record.error()));
    if (*record) records.emplace(key, std::move(**record));
  }
  return state::events_of(changes, records, whole);
}

Result<std::optional<FeedEvents>> ChangeLog::changes(Reader& reader, std::uint64_t from, std::uint64_t to,
                                                     WallTime now) const {
  auto found = read(reader, from, to, kMissedMax + 1);
  if (!found) return fail(std::move(found.error()));
  const bool all_there = from == to || (!found->empty() && found->front().seq == from + 1 && found->back().seq == to);
  if (!all_there || found->size() > kMissedMax) return std::nullopt;
  auto events = with_records(reader, std::move(*found), true, now);
  if (!events) return fail(std::move(events.error()));
  return std::move(*events);
}

}  // namespace holdfast::stores::sqlite
