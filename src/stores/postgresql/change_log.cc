#include "stores/postgresql/change_log.h"

#include <fmt/format.h>
#include <pthread.h>

#include <limits>

#include "base/log.h"
#include "base/number.h"
#include "stores/postgresql/mapping.h"

namespace holdfast::stores::postgresql {

using state::WatchEvent;

namespace {

constexpr std::string_view kDoing = "read the change log of";
constexpr int kKeptSeconds = 600;
// How soon changes of other processes are seen.
constexpr Milliseconds kLook{100};
// How soon it is looked again whether a gap has been filled, and when a gap is given up.
constexpr Milliseconds kGapLook{5};
constexpr Milliseconds kGapMax{10'000};
constexpr Milliseconds kTimeout{5000};
constexpr Milliseconds kPause{250};
constexpr std::size_t kPage = 1000;

enum LogColumn { kSeq, kKey, kKind, kGone, kOldest, kNext };

SteadyTime now() { return std::chrono::steady_clock::now(); }

std::string log_table(const PostgresqlSettings& settings) { return settings.table.quoted("_holdfast_log"); }
std::string id_row(const PostgresqlSettings& settings) { return "holdfast-log:" + settings.table.table; }
std::string gone_row(const PostgresqlSettings& settings) { return "holdfast-log-gone:" + settings.table.table; }

WatchEvent::Kind kind_of(std::int64_t kind) {
  if (kind == 0) return WatchEvent::Kind::put;
  return kind == 1 ? WatchEvent::Kind::erase : WatchEvent::Kind::expire;
}

// Rows that a transaction only holds (Statements::hold) are no records, and what stays expired has not changed.
std::string function_sql(const PostgresqlSettings& settings, const Dialect& dialect, const std::string& schema) {
  const std::string log = fmt::format("\"{}\".\"{}_holdfast_log\"", schema, settings.table.table);
  return fmt::format(
      "CREATE OR REPLACE FUNCTION {log}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = "
      "pg_catalog "
      "AS $holdfast$ BEGIN "
      "IF TG_OP = 'DELETE' THEN "
      "IF OLD.{expires} IS NULL OR OLD.{expires} > '-infinity' THEN "
      "INSERT INTO {log} (key, kind) VALUES (OLD.key, CASE WHEN OLD.{expires} <= now() THEN 2 ELSE 1 END); END IF; "
      "ELSIF NEW.{expires} IS NULL OR NEW.{expires} > now() THEN INSERT INTO {log} (key, kind) VALUES (NEW.key, 0); "
      "END IF; RETURN NULL; END $holdfast$",
      fmt::arg("log", log), fmt::arg("expires", dialect.expires));
}

}  // namespace

Status make_change_log(Session& session, const PostgresqlSettings& settings, SteadyTime deadline) {
  const Dialect dialect(settings);
  const std::string trigger = settings.table.table + "_holdfast_log";
  const auto run = [&](const std::string& sql, const Values& values = Values()) -> Result<Rows> {
    return session.run("prepare the change log (watch: log) of", sql, values, deadline);
  };
  Values named;
  named.text(dialect.table).text(trigger);
  // Where the table really is: the trigger may run for somebody with another search path.
  auto found =
      run("SELECT n.nspname::text, EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid AND tgname = $2::text) "
          "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1::text)",
          named);
  if (!found) return fail(std::move(found.error()));
  if (found->size() == 1 && found->boolean(0, 1)) return {};
  const std::string schema(found->text(0, 0));
  const std::string id = state::Feed::random_id();
  const std::string row = id_row(settings);
  Values identity;
  identity.text(row).text(id);
  const std::string log = fmt::format("\"{}\".\"{}\"", schema, trigger);
  const std::vector<std::pair<std::string, Values>> steps{
      {"BEGIN ISOLATION LEVEL READ COMMITTED", {}},
      {fmt::format("SELECT value FROM {} WHERE key = 'lock' FOR UPDATE", dialect.metadata), {}},
      {fmt::format(
           "CREATE TABLE IF NOT EXISTS {} (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT NULL, "
           "kind smallint NOT NULL, at timestamp with time zone NOT NULL DEFAULT now())",
           log),
       {}},
      {fmt::format("INSERT INTO {} (key, value) VALUES ($1::text, $2::text) ON CONFLICT (key) DO NOTHING",
                   dialect.metadata),
       std::move(identity)},
      {function_sql(settings, dialect, schema), {}},
      {fmt::format("DROP TRIGGER IF EXISTS \"{0}\" ON {1}", trigger, dialect.table), {}},
      {fmt::format("CREATE TRIGGER \"{0}\" AFTER INSERT OR UPDATE OR DELETE ON {1} FOR EACH ROW EXECUTE FUNCTION {2}()",
                   trigger, dialect.table, log),
       {}},
      {"COMMIT", {}}};
  for (const auto& [sql, values] : steps) {
    auto done = run(sql, values);
    if (done) continue;
    Error error = std::move(done.error());
    (void)run("ROLLBACK");
    return fail(std::move(error));
  }
  return {};
}

std::string forget_changes_sql(const PostgresqlSettings& settings) {
  return fmt::format(
      "WITH gone AS (DELETE FROM {0} WHERE seq IN (SELECT seq FROM (SELECT seq, at FROM {0} ORDER BY seq LIMIT 1000) f "
      "WHERE at < now() - interval '{1} seconds') RETURNING seq) INSERT INTO {2} AS m (key, value) SELECT '{3}', "
      "max(seq)::text FROM gone HAVING count(*) > 0 ON CONFLICT (key) DO UPDATE SET value = greatest(m.value::bigint, "
      "excluded.value::bigint)::text",
      log_table(settings), kKeptSeconds, settings.metadata_table.quoted(), gone_row(settings));
}

std::string read_changes_sql(const PostgresqlSettings& settings) {
  return fmt::format(
      "SELECT l.seq, l.key, l.kind, coalesce((SELECT value::bigint FROM {1} WHERE key = '{2}'), 0), "
      "pg_snapshot_xmin(pg_current_snapshot())::text::bigint, pg_snapshot_xmax(pg_current_snapshot())::text::bigint "
      "FROM {0} l WHERE l.seq > $1::text::bigint AND l.seq <= $2::text::bigint ORDER BY l.seq LIMIT $3::text::bigint",
      log_table(settings), settings.metadata_table.quoted(), gone_row(settings));
}

std::vector<Change> read_changes(const Rows& rows) {
  std::vector<Change> changes;
  for (int row = 0; row < rows.size(); ++row)
    changes.push_back({static_cast<std::uint64_t>(rows.integer(row, kSeq)), std::string(rows.text(row, kKey)),
                       kind_of(rows.integer(row, kKind))});
  return changes;
}

bool has_all_after(const Rows& rows, std::uint64_t from) {
  return rows.size() > 0 && static_cast<std::uint64_t>(rows.integer(0, kGone)) <= from;
}

Result<std::unique_ptr<ChangeLog>> ChangeLog::open(Session& session, const PostgresqlSettings& settings,
                                                   SteadyTime deadline) {
  const std::string row = id_row(settings);
  const std::string gone = gone_row(settings);
  Values values;
  values.text(row).text(gone);
  auto found = session.run(kDoing,
                           fmt::format("SELECT (SELECT value FROM {0} WHERE key = $1::text), coalesce((SELECT max(seq) "
                                       "FROM {1}), (SELECT value::bigint FROM {0} WHERE key = $2::text), 0), "
                                       "pg_snapshot_xmax(pg_current_snapshot())::text::bigint",
                                       settings.metadata_table.quoted(), log_table(settings)),
                           values, deadline);
  if (!found) return fail(std::move(found.error()));
  return std::unique_ptr<ChangeLog>(
      new ChangeLog(settings, {.id = std::string(found->text(0, 0)),
                               .newest = static_cast<std::uint64_t>(found->integer(0, 1)),
                               .before = static_cast<std::uint64_t>(found->integer(0, 2))}));
}

ChangeLog::ChangeLog(const PostgresqlSettings& settings, Start start)
    : settings_(settings),
      statements_(settings),
      feed_(std::make_unique<state::Feed>(state::FeedLimits(), std::move(start.id), start.newest)),
      start_before_(start.before),
      last_(start.newest) {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "postgres-watch");
}

ChangeLog::~ChangeLog() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
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

void ChangeLog::catch_up(std::function<void()> done) {
  {
    const std::lock_guard lock(mutex_);
    begun_ = true;
    ++asked_;
    waiting_.push_back(std::move(done));
  }
  asked_changed_.notify_one();
}

void ChangeLog::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto asked = [this] { return asked_ != done_ || stopped_; };
    if (begun_)
      asked_changed_.wait_for(lock, kLook, asked);
    else
      asked_changed_.wait(lock, asked);
    const std::uint64_t turn = asked_;
    auto waiting = std::exchange(waiting_, {});
    lock.unlock();
    if (!stopped_) tail();
    for (const auto& done : waiting) done();
    lock.lock();
    done_ = turn;
    if (stopped_ && waiting_.empty()) return;
  }
}

