// The one thread that writes. It takes everything that waits, does it in one transaction and
// commits once, so that all of it shares one sync of the disk (group commit); then it tells every
// loop with one post.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "stores/sqlite/database.h"
#include "stores/sqlite/record_writer.h"
#include "stores/sqlite/settings.h"
#include "stores/sqlite/write_jobs.h"

namespace holdfast::stores::sqlite {

class ChangeLog;

class Writer {
 public:
  // `shared` is held while a transaction is open; null when no other thread uses the connection.
  // `clock` and `shared` outlive the writer.
  static Result<std::unique_ptr<Writer>> open(std::shared_ptr<Database> database, const SqliteSettings& settings,
                                              const Clock& clock, std::mutex* shared);
  // Does what is queued, then stops. Takes the final checkpoint when this is the file's last
  // connection.
  ~Writer();

  // Any thread. False when the queue is full: the job is not taken. Else job.waiter is resumed on
  // job.loop, once every outcome is known and, if it is a success, as durable as the settings say.
  bool submit(WriteJob& job);
  // Any thread: `log`, which outlives the writer, is told of commits from now on.
  void tell(ChangeLog* log) { change_log_ = log; }

 private:
  Writer(std::shared_ptr<Database> database, RecordWriter records, const SqliteSettings& settings, const Clock& clock,
         std::mutex* shared);
  void run();
  WriteJob* take();
  void do_batch(WriteJob* first);
  int apply_all(WriteJob* first);
  void do_one_by_one(WriteJob* first);
  void do_step(WriteJob& job, std::size_t step);
  void complete(WriteJob* first);
  void maintain();
  bool sweep(bool is_first);
  void checkpoint();
  Error begin_error(int code) const { return database_->error("write to", code); }

  std::shared_ptr<Database> database_;
  RecordWriter records_;
  const SqliteSettings settings_;
  const Clock& clock_;
  std::mutex* const shared_;

  std::mutex mutex_;
  std::condition_variable ready_;
  WriteJob* head_ = nullptr;  // guarded by mutex_, as the next four
  WriteJob* tail_ = nullptr;
  std::size_t waiting_ = 0;  // steps
  bool is_asleep_ = false;
  bool stopping_ = false;

  // The writer thread's own.
  struct LoopJobs {
    Scheduler* loop;
    WriteJob* head;
    WriteJob* tail;
  };
  std::vector<LoopJobs> finished_;
  int wal_pages_ = 0;
  // With a change log expired rows go as soon as anybody may wait for it, and every sidecar's writer does so.
  const Milliseconds sweep_interval_;
  std::chrono::steady_clock::time_point next_orphans_{};
  std::atomic<ChangeLog*> change_log_ = nullptr;
  std::chrono::steady_clock::time_point next_sweep_;
  bool is_sweeping_ = false;
  std::string orphans_from_;
  bool checkpoint_failed_ = false;
  bool commit_failed_ = false;
  std::thread thread_;
};

}  // namespace holdfast::stores::sqlite
