#include "state/layers/record_cache.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/hash.h"

namespace holdfast::state {

namespace {

constexpr std::size_t kBucketsMax = std::size_t{1} << 20;
constexpr std::size_t kMallocBytes = 32;  // what it adds to an entry's two or three blocks, about

std::size_t bytes_of(const Pairs& pairs) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : pairs) bytes += name.size() + value.size() + sizeof(Pairs::value_type);
  return bytes;
}

std::size_t bytes_of(const CachedRecord& kept) {
  std::size_t bytes = kept.position ? kept.position->reached().size_bytes() : 0;
  if (!kept.record) return bytes;
  bytes += kept.record->value.capacity() + kept.record->etag.capacity();
  if (!kept.record->fields) return bytes;
  const RecordFields& fields = *kept.record->fields;
  return bytes + sizeof fields + fields.created_by.size() + fields.modified_by.size() + fields.content_type.size() +
         bytes_of(fields.tags) + bytes_of(fields.indexes);
}

}  // namespace

RecordCache::RecordCache(CacheLimits limits)
    : limits_(limits),
      buckets_(std::min(std::bit_ceil(std::max<std::size_t>(limits.items_max, 1)), kBucketsMax), nullptr),
      mask_(buckets_.size() - 1) {}

RecordCache::~RecordCache() { clear(); }

RecordCache::Node* RecordCache::look(std::string_view key, std::uint64_t hash) const {
  for (Node* node = buckets_[hash & mask_]; node != nullptr; node = node->chain)
    if (node->hash == hash && node->key == key) return node;
  return nullptr;
}

const CachedRecord* RecordCache::find(std::string_view key) {
  Node* const node = look(key, hash_of(key));
  if (node == nullptr || node->ticket != 0) return nullptr;
  if (node != newest_) {
    take_out(*node);
    put_in_front(*node);
  }
  return &node->kept;
}

const CachedRecord* RecordCache::peek(std::string_view key) const {
  const Node* const node = look(key, hash_of(key));
  return node == nullptr || node->ticket != 0 ? nullptr : &node->kept;
}

std::optional<RecordCache::Ticket> RecordCache::reserve(std::string_view key) {
  const std::uint64_t hash = hash_of(key);
  if (Node* const old = look(key, hash); old != nullptr) {
    if (old->ticket != 0) return std::nullopt;
    remove(*old);
  }
  auto node = std::make_unique<Node>();
  node->hash = hash;
  node->key = key;
  node->bytes = sizeof(Node) + kMallocBytes + node->key.capacity();
  node->ticket = ++tickets_;
  node->chain = std::exchange(buckets_[hash & mask_], node.get());
  Node& placed = *node.release();  // its bucket owns it
  put_in_front(placed);
  ++items_;
  bytes_ += placed.bytes;
  make_room(placed);
  return placed.ticket;
}

bool RecordCache::fill(std::string_view key, Ticket ticket, CachedRecord found) {
  Node* const node = look(key, hash_of(key));
  if (node == nullptr || node->ticket != ticket) return false;
  const std::size_t more = bytes_of(found);
  if (node->bytes + more > limits_.bytes_max) {
    remove(*node);
    return false;
  }
  node->ticket = 0;
  node->kept = std::move(found);
  node->bytes += more;
  bytes_ += more;
  take_out(*node);
  put_in_front(*node);
  make_room(*node);
  return true;
}

void RecordCache::release(std::string_view key, Ticket ticket) {
  Node* const node = look(key, hash_of(key));
  if (node != nullptr && node->ticket == ticket) remove(*node);
}

std::size_t RecordCache::erase(std::string_view key) {
  Node* const node = look(key, hash_of(key));
  if (node == nullptr) return 0;
  remove(*node);
  return 1;
}

std::size_t RecordCache::erase_prefix(std::string_view prefix) {
  std::size_t erased = 0;
  for (Node* node = oldest_; node != nullptr;) {
    Node& one = *std::exchange(node, node->newer);
    if (!one.key.starts_with(prefix)) continue;
    remove(one);
    ++erased;
  }
  return erased;
}

void RecordCache::clear() {
  while (oldest_ != nullptr) remove(*oldest_);
}

void RecordCache::put_in_front(Node& node) {
  node.newer = nullptr;
  node.older = newest_;
  (newest_ != nullptr ? newest_->newer : oldest_) = &node;
  newest_ = &node;
}

void RecordCache::take_out(Node& node) {
  (node.newer != nullptr ? node.newer->older : newest_) = node.older;
  (node.older != nullptr ? node.older->newer : oldest_) = node.newer;
}

void RecordCache::remove(Node& node) {
  Node** link = &buckets_[node.hash & mask_];
  while (*link != &node) link = &(*link)->chain;
  *link = node.chain;
  take_out(node);
  --items_;
  bytes_ -= node.bytes;
  delete &node;
}

// A reserved place goes as well: what is read for it is then not kept.
void RecordCache::make_room(const Node& spared) {
  while (oldest_ != &spared && (items_ > limits_.items_max || bytes_ > limits_.bytes_max)) remove(*oldest_);
}

}  // namespace holdfast::state
