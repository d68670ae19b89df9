// The data of one in-memory component, shared by all loops: shards with a mutex each.
//
// Every call completes under the locks it takes and waits for nothing else. Locks are taken in one
// order: shards by rising number, then the feed's, so there is no deadlock to find; nobody waits
// for another thread's work while holding one. An expired record counts as absent from the instant
// it expires, whether or not the sweeper has seen it.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "state/feed.h"
#include "state/store.h"
#include "stores/memory/entry.h"
#include "stores/memory/entry_index.h"
#include "stores/memory/sweeper.h"

namespace holdfast::stores::memory {

struct MemorySettings {
  std::string component;        // for messages
  std::uint64_t bytes_max = 0;  // 0: no limit
  state::FeedLimits feed;
};

// A walk over keys in bytewise order that goes on, step by step, where it stopped.
struct Walk {
  std::string prefix;
  std::string index_entry = {};      // state::entry_text(); empty: over every record, else over those that carry it
  std::optional<std::string> after;  // only keys greater than this
  bool finished = false;
};

class MemoryCore final : public state::StoreCore {
 public:
  static constexpr std::size_t kShards = 32;
  // Entries looked at under all locks in one step of a walk, so that writers wait for about 50 us
  // at most.
  static constexpr std::size_t kWalkStep = 512;

  MemoryCore(const Clock& clock, MemorySettings settings);

  Task<Result<std::unique_ptr<state::StateStore>>> open(Scheduler& loop) override;

  Result<std::optional<state::Record>> get(const state::GetRequest& request) const;
  // All at one instant.
  std::vector<Result<std::optional<state::Record>>> get_many(std::span<const state::GetRequest> requests) const;
  Result<state::Written> set(std::string_view principal, const state::SetRequest& request);
  Result<state::Deleted> erase(const state::DeleteRequest& request);
  Result<std::vector<state::Written>> transact(std::string_view principal,
                                               std::span<const state::Operation> operations);

  // One step of the walk: calls `visit` for each live entry, until it answers false (the entry it
  // refused is not passed), kWalkStep entries were seen, or the walk is finished. Locked meanwhile:
  // be quick.
  void step(Walk& walk, const std::function<bool(const Entry&)>& visit) const;
  // The same for erasing, in one shard: erases what a listing would show of the next kWalkStep keys
  // and answers how many of them were live.
  std::uint64_t erase_step(std::size_t shard_number, Walk& walk, const state::DeletePrefixRequest& request);

  // Erases what is due, a bounded number per call. The time to the next expiry, 0 when more is due
  // now, nothing when no record has a time.
  std::optional<Milliseconds> sweep();
  bool has_timed_records() const;

  // Returns once every write that was under way has ended.
  void let_writes_pass() const;

  state::Feed& feed() { return feed_; }
  Sweeper& sweeper() { return sweeper_; }

 private:
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    Table table;
    EntrySet index;
    EntryIndex by_entry;
    ExpiryHeap expiry;
    std::uint64_t version = 0;  // the last etag given
    std::atomic<std::int64_t> first_expiry_us{kNeverExpires};
  };
  using ShardMask = std::uint32_t;
  static_assert(kShards == 32, "ShardMask has a bit per shard");
  class ShardLocks;
  struct Target;

  Shard& shard_of(std::uint64_t hash) { return shards_[hash >> 59]; }
  const Shard& shard_of(std::uint64_t hash) const { return shards_[hash >> 59]; }
  static ShardMask bit_of(std::uint64_t hash) { return ShardMask{1} << (hash >> 59); }

  std::optional<state::Record> read(const state::GetRequest& request, std::uint64_t hash) const;
  Result<state::Written> try_set(std::string_view principal, const state::SetRequest& request);
  Result<std::vector<state::Written>> try_transact(std::string_view principal,
                                                   std::span<const state::Operation> operations);
  state::Written write(Shard& shard, Entry* entry, std::uint64_t hash, std::string_view principal,
                       const state::SetRequest& request, WallTime now);
  void announce_put(const Entry& entry, const std::string& etag);
  // That it is gone.
  void announce(state::WatchEvent::Kind kind, const std::string& key);
  void remove(Shard& shard, Entry* entry, state::WatchEvent::Kind why);
  // As remove(), for callers that account for the bytes themselves.
  void unlink(Shard& shard, Entry* entry, state::WatchEvent::Kind why);
  std::optional<Error> refusal(std::span<const Target> targets, WallTime now) const;
  std::int64_t growth(std::span<const Target> targets) const;
  void set_expiry(Shard& shard, Entry* entry, std::int64_t expires_us);
  bool reserve(std::int64_t more_bytes);
  bool make_room();
  std::unexpected<Error> full(std::string_view key) const;

  const Clock& clock_;
  const MemorySettings settings_;
  state::Feed feed_;
  std::array<Shard, kShards> shards_;
  std::atomic<std::int64_t> bytes_used_{0};  // counted only when there is a limit
  Sweeper sweeper_{*this};
};

}  // namespace holdfast::stores::memory
