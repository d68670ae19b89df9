// state.redis: one loop's handle on a Redis or Valkey deployment. README.md says what it promises.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "state/component.h"
#include "state/feed.h"
#include "state/store.h"
#include "stores/redis/entries.h"
#include "stores/redis/exchange.h"
#include "stores/redis/follower.h"
#include "stores/redis/listing.h"
#include "stores/redis/router.h"

namespace holdfast::stores::redis {

class RedisStore;

// Shared by the loops. Thread-safe.
class RedisCore final : public state::StoreCore {
 public:
  static Result<std::shared_ptr<state::StoreCore>> make(RedisSettings settings, Milliseconds init_timeout,
                                                        const state::StoreEnvironment& environment);

  // Connects: Errc::unavailable, or denied, when no server can be used within the component's initTimeout. `loop` has
  // to be a net::Loop. The store refers to this core.
  Task<Result<std::unique_ptr<state::StateStore>>> open(Scheduler& loop) override;
  // The same without search indexes, and until then.
  Task<Result<std::unique_ptr<RedisStore>>> connect(net::Loop& loop, SteadyTime deadline);
  // What has changed, from the first call on.
  Follower& follower();

  const RedisSettings& settings() const { return settings_; }
  const Clock& clock() const { return clock_; }
  bool only_looks() const { return only_looks_; }
  // Unique among the writes of all processes.
  std::string next_write_id();
  // QUERY_API where the server has RedisJSON.
  std::span<const std::string_view> dapr_features() const override;
  // What every loop finds and one should say.
  void warn_once(std::string_view message);

 private:
  RedisCore(RedisSettings settings, Milliseconds init_timeout, const state::StoreEnvironment& environment);

  const RedisSettings settings_;
  const Milliseconds init_timeout_;
  const Clock& clock_;
  const bool only_looks_;  // makes no search index
  std::shared_ptr<const net::TlsClientContext> tls_;
  const std::string process_;  // of write ids
  std::atomic<std::uint64_t> writes_{0};
  std::atomic<bool> has_json_{false};
  std::atomic<bool> warned_{false};
  std::once_flag watched_;
  std::unique_ptr<Follower> follower_;
};

// Takes the keys of a walk, batch by batch.
class KeySink {
 public:
  virtual ~KeySink() = default;
  virtual Task<Status> take(std::vector<std::string> keys) = 0;
};

class RedisStore final : public state::StateStore {
 public:
  RedisStore(RedisCore& core, net::Loop& loop, std::unique_ptr<Router> router);
  ~RedisStore() override;

  // What finds its servers.
  Router& router() { return *router_; }
  // Makes the search indexes, where there can be some. Once, before the store is used.
  Task<Status> prepare_queries(SteadyTime deadline);

  const state::Capabilities& capabilities() const override { return capabilities_; }
  Task<Result<std::optional<state::Record>>> get(state::CallContext context, state::GetRequest request) override;
  Task<Result<state::Written>> set(state::CallContext context, state::SetRequest request) override;
  Task<Result<state::Deleted>> erase(state::CallContext context, state::DeleteRequest request) override;
  Task<std::vector<Result<std::optional<state::Record>>>> get_many(
      state::CallContext context, std::span<const state::GetRequest> requests) override;
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
  // Until when a call may take, whatever its caller allows.
  SteadyTime deadline_of(const state::CallContext& context) const;
  void prepare_read(Request& request, std::string_view key, const state::CallContext& context) const;
  void prepare_write(Request& request, std::string_view key, const state::CallContext& context) const;
  bool reads_any_replica(state::Consistency level) const;
  // Where a request goes, until when, and whether it adds to the caller's session; `key` is any of its keys.
  void place(Request& request, std::string_view key, const state::CallContext& context) const;
  void place_read(Request& request, std::string_view key, const state::CallContext& context) const;
  WriteContext write_context(const state::CallContext& context, std::string_view write_id) const;
  // Whether the replicas that were asked for have the write.
  Status confirm(const Request& request, const Answer& answer, std::string_view key) const;
  Task<Result<std::optional<state::Record>>> get_other(state::CallContext context, state::GetRequest request);
  void end_watches();