// Publishes what has been logged. What cannot be read now is read the next time.
void ChangeLog::tail() {
  while (!stopped_) {
    Result<bool> more = true;
    if (session_ || reconnect()) more = read_on();
    if (more && session_) {
      failing_ = false;
      if (!*more) return;
      if (gap_) std::this_thread::sleep_for(kGapLook);
      continue;
    }
    if (!more && !std::exchange(failing_, true)) log::warn("holdfast.postgresql", "watch: {}", more.error().message);
    session_.reset();
    std::unique_lock lock(mutex_);
    asked_changed_.wait_for(lock, kPause, [this] { return stopped_.load(); });
    return;
  }
}

bool ChangeLog::reconnect() {
  auto session = Session::open(settings_, Role::primary, now() + kTimeout, &stopped_);
  if (!session) {
    if (!std::exchange(failing_, true)) log::warn("holdfast.postgresql", "watch: {}", session.error().message);
    return false;
  }
  session_.emplace(std::move(*session));
  return true;
}

Result<bool> ChangeLog::await_start() {
  const SteadyTime give_up = now() + kGapMax;
  while (!stopped_ && now() < give_up) {
    auto rows = session_->run(kDoing, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint", now() + kTimeout);
    if (!rows) return fail(std::move(rows.error()));
    if (static_cast<std::uint64_t>(rows->integer(0, 0)) >= *start_before_) break;
    std::this_thread::sleep_for(kGapLook);
  }
  start_before_.reset();
  return true;
}

Result<bool> ChangeLog::read_on() {
  if (start_before_)
    if (auto awaited = await_start(); !awaited) return awaited;
  Values values;
  const std::string from = std::to_string(last_);
  const std::string to = std::to_string(std::numeric_limits<std::int64_t>::max());
  const std::string limit = std::to_string(kPage);
  values.text(from).text(to).text(limit);
  auto rows = session_->run(kDoing, read_changes_sql(settings_), values, now() + kTimeout);
  if (!rows) return fail(std::move(rows.error()));
  const std::vector<Change> changes = read_changes(*rows);
  if (changes.empty()) {
    gap_.reset();
    return false;
  }
  if (!has_all_after(*rows, last_)) {
    // This thread has slept for longer than the log keeps.
    feed_->publish_loss();
    last_ = static_cast<std::uint64_t>(rows->integer(0, kGone));
  }
  const std::size_t count = settled(changes, *rows);
  if (auto published = publish(std::span(changes).first(count)); !published) return fail(std::move(published.error()));
  return gap_.has_value() || count == kPage;
}

std::size_t ChangeLog::settled(const std::vector<Change>& changes, const Rows& rows) {
  std::uint64_t expected = last_ + 1;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (changes[i].seq > expected) {
      const bool is_known = gap_ && gap_->from == expected;
      const auto oldest = static_cast<std::uint64_t>(rows.integer(0, kOldest));
      if (!is_known) {
        gap_ = {expected, static_cast<std::uint64_t>(rows.integer(0, kNext)), now()};
        return i;
      }
      if (oldest < gap_->before && now() - gap_->since < kGapMax) return i;
      // Undone; or its transaction takes longer than anybody is made to wait, and will not be told.
      if (oldest < gap_->before) feed_->publish_loss();
      gap_.reset();
    }
    expected = changes[i].seq + 1;
  }
  gap_.reset();
  return changes.size();
}

