// How the contract maps to SQLite.
//
// Etag: a new UUID with every write, in Dapr's column; the writer compares and writes in one
// transaction, so a condition is atomic among all loops, and among processes because BEGIN
// IMMEDIATE takes the file's write lock. Reads never wait for writes (WAL): a point read costs a
// few microseconds and is done on the loop itself, on a connection that does not wait. Where the
// database is busy all the same (rollback journal, recovery), and for whatever visits many rows,
// the work goes to a scan thread, whose connection may wait. A database in memory exists only
// inside its connection: all threads use that one, under a mutex.
#include "stores/sqlite/store.h"

#include <fmt/format.h>

#include "base/log.h"
#include "stores/sqlite/scan.h"
#include "stores/sqlite/schema.h"

namespace holdfast::stores::sqlite {
namespace {

using state::CallContext;

constexpr std::size_t kScanThreads = 2;
constexpr std::size_t kScanQueueMax = 256;
constexpr std::size_t kPointReadsMax = 16;
constexpr std::size_t kEraseChunk = 500;
// SQLite bounds a row at 10^9 bytes; a value in base64 takes a third more than its bytes.
constexpr std::uint64_t kValueBytesMax = 700'000'000;

state::Capabilities capabilities_of(const SqliteSettings& settings) {
  state::Capabilities able;
  able.etag = true;
  able.record_fields = true;
  able.reports_created = true;
  able.ttl = true;
  able.ttl_grain_ms = 1;
  able.transaction_ops_max = state::kUnlimited;
  able.snapshot_read = true;
  able.list = true;
  able.ordered_list = true;
  able.keys_like = true;
  able.delete_prefix = true;
  able.query = true;
  able.watch = able.watch_resume = able.watch_coalesces = settings.watch_log;
  able.secondary_index = true;
  able.exact_json = true;
  able.durable = settings.is_durable();
  able.value_bytes_max = kValueBytesMax;
  able.reads = state::Capabilities::always_strong();
  able.writes = state::Capabilities::always_strong();
  return able;
}

// Hands a job to the writer; resumes when it is done. False: the queue was full.
class Submission {
 public:
  Submission(Writer& writer, WriteJob& job) : writer_(writer), job_(job) {}
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> waiter) {
    job_.waiter = waiter;
    accepted_ = writer_.submit(job_);
    return accepted_;
  }
  bool await_resume() const noexcept { return accepted_; }

 private:
  Writer& writer_;
  WriteJob& job_;
  bool accepted_ = false;
};

}  // namespace

SqliteCore::SqliteCore(SqliteSettings settings, const Clock& clock)
    : settings_(std::move(settings)),
      clock_(clock),
      place_{settings_.component, settings_.connection.uri},
      capabilities_(capabilities_of(settings_)),
      scan_pool_("sqlite-scan", kScanThreads, kScanQueueMax) {}

SqliteCore::~SqliteCore() = default;

Result<std::shared_ptr<state::StoreCore>> SqliteCore::open(SqliteSettings settings,
                                                           const state::StoreEnvironment& environment) {
  std::shared_ptr<SqliteCore> core(new SqliteCore(std::move(settings), environment.clock));
  if (auto started = core->start(); !started) return fail(std::move(started.error()));
  return core;
}

Status SqliteCore::start() {
  const int flags = settings_.connection.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  // Threads take turns on a database in memory, but let go of their statements whenever they end.
  const int mutex = settings_.connection.in_memory ? SQLITE_OPEN_FULLMUTEX : SQLITE_OPEN_NOMUTEX;
  auto opened = Database::open(place_, settings_.connection.uri, flags | mutex);
  if (!opened) return fail(std::move(opened.error()));
  database_ = std::make_shared<Database>(std::move(*opened));
  const std::string file = database_->file();
  place_.file = file.empty() ? ":memory:" : file;
  database_->set_place(place_);
  Status status = check_access(*database_, settings_);
  if (status) status = configure(*database_, settings_);
  if (status) status = check_schema(*database_, settings_);
  if (status) status = set_journal_mode(*database_, settings_);
  if (status && !settings_.connection.read_only) status = make_schema(*database_, settings_);
  if (status && settings_.watch_log) status = make_change_log(*database_, settings_);
  if (status) status = add_functions(*database_);
  if (status && settings_.connection.read_only) {
    const auto found = has_index(*database_, settings_);
    if (!found) return fail(found.error());
    capabilities_.secondary_index = *found;
  }
  if (!status || settings_.connection.read_only) return status;
  // A batch is bounded, so its pages may stay in memory until the commit rather than go to the log
  // twice.
  database_->execute("PRAGMA cache_spill = OFF");
  auto writer = Writer::open(database_, settings_, clock_, settings_.connection.in_memory ? &shared_mutex_ : nullptr);
  if (!writer) return fail(std::move(writer.error()));
  writer_ = std::move(*writer);
  if (!settings_.watch_log) return {};
  auto reader = open_reader(Waits::yes);
  if (!reader) return fail(std::move(reader.error()));
  auto log = ChangeLog::open(std::move(*reader), clock_);
  if (!log) return fail(std::move(log.error()));
  change_log_ = std::move(*log);
  writer_->tell(change_log_.get());
  return {};
}

