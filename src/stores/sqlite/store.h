// state.sqlite: one file, one writer thread with group commit, a reading connection per loop.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/worker_pool.h"
#include "state/component.h"
#include "state/store.h"
#include "stores/sqlite/change_log.h"
#include "stores/sqlite/reader.h"
#include "stores/sqlite/settings.h"
#include "stores/sqlite/writer.h"

namespace holdfast::stores::sqlite {

// Shared by the loops. Thread-safe.
class SqliteCore final : public state::StoreCore {
 public:
  // Checks the file, makes the tables that are missing, starts the threads.
  static Result<std::shared_ptr<state::StoreCore>> open(SqliteSettings settings,
                                                        const state::StoreEnvironment& environment);
  ~SqliteCore() override;

  // The store refers to this core.
  Task<Result<std::unique_ptr<state::StateStore>>> open(Scheduler& loop) override;

  // A connection of a scan thread, for one call.
  class ScanLease {
   public:
    ScanLease(SqliteCore& core, Reader reader) : core_(core), reader_(std::move(reader)) {}
    ~ScanLease() { core_.give_back(std::move(reader_)); }
    ScanLease(const ScanLease&) = delete;
    ScanLease& operator=(const ScanLease&) = delete;
    Reader& reader() { return reader_; }

   private:
    SqliteCore& core_;
    Reader reader_;
  };
  Result<Reader> take_scan_reader();
  void give_back(Reader reader);

  Writer* writer() { return writer_.get(); }  // null when the database is read-only
  ChangeLog* change_log() { return change_log_.get(); }  // null without `watch: log`
  WorkerPool& scan_pool() { return scan_pool_; }
  const SqliteSettings& settings() const { return settings_; }
  const Place& place() const { return place_; }
  const Clock& clock() const { return clock_; }
  const state::Capabilities& capabilities() const { return capabilities_; }

 private:
  enum class Waits : bool { no, yes };
  SqliteCore(SqliteSettings settings, const Clock& clock);
  Status start();
  Result<Reader> open_reader(Waits waits);

  const SqliteSettings settings_;
  const Clock& clock_;
  Place place_;
  state::Capabilities capabilities_;
  std::mutex shared_mutex_;             // of the one connection of a database in memory
  std::shared_ptr<Database> database_;  // the writer's; everybody's for a database in memory
  std::unique_ptr<ChangeLog> change_log_;
  std::unique_ptr<Writer> writer_;
  std::mutex idle_mutex_;
  std::vector<Reader> idle_;
  WorkerPool scan_pool_;
};

class SqliteStore final : public state::StateStore {
 public:
  SqliteStore(SqliteCore& core, Scheduler& loop, Reader reader);
  ~SqliteStore() override;

  const state::Capabilities& capabilities() const override { return core_.capabilities(); }
  Task<Result<std::optional<state::Record>>> get(state::CallContext context, state::GetRequest request) override;
  Task<Result<state::Written>> set(state::CallContext context, state::SetRequest request) override;
  Task<Result<state::Deleted>> erase(state::CallContext context, state::DeleteRequest request) override;
  Task<std::vector<Result<std::optional<state::Record>>>> get_many(
      state::CallContext context, std::span<const state::GetRequest> requests) override;
  Task<std::vector<Result<state::Written>>> set_many(state::CallContext context,
                                                     std::span<const state::SetRequest> requests) override;
  Task<std::vector<Result<state::Deleted>>> erase_many(state::CallContext context,
                                                       std::span<const state::DeleteRequest> requests) override;
  Task<Result<std::vector<state::Written>>> transact(state::CallContext context,
                                                     std::span<const state::Operation> operations) override;
  Task<Result<state::ListPage>> list(state::CallContext context, state::ListRequest request) override;
  Task<Result<state::ListPage>> find(state::CallContext context, state::FindRequest request) override;
  Task<Result<state::KeyPage>> keys_like(state::CallContext context, state::LikeRequest request) override;
  Task<Result<std::uint64_t>> erase_prefix(state::CallContext context, state::DeletePrefixRequest request) override;
  Task<Result<state::QueryPage>> query(state::CallContext context, const state::Query& query) override;
  Task<Result<std::unique_ptr<state::Watcher>>> watch(state::CallContext context, state::WatchRequest request) override;
  Task<Status> ping(state::CallContext context) override;
  Task<Status> close(state::CallContext context) override;

 private:
  SteadyTime deadline_of(const state::CallContext& context) const;
  // Why a call should not begin: its time is up, it was cancelled.
  Status may_begin(const state::CallContext& context) const;
  // Why these writes cannot be queued.
  Status may_write(const state::CallContext& context) const;
  Status check_size(const state::SetRequest& request) const;
  template <class Work>
  auto on_scan_thread(state::CallContext context, Work work) -> Task<std::invoke_result_t<Work&, Reader&, WallTime>>;
  Error overloaded() const;
  void end_watches();

  SqliteCore& core_;
  Scheduler& loop_;
  Reader reader_;
  std::shared_ptr<state::Listener> listener_;  // null without `watch: log`, and once closed
};

}  // namespace holdfast::stores::sqlite