  // guarded_reads.cc
  bool may_ask_replica(const state::CallContext& context) const;
  bool is_far_enough(const state::CallContext& context, std::uint16_t slot, const Replication& replica) const;
  Task<bool> ask_replica(state::CallContext context, Request& request, Answer& answer);
  // A reading, of a replica where the level permits it and it is far enough, else of the primary.
  Task<Status> ask(state::CallContext context, Request& request, Answer& answer);
  // For records whose keys were found at primaries: a replica may not have them yet, and what is there all the time
  // must not be missed.
  static state::CallContext at_primaries(state::CallContext context);
  Task<void> follow_all(state::CallContext context);

  // bulk.cc
  Task<void> get_chunk(state::CallContext context, std::span<const state::GetRequest> requests,
                       std::vector<std::size_t> places, std::span<Result<std::optional<state::Record>>> results);

  // listing.cc
  struct Batch {
    std::string cursor;  // "0": that was the last
    std::vector<std::string> keys;
  };
  class EraseSink;
  Task<Result<std::vector<state::ListedRecord>>> records_of(state::CallContext context, std::vector<std::string> keys,
                                                            bool want_values, bool want_fields);
  Task<Result<std::size_t>> add_records(state::CallContext context, state::ListRequest request,
                                        std::span<const std::string> keys, state::ListPage& page);
  Task<Result<Batch>> scan(ServerRef server, state::CallContext context, std::string cursor, std::string glob,
                           std::uint32_t count);
  Task<Result<std::string>> run_id_of(ServerRef server, state::CallContext context);
  Task<Result<state::ListPage>> list_server(state::CallContext context, state::ListRequest request);
  Task<Result<state::ListPage>> list_slots(state::CallContext context, state::ListRequest request);
  Task<Result<state::ListPage>> list_slots(state::CallContext context, state::ListRequest request,
                                           const SlotCursor& at, const ClusterView& view, bool everywhere);
  Task<Result<ClusterView>> view_cluster(state::CallContext context);
  using SlotKeys = std::vector<std::vector<std::string>>;  // slot by slot, sorted
  Task<Result<SlotKeys>> keys_of_slots(state::CallContext context, const ClusterView& view, std::uint32_t first,
                                       std::uint32_t count, bool everywhere);
  Task<Status> walk(state::CallContext context, std::string glob, KeySink& sink);

  // finding.cc
  Status check_can_find() const;
  Task<Result<std::vector<std::string>>> members(state::CallContext context, state::FindRequest request,
                                                 MemberRange range);
  Task<Status> add_carriers(state::CallContext context, state::FindRequest request, std::vector<std::string> keys,
                            state::ListPage& page);
  Task<void> forget(state::CallContext context, state::FindRequest request, std::vector<std::string> keys);

  // searching.cc
  Status check_can_query() const;
  Task<Status> make_index(ServerRef server, const SearchIndex& index, SteadyTime deadline);
  // What the server says against it, where somebody was quicker; else nothing.
  Task<Result<std::string>> say_of_index(ServerRef server, const SearchIndex& index, std::string_view doing,
                                         std::string request, SteadyTime deadline);
  static Result<state::QueryPage> page_of(const Place& place, const state::Query& query, const SearchCommand& command,
                                          resp::Value reply);

  RedisCore& core_;
  const RedisSettings& settings_;
  net::Loop& loop_;
  std::unique_ptr<Router> router_;
  Exchange exchange_;
  state::Capabilities capabilities_;
  std::shared_ptr<state::Listener> listener_;  // from the first watch on
  bool closed_ = false;
};

}  // namespace holdfast::stores::redis