Status ChangeLog::publish(std::span<const Change> changes) {
  if (changes.empty()) return {};
  std::vector<Change> wanted;
  for (const Change& change : changes)
    if (feed_->wants(change.key)) wanted.push_back(change);
  const bool whole = feed_->wants_values();
  auto records = read_records(state::keys_put(wanted), {.want_value = whole, .want_fields = whole});
  if (!records) return fail(std::move(records.error()));
  for (const auto& event : state::events_of(wanted, *records, whole)) feed_->publish(*event);
  feed_->advance(changes.back().seq);
  last_ = changes.back().seq;
  return {};
}

Result<state::RecordsByKey> ChangeLog::read_records(const std::vector<std::string_view>& keys,
                                                    Statements::Shape shape) {
  state::RecordsByKey records;
  if (keys.empty()) return records;
  Values values;
  values.list(keys);
  auto rows = session_->run(kDoing, statements_.get_many(shape).sql, values, now() + kTimeout);
  if (!rows) return fail(std::move(rows.error()));
  for (int row = 0; row < rows->size(); ++row) {
    auto record = read_row(*rows, row, 1, shape, settings_.layout);
    if (!record) return fail(std::move(record.error()));
    records.emplace(rows->text(row, 0), std::move(*record));
  }
  return records;
}

}  // namespace holdfast::stores::postgresql