Result<Reader> SqliteCore::open_reader(Waits waits) {
  if (settings_.connection.in_memory) return Reader::open(database_, settings_, &shared_mutex_);
  const int flags = settings_.connection.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  auto opened = Database::open(place_, settings_.connection.uri, flags | SQLITE_OPEN_NOMUTEX);
  if (!opened) return fail(std::move(opened.error()));
  auto database = std::make_shared<Database>(std::move(*opened));
  Status status = configure(*database, settings_);
  if (status) status = add_functions(*database);
  if (!status) return fail(std::move(status.error()));
  database->execute("PRAGMA query_only = ON");
  if (waits == Waits::no) sqlite3_busy_timeout(database->handle(), 0);
  return Reader::open(std::move(database), settings_, nullptr);
}

Task<Result<std::unique_ptr<state::StateStore>>> SqliteCore::open(Scheduler& loop) {
  auto reader = open_reader(Waits::no);
  if (!reader) co_return fail(std::move(reader.error()));
  co_return std::make_unique<SqliteStore>(*this, loop, std::move(*reader));
}

Result<Reader> SqliteCore::take_scan_reader() {
  {
    const std::lock_guard lock(idle_mutex_);
    if (!idle_.empty()) {
      Reader reader = std::move(idle_.back());
      idle_.pop_back();
      return reader;
    }
  }
  return open_reader(Waits::yes);
}

void SqliteCore::give_back(Reader reader) {
  const std::lock_guard lock(idle_mutex_);
  idle_.push_back(std::move(reader));
}

SqliteStore::SqliteStore(SqliteCore& core, Scheduler& loop, Reader reader)
    : core_(core), loop_(loop), reader_(std::move(reader)) {
  if (core.change_log() != nullptr) listener_ = std::make_shared<state::Listener>(core.change_log()->feed(), loop);
}

SqliteStore::~SqliteStore() { end_watches(); }

void SqliteStore::end_watches() {
  if (listener_ != nullptr) std::exchange(listener_, nullptr)->close();
}

SteadyTime SqliteStore::deadline_of(const CallContext& context) const {
  return std::min(context.deadline, core_.clock().steady() + core_.settings().timeout);
}

Status SqliteStore::may_begin(const CallContext& context) const {
  if (context.is_cancelled()) return fail(Errc::deadline_exceeded, "the caller went away before the call began");
  if (context.deadline != SteadyTime::max() && context.deadline <= core_.clock().steady())
    return fail(Errc::deadline_exceeded, "the time was up before the call began");
  return {};
}

Status SqliteStore::may_write(const CallContext& context) const {
  if (core_.writer() == nullptr)
    return fail(Errc::denied, fmt::format("component \"{}\" (state.sqlite): {} is opened "
                                          "read-only. Take mode=ro or immutable=1 out "
                                          "of connectionString to write.",
                                          core_.place().component, core_.place().file));
  return may_begin(context);
}

Status SqliteStore::check_size(const state::SetRequest& request) const {
  if (request.value.size() + request.key.size() <= kValueBytesMax) return {};
  return fail(Errc::invalid_argument,
              fmt::format("the value has {} bytes, more than the {} that a record of SQLite can hold",
                          request.value.size(), kValueBytesMax));
}

template <class Work>
auto SqliteStore::on_scan_thread(CallContext context, Work work)
    -> Task<std::invoke_result_t<Work&, Reader&, WallTime>> {
  if (auto may = may_begin(context); !may) co_return fail(std::move(may.error()));
  const SteadyTime deadline = deadline_of(context);
  const auto job = [&]() -> std::invoke_result_t<Work&, Reader&, WallTime> {
    auto reader = core_.take_scan_reader();
    if (!reader) return fail(std::move(reader.error()));
    SqliteCore::ScanLease lease(core_, std::move(*reader));
    lease.reader().set_deadline(core_.clock(), deadline);
    return work(lease.reader(), core_.clock().wall());
  };
  co_return co_await offload(core_.scan_pool(), loop_, job);
}

