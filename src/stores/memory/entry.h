// One record in memory, and the two structures of a shard that are not in the standard library: a
// hash table and a heap of expiry times. All of them belong to a shard and are touched only under
// its lock.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "state/store.h"

namespace holdfast::stores::memory {

inline constexpr std::int64_t kNeverExpires = std::numeric_limits<std::int64_t>::max();

// What few records have; kept apart so that the others stay small.
struct Extra {
  std::string content_type;
  state::Pairs tags;
  state::Pairs indexes;
};

struct Entry {
  static constexpr std::uint32_t kNotTimed = std::numeric_limits<std::uint32_t>::max();

  Entry* chain = nullptr;  // the next entry of the same bucket
  std::uint64_t hash = 0;
  std::uint64_t version = 0;  // the etag as a number
  std::int64_t expires_us = kNeverExpires;
  std::uint32_t heap_slot = kNotTimed;
  state::Shape shape = state::Shape::bytes;
  WallTime created;
  WallTime modified;
  std::string key;
  std::string value;
  std::string created_by;
  std::string modified_by;
  std::unique_ptr<Extra> extra;

  bool is_live(std::int64_t now_us) const { return expires_us > now_us; }
};

// Chained hash table that owns its entries. An entry never moves.
class Table {
 public:
  Table();
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  ~Table();

  Entry* find(std::string_view key, std::uint64_t hash) const {
    for (Entry* entry = buckets_[hash & mask_]; entry != nullptr; entry = entry->chain)
      if (entry->hash == hash && entry->key == key) return entry;
    return nullptr;
  }
  // The key must not be there yet.
  Entry* insert(std::unique_ptr<Entry> entry);
  std::unique_ptr<Entry> remove(Entry* entry);
  std::size_t size() const { return size_; }

 private:
  void grow();

  std::vector<Entry*> buckets_;
  std::uint64_t mask_;
  std::size_t size_ = 0;
};

// Binary min-heap over Entry::expires_us. Entries know their slot, so a record that is written
// again moves instead of leaving its old time behind: the heap is never larger than the number of
// timed records.
class ExpiryHeap {
 public:
  // Puts the entry where its expires_us belongs: in, elsewhere, or out when it never expires.
  void update(Entry* entry);
  void remove(Entry* entry);
  Entry* first() const { return heap_.empty() ? nullptr : heap_.front(); }
  std::int64_t first_us() const { return heap_.empty() ? kNeverExpires : heap_.front()->expires_us; }

 private:
  void place(std::size_t slot, Entry* entry);
  void up(std::size_t slot);
  void down(std::size_t slot);

  std::vector<Entry*> heap_;
};

}  // namespace holdfast::stores::memory
