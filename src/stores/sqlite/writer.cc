#include "stores/sqlite/writer.h"

#include <pthread.h>

#include <optional>

#include "base/log.h"
#include "stores/sqlite/change_log.h"

namespace holdfast::stores::sqlite {
namespace {

// Bounds the time one transaction keeps other processes waiting, and the pages it keeps in memory.
constexpr std::size_t kBatchStepsMax = 512;
// 16 MiB of log at 4 KiB a page: rewriting a page often costs one copy into the database, not many.
constexpr int kCheckpointPages = 4000;
// Above this, readers have kept the log from starting over: insist.
constexpr int kCheckpointInsistPages = 8 * kCheckpointPages;
constexpr int kSweepRows = 500;
constexpr Milliseconds kExpiryIsTold{1000};
constexpr int kSweepSideRows = 2000;
constexpr std::string_view kScope = "holdfast.sqlite";

Error too_late() { return {Errc::deadline_exceeded, "the time was up before the write began; nothing was changed"}; }

std::unique_lock<std::mutex> lock_if(std::mutex* mutex) {
  return mutex == nullptr ? std::unique_lock<std::mutex>() : std::unique_lock(*mutex);
}

}  // namespace

Result<std::unique_ptr<Writer>> Writer::open(std::shared_ptr<Database> database, const SqliteSettings& settings,
                                             const Clock& clock, std::mutex* shared) {
  auto records = RecordWriter::open(*database, settings);
  if (!records) return fail(std::move(records.error()));
  return std::unique_ptr<Writer>(new Writer(std::move(database), std::move(*records), settings, clock, shared));
}

Writer::Writer(std::shared_ptr<Database> database, RecordWriter records, const SqliteSettings& settings,
               const Clock& clock, std::mutex* shared)
    : database_(std::move(database)),
      records_(std::move(records)),
      settings_(settings),
      clock_(clock),
      shared_(shared),
      sweep_interval_(settings.watch_log ? kExpiryIsTold : settings.cleanup_interval),
      next_sweep_(std::chrono::steady_clock::now() + sweep_interval_) {
  // Checkpoints are ours to time: after the waiters were told, not before. Replaces the automatic
  // ones.
  sqlite3_wal_hook(
      database_->handle(),
      [](void* pages, sqlite3*, const char*, int count) {
        *static_cast<int*>(pages) = count;
        return SQLITE_OK;
      },
      &wal_pages_);
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "sqlite-writer");
}

Writer::~Writer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_one();
  thread_.join();
}

bool Writer::submit(WriteJob& job) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    // The bound is on what waits already, so that one request larger than the queue still gets its
    // turn.
    if (stopping_ || waiting_ >= settings_.write_queue_max) return false;
    job.next = nullptr;
    if (tail_ == nullptr)
      head_ = &job;
    else
      tail_->next = &job;
    tail_ = &job;
    waiting_ += job.steps();
    wake = std::exchange(is_asleep_, false);
  }
  if (wake) ready_.notify_one();
  return true;
}

void Writer::run() {
  for (;;) {
    WriteJob* batch = take();
    if (batch != nullptr) {
      do_batch(batch);
      complete(batch);
    } else {
      const std::lock_guard lock(mutex_);
      if (stopping_ && head_ == nullptr) return;
    }
    maintain();
  }
}

// The jobs of the next transaction; null when it is time to sweep or to stop.
WriteJob* Writer::take() {
  std::unique_lock lock(mutex_);
  const auto awake = [this] { return head_ != nullptr || stopping_; };
  while (!awake() && !is_sweeping_) {
    is_asleep_ = true;
    if (sweep_interval_.count() <= 0)
      ready_.wait(lock, awake);
    else if (!ready_.wait_until(lock, next_sweep_, awake))
      break;
  }
  is_asleep_ = false;
  WriteJob* first = head_;
  WriteJob* last = nullptr;
  std::size_t steps = 0;
  while (head_ != nullptr && (last == nullptr || steps + head_->steps() <= kBatchStepsMax)) {
    last = head_;
    steps += last->steps();
    head_ = head_->next;
  }
  if (last != nullptr) last->next = nullptr;
  if (head_ == nullptr) tail_ = nullptr;
  waiting_ -= steps;
  return first;
}

void Writer::do_batch(WriteJob* first) {
  const auto guard = lock_if(shared_);
  int code = SQLITE_OK;
  try {
    code = records_.begin(clock_.wall());
    if (code != SQLITE_OK) {
      const Error error = begin_error(code);
      for (WriteJob* job = first; job != nullptr; job = job->next) job->fail_all(error);
      return;
    }
    code = apply_all(first);
    if (code != SQLITE_OK) {
      // One request spoils the transaction for all: give each its own, so that only the guilty one
      // fails.
      records_.roll_back(*database_);
      return do_one_by_one(first);
    }
    code = records_.commit();
  } catch (const std::exception& problem) {
    records_.roll_back(*database_);
    const Error error(Errc::internal, problem.what());
    for (WriteJob* job = first; job != nullptr; job = job->next) job->fail_all(error);
    return;
  }
  if (code == SQLITE_OK) {
    commit_failed_ = false;
    return;
  }
  const Error error = describe_commit(database_->place(), code, sqlite3_errmsg(database_->handle()));
  // Once for a row of failures: under load there are hundreds a second.
  if (!std::exchange(commit_failed_, true)) log::error(kScope, "{}", error.message);
  records_.roll_back(*database_);
  for (WriteJob* job = first; job != nullptr; job = job->next) job->fail_all(error);
}