Error SqliteStore::overloaded() const {
  return {Errc::overloaded,
          fmt::format("component \"{}\" (state.sqlite): {} writes wait for the disk already; try again later",
                      core_.place().component, core_.settings().write_queue_max)};
}

Task<Result<std::optional<state::Record>>> SqliteStore::get(CallContext context, state::GetRequest request) {
  if (auto may = may_begin(context); !may) co_return fail(std::move(may.error()));
  auto found = reader_.get(request, core_.clock().wall());
  if (found || !reader_.was_busy()) co_return found;
  co_return co_await on_scan_thread(context, [&](Reader& reader, WallTime now) { return reader.get(request, now); });
}

Task<Result<state::Written>> SqliteStore::set(CallContext context, state::SetRequest request) {
  Status may = may_write(context);
  if (may) may = check_size(request);
  if (!may) co_return fail(std::move(may.error()));
  Result<state::Written> outcome;
  SetJob job(context, deadline_of(context), loop_, {&request, 1}, {&outcome, 1});
  if (!co_await Submission(*core_.writer(), job)) co_return fail(overloaded());
  co_return outcome;
}

Task<Result<state::Deleted>> SqliteStore::erase(CallContext context, state::DeleteRequest request) {
  if (auto may = may_write(context); !may) co_return fail(std::move(may.error()));
  Result<state::Deleted> outcome;
  EraseJob job(context, deadline_of(context), loop_, {&request, 1}, {&outcome, 1});
  if (!co_await Submission(*core_.writer(), job)) co_return fail(overloaded());
  co_return outcome;
}

Task<std::vector<Result<std::optional<state::Record>>>> SqliteStore::get_many(
    CallContext context, std::span<const state::GetRequest> requests) {
  using Found = Result<std::optional<state::Record>>;
  if (auto may = may_begin(context); !may) co_return std::vector<Found>(requests.size(), fail(may.error()));
  if (requests.size() <= kPointReadsMax) {
    auto found = reader_.get_many(requests, core_.clock().wall());
    if (!reader_.was_busy()) co_return found;
  }
  auto found = co_await on_scan_thread(context, [&](Reader& reader, WallTime now) -> Result<std::vector<Found>> {
    return reader.get_many(requests, now);
  });
  if (!found) co_return std::vector<Found>(requests.size(), fail(found.error()));
  co_return std::move(*found);
}

Task<std::vector<Result<state::Written>>> SqliteStore::set_many(CallContext context,
                                                                std::span<const state::SetRequest> requests) {
  using Outcomes = std::vector<Result<state::Written>>;
  if (requests.empty()) co_return Outcomes();
  Status may = may_write(context);
  // One value that no record can hold spoils nothing but itself; the others still share a commit.
  if (may && requests.size() > 1)
    for (const state::SetRequest& request : requests)
      if (!check_size(request)) co_return co_await StateStore::set_many(context, requests);
  if (may && requests.size() == 1) may = check_size(requests.front());
  if (!may) co_return Outcomes(requests.size(), fail(may.error()));
  Outcomes outcomes(requests.size());
  SetJob job(context, deadline_of(context), loop_, requests, outcomes);
  if (!co_await Submission(*core_.writer(), job)) co_return Outcomes(requests.size(), fail(overloaded()));
  co_return outcomes;
}

Task<std::vector<Result<state::Deleted>>> SqliteStore::erase_many(CallContext context,
                                                                  std::span<const state::DeleteRequest> requests) {
  using Outcomes = std::vector<Result<state::Deleted>>;
  if (requests.empty()) co_return Outcomes();
  if (auto may = may_write(context); !may) co_return Outcomes(requests.size(), fail(may.error()));
  Outcomes outcomes(requests.size());
  EraseJob job(context, deadline_of(context), loop_, requests, outcomes);
  if (!co_await Submission(*core_.writer(), job)) co_return Outcomes(requests.size(), fail(overloaded()));
  co_return outcomes;
}

