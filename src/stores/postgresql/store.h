// state.postgresql: one loop's handle on a database. README.md says what it promises.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/worker_pool.h"
#include "state/component.h"
#include "state/feed.h"
#include "state/store.h"
#include "stores/postgresql/change_log.h"
#include "stores/postgresql/pool.h"
#include "stores/postgresql/schema.h"
#include "stores/postgresql/settings.h"
#include "stores/postgresql/standbys.h"
#include "stores/postgresql/statements.h"
#include "stores/postgresql/sweeper.h"
#include "stores/postgresql/writes.h"

namespace holdfast::stores::postgresql {

// Shared by the loops. Thread-safe.
class PostgresqlCore final : public state::StoreCore {
 public:
  static Result<std::shared_ptr<state::StoreCore>> make(const state::Component& component, Engine engine, Layout layout,
                                                        const state::StoreEnvironment& environment);

  // Connects, and makes the tables that are missing: Errc::unavailable or denied when that cannot be done within the
  // component's initTimeout. `loop` has to be a net::Loop. The store refers to this core.
  Task<Result<std::unique_ptr<state::StateStore>>> open(Scheduler& loop) override;

  // As they are once a store was opened.
  const PostgresqlSettings& settings() const { return settings_; }
  const ServerFacts& facts() const { return *facts_; }
  WorkerPool& openers() { return openers_; }
  ChangeLog* change_log() { return change_log_.get(); }  // null without `watch: log`
  // True for one of the loops.
  bool may_sweep() { return !only_looks_ && !sweeps_.exchange(true); }

 private:
  PostgresqlCore(PostgresqlSettings settings, Milliseconds init_timeout, const state::StoreEnvironment& environment);
  // Blocks.
  Status prepare(SteadyTime deadline);
  // How many connections the next loop gets: all loops together as many as the component says, and each one at least.
  std::size_t next_share();

  PostgresqlSettings settings_;
  const Milliseconds init_timeout_;
  const std::size_t loops_;
  const bool only_looks_;
  std::mutex preparing_;
  std::optional<ServerFacts> facts_;  // once the database is prepared
  std::atomic<std::size_t> handles_{0};
  std::atomic<bool> sweeps_{false};
  std::unique_ptr<ChangeLog> change_log_;
  WorkerPool openers_;
};

class PostgresqlStore final : public state::StateStore {
 public:
  // `connections_max` are this loop's to the primary; there may be as many to standbys.
  PostgresqlStore(PostgresqlCore& core, net::Loop& loop, std::size_t connections_max);
  // After close().
  ~PostgresqlStore() override;

  // Opens the first connection.
  Task<Status> connect(SteadyTime deadline);

  const state::Capabilities& capabilities() const override { return capabilities_; }
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
  using Kind = Pool::Kind;

  SteadyTime deadline_of(const state::CallContext& context) const;
  Status may_begin(const state::CallContext& context, Kind kind) const;
  // The rows of each execution; or the error that its caller is told.
  Task<Result<std::vector<Rows>>> ask(state::CallContext context, std::span<const Execution> executions, Kind kind,
                                      std::string_view doing, Sharing sharing = {});
  // reading.cc: of a standby where the level permits it and it is far enough, else of the primary. A caller's session
  // hears how far it has come.
  Task<Answer> read(state::CallContext context, std::span<const Execution> executions, Sharing sharing);
  Task<std::optional<Answer>> read_standby(state::CallContext context, std::span<const Execution> executions,
                                           Sharing sharing);
  Task<void> note_written(state::CallContext context);
  bool waits_for_standbys(state::Consistency level) const;
  // The transaction of a write.
  Task<Answer> run_writes(state::CallContext context, const Writes& writes, Sharing sharing = {});
  // Of a write of one key.
  Sharing sharing_of(const state::CallContext& context, std::string_view key) const;
  Sharing sharing_of(const state::CallContext& context, const state::SetRequest& request);
  Error error_of(const Answer& answer, Kind kind, std::string_view doing) const;
  Writes begin_writes(const state::CallContext& context);
  // After a save whose outcome is unknown: whether it has happened, which its etag tells with v2. If it is known.
  Task<bool> has_happened(state::CallContext context, std::string_view key, std::string_view etag);
  // What is told where a condition does not hold.
  Task<Error> mismatch(state::CallContext context, std::string_view key, const state::Precondition& when);
  // Of an operation of a transaction that has happened. The arguments live until it is done.
  Task<Result<state::Written>> outcome_of(state::CallContext context, const state::SetRequest& request,
                                          const Writes& writes, std::size_t operation, const std::vector<Rows>& rows);
  Task<Result<state::Deleted>> outcome_of(state::CallContext context, const state::DeleteRequest& request,
                                          const Writes& writes, std::size_t operation, const std::vector<Rows>& rows);
  Task<Result<state::Deleted>> erase_absent(state::CallContext context, state::DeleteRequest request);
  Error transaction_error(const Answer& answer, const Writes& writes) const;

  // bulk.cc
  template <class Outcome, class Request>
  Task<std::optional<std::vector<Result<Outcome>>>> write_together(state::CallContext context,
                                                                   std::span<const Request> requests,
                                                                   std::string_view doing);

  // listing.cc
  Task<Result<state::ListPage>> list_records(state::CallContext context, state::ListRequest request,
                                             Statements::Shape shape, const state::FindRequest* entry);
  Task<Result<state::ListPage>> list_page(state::CallContext context, state::ListRequest request,
                                          const state::FindRequest* entry);

  // watching.cc
  Task<void> catch_up();
  Task<Result<std::optional<state::FeedEvents>>> missed_changes(state::CallContext context, std::uint64_t from,
                                                                std::uint64_t to);
  void end_watches();

  // querying.cc
  Task<Result<state::QueryPage>> look_through(state::CallContext context, const state::Query& query);

  PostgresqlCore& core_;
  const PostgresqlSettings& settings_;
  net::Loop& loop_;
  Statements statements_;
  const Statement &probe_, &primary_position_, &standby_position_;
  Pool pool_;
  std::optional<Pool> waiting_pool_;  // for commits that wait for standbys, so that nobody waits behind them
  std::optional<Pool> standby_pool_;
  Sweeper sweeper_;
  bool sweeps_ = false;
  state::Capabilities capabilities_;
  std::shared_ptr<state::Listener> listener_;  // with a change log, until it is closed
};

}  // namespace holdfast::stores::postgresql
