// What a loop asks of the writer thread. A job lives in the frame of the coroutine that waits for
// it and points at the caller's request; queueing it allocates nothing.
#pragma once

#include <coroutine>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/scheduler.h"
#include "state/store.h"
#include "stores/sqlite/record_writer.h"

namespace holdfast::stores::sqlite {

class WriteJob {
 public:
  WriteJob(const state::CallContext& context, SteadyTime deadline, Scheduler& loop)
      : principal(context.principal), deadline(deadline), loop(loop) {}
  virtual ~WriteJob() = default;
  WriteJob(const WriteJob&) = delete;
  WriteJob& operator=(const WriteJob&) = delete;

  // Parts that succeed or fail on their own.
  virtual std::size_t steps() const { return 1; }
  // Does one part in the open transaction and keeps its outcome, which a failed precondition is
  // too. A code other than SQLITE_OK: the transaction must be rolled back, after which the part may
  // be done again.
  virtual int apply(RecordWriter& records, std::size_t step) = 0;
  // Replaces the outcome of a part.
  virtual void fail(std::size_t step, const Error& error) = 0;
  void fail_all(const Error& error) {
    for (std::size_t i = 0; i < steps(); ++i) fail(i, error);
  }

  std::string_view principal;
  SteadyTime deadline;
  Scheduler& loop;
  std::coroutine_handle<> waiter;
  WriteJob* next = nullptr;
};

// Saves, each on its own; `outcomes` is as long as `requests`.
class SetJob final : public WriteJob {
 public:
  SetJob(const state::CallContext& context, SteadyTime deadline, Scheduler& loop,
         std::span<const state::SetRequest> requests, std::span<Result<state::Written>> outcomes)
      : WriteJob(context, deadline, loop), requests_(requests), outcomes_(outcomes) {}
  std::size_t steps() const override { return requests_.size(); }
  int apply(RecordWriter& records, std::size_t step) override;
  void fail(std::size_t step, const Error& error) override { outcomes_[step] = std::unexpected(error); }

 private:
  std::span<const state::SetRequest> requests_;
  std::span<Result<state::Written>> outcomes_;
};

class EraseJob final : public WriteJob {
 public:
  EraseJob(const state::CallContext& context, SteadyTime deadline, Scheduler& loop,
           std::span<const state::DeleteRequest> requests, std::span<Result<state::Deleted>> outcomes)
      : WriteJob(context, deadline, loop), requests_(requests), outcomes_(outcomes) {}
  std::size_t steps() const override { return requests_.size(); }
  int apply(RecordWriter& records, std::size_t step) override;
  void fail(std::size_t step, const Error& error) override { outcomes_[step] = std::unexpected(error); }

 private:
  std::span<const state::DeleteRequest> requests_;
  std::span<Result<state::Deleted>> outcomes_;
};

// All or nothing: every precondition is judged before the first change.
class TransactJob final : public WriteJob {
 public:
  TransactJob(const state::CallContext& context, SteadyTime deadline, Scheduler& loop,
              std::span<const state::Operation> operations)
      : WriteJob(context, deadline, loop), operations_(operations) {}
  int apply(RecordWriter& records, std::size_t step) override;
  void fail(std::size_t, const Error& error) override { outcome = std::unexpected(error); }

  Result<std::vector<state::Written>> outcome;

 private:
  int check_all(RecordWriter& records, bool& holds);
  int apply_one(RecordWriter& records, const state::Operation& operation, state::Written& written);
  std::span<const state::Operation> operations_;
};

// Removes what is still there of `keys`.
class EraseKeysJob final : public WriteJob {
 public:
  EraseKeysJob(const state::CallContext& context, SteadyTime deadline, Scheduler& loop,
               std::span<const std::string> keys)
      : WriteJob(context, deadline, loop), keys_(keys) {}
  int apply(RecordWriter& records, std::size_t step) override;
  void fail(std::size_t, const Error& error) override { outcome = std::unexpected(error); }

  Result<std::uint64_t> outcome;  // how many of them were live

 private:
  std::span<const std::string> keys_;
};

// Comes back when everything queued before it is done, well or not.
class BarrierJob final : public WriteJob {
 public:
  using WriteJob::WriteJob;
  int apply(RecordWriter&, std::size_t) override { return 0; }
  void fail(std::size_t, const Error&) override {}
};

}  // namespace holdfast::stores::sqlite