Task<Result<std::vector<state::Written>>> SqliteStore::transact(CallContext context,
                                                                std::span<const state::Operation> operations) {
  Status may = may_write(context);
  for (std::size_t i = 0; may && i < operations.size(); ++i)
    if (const auto* set = std::get_if<state::SetRequest>(&operations[i])) {
      may = check_size(*set);
      if (!may) may.error().operation = static_cast<int>(i);
    }
  if (!may) co_return fail(std::move(may.error()));
  TransactJob job(context, deadline_of(context), loop_, operations);
  if (!co_await Submission(*core_.writer(), job)) co_return fail(overloaded());
  co_return std::move(job.outcome);
}

Task<Result<state::ListPage>> SqliteStore::list(CallContext context, state::ListRequest request) {
  co_return co_await on_scan_thread(context,
                                    [&](Reader& reader, WallTime now) { return sqlite::list(reader, request, now); });
}

Task<Result<state::ListPage>> SqliteStore::find(CallContext context, state::FindRequest request) {
  if (!core_.capabilities().secondary_index) co_return co_await StateStore::find(context, request);
  co_return co_await on_scan_thread(context,
                                    [&](Reader& reader, WallTime now) { return sqlite::find(reader, request, now); });
}

Task<Result<state::KeyPage>> SqliteStore::keys_like(CallContext context, state::LikeRequest request) {
  co_return co_await on_scan_thread(
      context, [&](Reader& reader, WallTime now) { return sqlite::keys_like(reader, request, now); });
}

Task<Result<state::QueryPage>> SqliteStore::query(CallContext context, const state::Query& query) {
  co_return co_await on_scan_thread(context,
                                    [&](Reader& reader, WallTime now) { return sqlite::query(reader, query, now); });
}

// In chunks, each its own transaction, so that other writes go on in between: not atomic as a
// whole.
Task<Result<std::uint64_t>> SqliteStore::erase_prefix(CallContext context, state::DeletePrefixRequest request) {
  std::uint64_t erased = 0;
  std::string after;
  for (;;) {
    if (auto may = may_write(context); !may) co_return fail(std::move(may.error()));
    auto keys = co_await on_scan_thread(
        context, [&](Reader& reader, WallTime) { return keys_under(reader, request, after, kEraseChunk); });
    if (!keys) co_return fail(std::move(keys.error()));
    if (keys->empty()) co_return erased;
    EraseKeysJob job(context, deadline_of(context), loop_, *keys);
    if (!co_await Submission(*core_.writer(), job)) co_return fail(overloaded());
    if (!job.outcome) co_return fail(std::move(job.outcome.error()));
    erased += *job.outcome;
    if (keys->size() < kEraseChunk) co_return erased;
    after = std::move(keys->back());
  }
}

Task<Status> SqliteStore::ping(CallContext context) {
  if (auto may = may_begin(context); !may) co_return fail(std::move(may.error()));
  Status answer = reader_.ping();
  if (answer || !reader_.was_busy()) co_return answer;
  co_return co_await on_scan_thread(context, [](Reader& reader, WallTime) { return reader.ping(); });
}

// In place once the feed has all that was committed before; a token that the ring cannot continue, the log may.
Task<Result<std::unique_ptr<state::Watcher>>> SqliteStore::watch(CallContext context, state::WatchRequest request) {
  ChangeLog* const log = core_.change_log();
  if (log == nullptr)
    co_return fail(
        Errc::unsupported,
        fmt::format("component \"{}\" (state.sqlite) logs no changes, so that there is nothing to watch; set "
                    "its field watch to log",
                    core_.place().component));
  auto caught_up = co_await on_scan_thread(context, [&](Reader&, WallTime) -> Result<bool> {
    log->catch_up();
    return true;
  });
  if (!caught_up) co_return fail(std::move(caught_up.error()));
  if (listener_ == nullptr) co_return fail(Errc::unavailable, "the store was closed meanwhile");
  auto watcher = listener_->watch(request, [] {});
  const auto from = log->feed().parse_token(request.resume);
  if (!watcher->is_lost() || !from || *from > watcher->begin()) co_return std::move(watcher);
  auto missed = co_await on_scan_thread(
      context, [&](Reader& reader, WallTime now) { return log->changes(reader, *from, watcher->begin(), now); });
  if (!missed) co_return fail(std::move(missed.error()));
  if (*missed) watcher->continue_with(std::move(**missed));
  co_return std::move(watcher);
}

Task<Status> SqliteStore::close(CallContext context) {
  end_watches();
  if (core_.writer() == nullptr) co_return Status();
  // Behind everything this loop has queued.
  BarrierJob job(context, deadline_of(context), loop_);
  if (!co_await Submission(*core_.writer(), job)) co_return fail(overloaded());
  co_return Status();
}

}  // namespace holdfast::stores::sqlite
