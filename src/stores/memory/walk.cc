// The calls of the core that look at many keys: listing, deletion by prefix, and sweeping.
#include <algorithm>

#include "state/keys.h"
#include "stores/memory/core.h"
#include "stores/memory/shard_locks.h"

namespace holdfast::stores::memory {

using state::WatchEvent;

namespace {

constexpr std::size_t kSweepStep = 256;

}  // namespace

void MemoryCore::step(Walk& walk, const std::function<bool(const Entry&)>& visit) const {
  using Position = EntrySet::const_iterator;
  struct Head {
    Position at;
    Position end;
  };
  const auto later = [](const Head& a, const Head& b) { return (*b.at)->key < (*a.at)->key; };
  const auto in_walk = [&walk](const Head& head) {
    return head.at != head.end && (*head.at)->key.starts_with(walk.prefix);
  };
  const ShardLocks locks(*this, ~ShardMask{0});
  const std::int64_t now_us = clock_.wall().us;
  std::vector<Head> heads;
  for (const Shard& shard : shards_) {
    const EntrySet* const among = walk.index_entry.empty() ? &shard.index : shard.by_entry.find(walk.index_entry);
    if (among == nullptr) continue;
    const bool resumed = walk.after && *walk.after >= walk.prefix;
    const Head head{
        resumed ? among->upper_bound(std::string_view(*walk.after)) : among->lower_bound(std::string_view(walk.prefix)),
        among->end()};
    if (in_walk(head)) heads.push_back(head);
  }
  std::ranges::make_heap(heads, later);
  const Entry* last = nullptr;
  for (std::size_t seen = 0; seen < kWalkStep && !heads.empty(); ++seen) {
    std::ranges::pop_heap(heads, later);
    Head& head = heads.back();
    const Entry* entry = *head.at;
    if (entry->is_live(now_us) && !visit(*entry)) break;
    last = entry;
    ++head.at;
    if (in_walk(head)) {
      std::ranges::push_heap(heads, later);
    } else {
      heads.pop_back();
    }
  }
  if (last != nullptr) walk.after = last->key;
  walk.finished = heads.empty();
}

std::uint64_t MemoryCore::erase_step(std::size_t shard_number, Walk& walk, const state::DeletePrefixRequest& request) {
  Shard& shard = shards_[shard_number];
  const std::lock_guard lock(shard.mutex);
  const std::int64_t now_us = clock_.wall().us;
  auto at = walk.after ? shard.index.upper_bound(std::string_view(*walk.after))
                       : shard.index.lower_bound(std::string_view(walk.prefix));
  std::uint64_t erased = 0;
  for (std::size_t seen = 0; seen < kWalkStep; ++seen) {
    if (at == shard.index.end() || !(*at)->key.starts_with(walk.prefix)) {
      walk.finished = true;
      return erased;
    }
    Entry* entry = *at++;
    walk.after = entry->key;
    if (!state::is_listable(entry->key, request.own_bytes, request.hides_isolated)) continue;
    const bool live = entry->is_live(now_us);
    erased += live ? 1 : 0;
    remove(shard, entry, live ? WatchEvent::Kind::erase : WatchEvent::Kind::expire);
  }
  return erased;
}

std::optional<Milliseconds> MemoryCore::sweep() {
  const std::int64_t now_us = clock_.wall().us;
  std::int64_t next_us = kNeverExpires;
  for (Shard& shard : shards_) {
    if (shard.first_expiry_us.load() <= now_us) {
      const std::lock_guard lock(shard.mutex);
      for (std::size_t i = 0; i < kSweepStep && shard.expiry.first_us() <= now_us; ++i)
        remove(shard, shard.expiry.first(), WatchEvent::Kind::expire);
    }
    next_us = std::min(next_us, shard.first_expiry_us.load());
  }
  if (next_us == kNeverExpires) return std::nullopt;
  return Milliseconds{next_us <= now_us ? 0 : (next_us - now_us + 999) / 1000};
}

// Whether sweeping took anything out.
bool MemoryCore::make_room() {
  const std::int64_t before = bytes_used_;
  while (sweep() == Milliseconds{0}) {
  }
  return bytes_used_ < before;
}

bool MemoryCore::has_timed_records() const {
  return std::ranges::any_of(shards_, [](const Shard& shard) { return shard.first_expiry_us.load() != kNeverExpires; });
}

void MemoryCore::let_writes_pass() const {
  for (const Shard& shard : shards_) const std::lock_guard lock(shard.mutex);
}

}  // namespace holdfast::stores::memory
