// Records by key in memory, absent ones too, bounded in number and bytes; what was asked for least recently goes first.
// For a cache beside a store that is read while others write: who is about to read a key reserves its place, and what
// was read is kept only if nothing took the place away meanwhile. One loop's, no locks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "state/position.h"
#include "state/store.h"

namespace holdfast::state {

struct CacheLimits {
  std::size_t items_max = 0;
  std::size_t bytes_max = 0;  // of keys, values, fields and what an entry takes itself
};

// What a read found.
struct CachedRecord {
  std::optional<Record> record;      // nothing: there is none
  bool has_fields = false;           // they were asked for
  std::optional<Position> position;  // how far the store was, where it was asked
  SteadyTime read_at{};
};

class RecordCache {
 public:
  // Of one reserved place, never 0.
  using Ticket = std::uint64_t;

  explicit RecordCache(CacheLimits limits);
  RecordCache(const RecordCache&) = delete;
  RecordCache& operator=(const RecordCache&) = delete;
  ~RecordCache();

  // What is kept of the key; null: nothing is. Good until the next call.
  const CachedRecord* find(std::string_view key);
  // The same, without asking for it.
  const CachedRecord* peek(std::string_view key) const;
  // Before a read. Takes away what was kept. Nothing: another read is under way already, and its result is kept.
  std::optional<Ticket> reserve(std::string_view key);
  // After it, with what it found; false: the place is gone, and nothing is kept.
  bool fill(std::string_view key, Ticket ticket, CachedRecord found);
  // After it, when it found nothing to keep.
  void release(std::string_view key, Ticket ticket);

  // Takes away the key, or every key with the prefix, reserved places as well. How many there were.
  std::size_t erase(std::string_view key);
  std::size_t erase_prefix(std::string_view prefix);
  void clear();

  std::size_t items() const { return items_; }
  std::size_t bytes() const { return bytes_; }

 private:
  struct Node {
    std::uint64_t hash = 0;
    Node* chain = nullptr;
    Node* newer = nullptr;
    Node* older = nullptr;
    std::size_t bytes = 0;
    Ticket ticket = 0;  // reserved; 0: kept
    std::string key;
    CachedRecord kept;
  };

  Node* look(std::string_view key, std::uint64_t hash) const;
  void put_in_front(Node& node);
  void take_out(Node& node);
  void remove(Node& node);
  void make_room(const Node& spared);

  const CacheLimits limits_;
  std::vector<Node*> buckets_;
  std::uint64_t mask_;
  Node* newest_ = nullptr;
  Node* oldest_ = nullptr;
  std::size_t items_ = 0;
  std::size_t bytes_ = 0;
  Ticket tickets_ = 0;
};

}  // namespace holdfast::state
