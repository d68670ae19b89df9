// state.in-memory: one loop's handle on the data that all loops share (core.h).
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "state/store.h"
#include "stores/memory/core.h"

namespace holdfast::stores::memory {

class MemoryStore final : public state::StateStore {
 public:
  // On the loop. The core, the clock and the loop outlive the store.
  MemoryStore(MemoryCore& core, Scheduler& loop, const Clock& clock);
  ~MemoryStore() override;

  const state::Capabilities& capabilities() const override;

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
  Task<Result<state::ListPage>> page_of(state::CallContext context, state::ListRequest request, Walk walk);
  // Between the steps of a long walk: lets the loop serve others, then answers whether to go on.
  Task<Status> breathe(state::CallContext context);
  void let_go();

  MemoryCore& core_;
  Scheduler& loop_;
  const Clock& clock_;
  std::shared_ptr<state::Listener> listener_;
  std::shared_ptr<Sweeper::Seat> seat_;  // null once closed
};

}  // namespace holdfast::stores::memory
