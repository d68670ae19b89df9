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
#include "stores/etcd/sharing.h"
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
  using Records = std::vector<Result<std::optional<state::Record>>>;
  // Reads the ranges by one Txn, at the level that the caller asks for. Those of one record, with its key in `alone`,
  // may share it.
  Task<Result<Part>> read(state::CallContext context, std::string_view doing, Reading ranges,
                          std::string_view alone = {});
  // Appends the records of `requests`, in their order, at one revision: the one given, or (0) the newest, which is then
  // said. So many requests as fit into a Txn.
  Task<Status> read_chunk(state::CallContext context, std::span<const state::GetRequest> requests,
                          std::int64_t& revision, Records& out);
  // Of any number. What is there now, where the servers have thrown the revision away.
  Task<Result<Records>> read_at(state::CallContext context, std::span<const state::GetRequest> requests,
                                std::int64_t revision);
  // Whether what lay there at the revision has expired by now; nothing when that cannot be found out.
  Task<std::optional<bool>> had_expired(state::CallContext context, std::string_view key, std::int64_t revision);
  Result<std::optional<state::Record>> take(const state::GetRequest& request, const Keys& keys,
                                            const std::vector<holdfast::etcd::KeyValue>& kvs,
                                            std::int64_t& lease) const;
  // The expiry of a record that Dapr has written in v1: only its lease knows.
  Task<std::optional<WallTime>> expiry_of(state::CallContext context, std::int64_t lease);
  std::size_t reading_chunk() const;
  // Who has less time than the component gives does not wait for others.
  bool may_share(const state::CallContext& context, SteadyTime deadline) const { return deadline < context.deadline; }

  // writing_calls.cc
  Task<Result<Outcome>> write_one(state::CallContext context, std::string_view verb, state::Operation operation);
  Task<Result<std::vector<Outcome>>> write(state::CallContext context, std::span<const state::Operation> operations,
                                           std::string_view doing);
  Task<Result<Part>> send_round(state::CallContext context, Writing& writing, std::string_view doing, bool only_reads);
  Task<Status> take_leases(state::CallContext context, Writing& writing);
  // What became of the records that lay there on a lease, and companions that have to follow.
  Task<void> settle(state::CallContext context, Writing& writing, std::vector<Outcome>& outcomes,
                    std::int64_t revision);

  // listing.cc
  // Where a walk goes on, which is the text of a cursor.
  struct Walk {
    std::optional<std::string> after;  // a key; nothing: from the start
    std::int64_t revision = 0;         // 0: the newest, which becomes the one of the whole walk

    static Result<Walk> read(std::string_view cursor);
    std::string cursor_after(std::string_view key) const;
  };
  struct ListedKey {
    std::string key;  // without the prefix
    std::int64_t revision = 0;
    bool is_leased = false;  // and may have expired
  };
  struct Batch {
    std::vector<ListedKey> keys;
    bool more = false;
  };
  Task<Result<Batch>> next_keys(state::CallContext context, std::string_view prefix, Walk& walk, std::uint32_t limit);
  Task<Result<Batch>> next_live_keys(state::CallContext context, std::string_view prefix, Walk& walk,
                                     std::uint32_t limit);
  Task<Status> drop_expired(state::CallContext context, std::vector<ListedKey>& keys, std::int64_t revision);
  // The records of the keys; how many bytes of values that were.
  Task<Result<std::size_t>> add_records(state::CallContext context, const state::ListRequest& request,
                                        std::vector<ListedKey> keys, std::int64_t revision, state::ListPage& page);

  void forget(const EtcdWatcher* watcher);

  const EtcdSettings& settings_;
  const Clock& clock_;
  net::Loop& loop_;
  Endpoints endpoints_;
  Sharing sharing_;
  Leases leases_;
  std::uint32_t transaction_ops_max_;
  state::Capabilities capabilities_;
  std::vector<EtcdWatcher*> watchers_;
  bool closed_ = false;
};

}  // namespace holdfast::stores::etcd