int Writer::apply_all(WriteJob* first) {
  const SteadyTime now = clock_.steady();
  for (WriteJob* job = first; job != nullptr; job = job->next) {
    if (job->deadline <= now) {
      job->fail_all(too_late());
      continue;
    }
    for (std::size_t step = 0; step < job->steps(); ++step)
      if (const int code = job->apply(records_, step); code != SQLITE_OK) return code;
  }
  return SQLITE_OK;
}

void Writer::do_one_by_one(WriteJob* first) {
  const SteadyTime now = clock_.steady();
  for (WriteJob* job = first; job != nullptr; job = job->next) {
    if (job->deadline <= now) {
      job->fail_all(too_late());
      continue;
    }
    for (std::size_t step = 0; step < job->steps(); ++step) do_step(*job, step);
  }
}

void Writer::do_step(WriteJob& job, std::size_t step) {
  int code = records_.begin(clock_.wall());
  if (code != SQLITE_OK) return job.fail(step, begin_error(code));
  code = job.apply(records_, step);
  if (code != SQLITE_OK) {
    job.fail(step, begin_error(code));
    return records_.roll_back(*database_);
  }
  code = records_.commit();
  if (code == SQLITE_OK) return;
  job.fail(step, describe_commit(database_->place(), code, sqlite3_errmsg(database_->handle())));
  records_.roll_back(*database_);
}

void Writer::complete(WriteJob* first) {
  if (ChangeLog* log = change_log_) log->wake();
  finished_.clear();
  for (WriteJob* job = first; job != nullptr;) {
    WriteJob* next = std::exchange(job->next, nullptr);
    LoopJobs* mine = nullptr;
    for (LoopJobs& each : finished_)
      if (each.loop == &job->loop) mine = &each;
    if (mine == nullptr) {
      finished_.push_back({&job->loop, job, job});
    } else {
      mine->tail->next = job;
      mine->tail = job;
    }
    job = next;
  }
  for (const LoopJobs& each : finished_)
    each.loop->post([job = each.head]() mutable {
      // Resuming ends the frame that the job lives in.
      while (job != nullptr) std::exchange(job, job->next)->waiter.resume();
    });
}

void Writer::maintain() {
  if (wal_pages_ >= kCheckpointPages) checkpoint();
  if (sweep_interval_.count() <= 0) return;
  if (is_sweeping_) {
    is_sweeping_ = sweep(false);
  } else if (std::chrono::steady_clock::now() >= next_sweep_) {
    next_sweep_ = std::chrono::steady_clock::now() + sweep_interval_;
    is_sweeping_ = sweep(true);
  }
}

void Writer::checkpoint() {
  const int mode = wal_pages_ >= kCheckpointInsistPages ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE;
  const int code = sqlite3_wal_checkpoint_v2(database_->handle(), nullptr, mode, nullptr, nullptr);
  wal_pages_ = 0;
  const bool failed = code != SQLITE_OK && !is_busy(code);
  // Once is enough: it is tried again, and the log keeps everything meanwhile.
  if (failed && !checkpoint_failed_) log::warn(kScope, "{}", database_->error("checkpoint", code).message);
  checkpoint_failed_ = failed;
}

// Removes some expired rows; true when there are more. Short transactions, one between two batches,
// so that writers and other processes get their turn.
bool Writer::sweep(bool is_first) {
  const auto guard = lock_if(shared_);
  bool due = true;
  int removed = 0;
  int code = records_.begin(clock_.wall());
  if (code == SQLITE_OK && is_first && !settings_.watch_log)
    code = records_.take_cleanup_turn(settings_.cleanup_interval, due);
  if (code == SQLITE_OK && due) code = records_.remove_expired(kSweepRows, removed);
  if (code == SQLITE_OK && due && is_first && std::chrono::steady_clock::now() >= next_orphans_) {
    next_orphans_ = std::chrono::steady_clock::now() + settings_.cleanup_interval;
    code = records_.remove_orphans(kSweepSideRows, orphans_from_);
  }
  if (code == SQLITE_OK) code = records_.commit();
  if (code == SQLITE_OK) {
    if (ChangeLog* log = change_log_; log != nullptr && removed > 0) log->wake();
    return removed == kSweepRows;
  }
  const Error error = database_->error("remove expired records from", code);
  records_.roll_back(*database_);
  if (!is_busy(code)) log::warn(kScope, "{}", error.message);
  return false;
}

}  // namespace holdfast::stores::sqlite
