// state.memcached: one loop's handle on some servers. README.md says what it promises.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "net/loop.h"
#include "state/component.h"
#include "state/store.h"
#include "stores/memcached/mapping.h"
#include "stores/memcached/server.h"
#include "stores/memcached/settings.h"

namespace holdfast::stores::memcached {

// Shared by the loops. Thread-safe.
class MemcachedCore final : public state::StoreCore {
 public:
  MemcachedCore(MemcachedSettings settings, Milliseconds init_timeout, const Clock& clock)
      : settings_(std::move(settings)), init_timeout_(init_timeout), clock_(clock) {}

  // Connects to every server, within the component's initTimeout. `loop` has to be a net::Loop. The store refers to
  // this core.
  Task<Result<std::unique_ptr<state::StateStore>>> open(Scheduler& loop) override;

  const MemcachedSettings& settings() const { return settings_; }
  const Clock& clock() const { return clock_; }

 private:
  const MemcachedSettings settings_;
  const Milliseconds init_timeout_;
  const Clock& clock_;
};

class MemcachedStore final : public state::StateStore {
 public:
  MemcachedStore(MemcachedCore& core, net::Loop& loop);

  // Once, before the store is used.
  Task<Status> connect(SteadyTime deadline);

  const state::Capabilities& capabilities() const override { return capabilities_; }
  Task<Result<std::optional<state::Record>>> get(state::CallContext context, state::GetRequest request) override;
  Task<Result<state::Written>> set(state::CallContext context, state::SetRequest request) override;
  Task<Result<state::Deleted>> erase(state::CallContext context, state::DeleteRequest request) override;
  Task<std::vector<Result<std::optional<state::Record>>>> get_many(
      state::CallContext context, std::span<const state::GetRequest> requests) override;
  Task<Status> ping(state::CallContext context) override;
  Task<Status> close(state::CallContext context) override;

 private:
  using OneResult = Result<std::optional<state::Record>>;

  // Until when a call may take, whatever its caller allows.
  SteadyTime deadline_of(const state::CallContext& context) const;
  Server& server_of(std::string_view key) { return *servers_[host_of(key, servers_.size())]; }
  Task<Result<std::optional<Item>>> item_of(state::CallContext context, state::GetRequest request);
  Task<Result<state::Written>> set_guarded(state::CallContext context, state::SetRequest request, Guard guard,
                                           Lifetime lifetime);
  // For conditions that the server has no words for: what is there is read, judged, and replaced if it is still there.
  Task<Result<state::Written>> set_after_reading(state::CallContext context, state::SetRequest request);
  Task<Result<state::Deleted>> erase_one_of(state::CallContext context, state::DeleteRequest request);
  Task<void> get_chunk(state::CallContext context, Server& server, std::span<const state::GetRequest> requests,
                       std::vector<std::size_t> places, std::span<OneResult> results);

  MemcachedCore& core_;
  std::vector<std::unique_ptr<Server>> servers_;  // in the order of the settings
  state::Capabilities capabilities_;
};

}  // namespace holdfast::stores::memcached
