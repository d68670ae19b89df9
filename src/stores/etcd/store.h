// state.etcd: one loop's handle on an etcd cluster. README.md says what it promises.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "state/component.h"
#include "state/store.h"
#include "stores/etcd/endpoints.h"
#include "stores/etcd/layout.h"
#include "stores/etcd/leases.h"
#include "stores/etcd/settings.h"
#include "stores/etcd/writing.h"

namespace holdfast::stores::etcd {

class EtcdWatcher;

// Shared by the loops. Thread-safe.
class EtcdCore final : public state::StoreCore {
 public:
  static Result<std::shared_ptr<state::StoreCore>> make(const state::Component& component, Layout layout,
                                                        const state::StoreEnvironment& environment);

  // Connects: Errc::unavailable, or denied, when no server can be used within the component's initTimeout. `loop` has
  // to be a net::Loop. The store refers to this core.
  Task<Result<std::unique_ptr<state::StateStore>>> open(Scheduler& loop) override;

  const EtcdSettings& settings() const { return settings_; }
  const Clock& clock() const { return clock_; }

 private:
  EtcdCore(EtcdSettings settings, Milliseconds init_timeout, const state::StoreEnvironment& environment)
      : settings_(std::move(settings)), init_timeout_(init_timeout), clock_(environment.clock) {}

  const EtcdSettings settings_;
  const Milliseconds init_timeout_;
  const Clock& clock_;
  std::shared_ptr<const net::TlsClientContext> tls_;
  std::atomic<std::size_t> handles_{0};
};

class EtcdStore final : public state::StateStore {
 public:
  EtcdStore(const EtcdCore& core, net::Loop& loop, std::shared_ptr<const net::TlsClientContext> tls, std::size_t first);
  ~EtcdStore() override;

  // Connects and finds out what the servers take. Once, before the store is used.
  Task<Status> connect(SteadyTime deadline);

  const state::Capabilities& capabilities() const override { return capabilities_; }
  Task<Result<std::optional<state::Record>>> get(state::CallContext context, state::GetRequest request) override;
  Task<Result<state::Written>> set(state::CallContext context, state::SetRequest request) override;
  Task<Result<state::Deleted>> erase(state::CallContext context, state::DeleteRequest request) override;
  Task<std::vector<Result<std::optional<state::Record>>>> get_many(
      state::CallContext context, std::span<const state::GetRequest> requests) override;
  Task<Result<std::vector<state::Written>>> transact(state::CallContext context,
                                                     std::span<const state::Operation> operations) override;
  Task<Result<state::ListPage>> list(state::CallContext context, state::ListRequest request) override;
  Task<Result<state::KeyPage>> keys_like(state::CallContext context, state::LikeRequest request) override;
  Task<Result<std::uint64_t>> erase_prefix(state::CallContext context, state::DeletePrefixRequest request) override;
  Task<Result<std::unique_ptr<state::Watcher>>> watch(state::CallContext context, state::WatchRequest request) override;
  Task<Status> ping(state::CallContext context) override;
  Task<Status> close(state::CallContext context) override;

 private:
  friend class EtcdWatcher;
  using Header = holdfast::etcd::Header;

  SteadyTime deadline_of(const state::CallContext& context) const;
  Status check_key(std::string_view key) const;
  Status check_size(const state::Operation& operation) const;
  static bool may_be_behind(state::Consistency level);
  static void reach(const state::CallContext& context, const Header& header);
  static bool is_far_enough(const state::CallContext& context, const Header& header);

  // reading.cc
  using Reading = std::vector<holdfast::etcd::Operation>;
  struct Answer {
    std::string bytes;  // what the reply refers to
    holdfast::etcd::TxnReply reply;
  };
  // Reads by one Txn at the level that the caller asks for. `build` appends the ranges, serializable or not.
  template <class Build>
  Task<Status> read(state::CallContext context, std::string_view doing, Build build, Answer& answer);
  // The records of `requests`, in their order, at one revision: the one given, or (0) the newest, which is then said.
  Task<Status> read_chunk(state::CallContext context, std::span<const state::GetRequest> requests,
                          std::int64_t& revision, std::vector<Result<std::optional<state::Record>>>& out);
  Result<std::optional<state::Record>> take(const state::GetRequest& request, const Keys& keys,
                                            const std::vector<holdfast::etcd::KeyValue>& kvs,
                                            std::int64_t& lease) const;
  // The expiry of a record that Dapr has written in v1: only its lease knows.
  Task<std::optional<WallTime>> expiry_of(state::CallContext context, std::int64_t lease);
  std::size_t reading_chunk() const;

  // writing_calls.cc
  Task<Result<std::vector<Outcome>>> write(state::CallContext context, std::span<const state::Operation> operations,
                                           std::string_view doing);
  Task<Status> take_leases(state::CallContext context, Writing& writing);
  // What became of the records that lay there on a lease, and companions that have to follow.
  Task<void> settle(state::CallContext context, Writing& writing, std::vector<Outcome>& outcomes,
                    std::int64_t revision);
  Task<bool> had_expired(state::CallContext context, const Item& item, std::int64_t revision);

  // listing.cc
  struct Walk {
    std::string after;          // the whole key to go on behind; empty: from the start
    std::int64_t revision = 0;  // 0: the newest
  };
  struct Batch {
    std::vector<std::string> keys;  // without the prefix; of live records
    std::vector<std::int64_t> revisions;
    std::string last;  // that was looked at
    bool more = false;
  };
  Status check_going_on(const state::CallContext& context) const;
  Task<Result<Batch>> next_keys(state::CallContext context, std::string_view prefix, Walk& walk, std::uint32_t limit);
  Task<Status> drop_expired(state::CallContext context, Batch& batch, std::vector<std::size_t> leased,
                            std::int64_t revision);

  void forget(const EtcdWatcher* watcher);

  const EtcdSettings& settings_;
  const Clock& clock_;
  net::Loop& loop_;
  Endpoints endpoints_;
  Leases leases_;
  std::uint32_t transaction_ops_max_;
  state::Capabilities capabilities_;
  std::vector<EtcdWatcher*> watchers_;
  bool closed_ = false;
};

}  // namespace holdfast::stores::etcd
