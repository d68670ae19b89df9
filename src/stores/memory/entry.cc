#include "stores/memory/entry.h"

#include <bit>
#include <utility>

namespace holdfast::stores::memory {
namespace {

constexpr std::size_t kBucketsMin = 16;

}  // namespace

Table::Table() : buckets_(kBucketsMin, nullptr), mask_(kBucketsMin - 1) {}

Table::~Table() {
  for (Entry* entry : buckets_)
    while (entry != nullptr) delete std::exchange(entry, entry->chain);
}

Entry* Table::insert(std::unique_ptr<Entry> entry) {
  if (size_ >= buckets_.size()) grow();
  Entry*& head = buckets_[entry->hash & mask_];
  entry->chain = head;
  head = entry.release();
  ++size_;
  return head;
}

std::unique_ptr<Entry> Table::remove(Entry* entry) {
  Entry** link = &buckets_[entry->hash & mask_];
  while (*link != entry) link = &(*link)->chain;
  *link = entry->chain;
  --size_;
  return std::unique_ptr<Entry>(entry);
}

void Table::grow() {
  std::vector<Entry*> wider(buckets_.size() * 2, nullptr);
  mask_ = wider.size() - 1;
  for (Entry* entry : buckets_) {
    while (entry != nullptr) {
      Entry* next = entry->chain;
      Entry*& head = wider[entry->hash & mask_];
      entry->chain = head;
      head = entry;
      entry = next;
    }
  }
  buckets_.swap(wider);
}

void ExpiryHeap::update(Entry* entry) {
  if (entry->expires_us == kNeverExpires) return remove(entry);
  if (entry->heap_slot == Entry::kNotTimed) {
    heap_.push_back(entry);
    entry->heap_slot = static_cast<std::uint32_t>(heap_.size() - 1);
  }
  up(entry->heap_slot);
  down(entry->heap_slot);
}

void ExpiryHeap::remove(Entry* entry) {
  if (entry->heap_slot == Entry::kNotTimed) return;
  const std::size_t slot = std::exchange(entry->heap_slot, Entry::kNotTimed);
  Entry* last = heap_.back();
  heap_.pop_back();
  if (last == entry) return;
  place(slot, last);
  up(slot);
  down(last->heap_slot);
}

void ExpiryHeap::place(std::size_t slot, Entry* entry) {
  heap_[slot] = entry;
  entry->heap_slot = static_cast<std::uint32_t>(slot);
}

void ExpiryHeap::up(std::size_t slot) {
  Entry* entry = heap_[slot];
  while (slot > 0 && entry->expires_us < heap_[(slot - 1) / 2]->expires_us) {
    place(slot, heap_[(slot - 1) / 2]);
    slot = (slot - 1) / 2;
  }
  place(slot, entry);
}

void ExpiryHeap::down(std::size_t slot) {
  Entry* entry = heap_[slot];
  for (;;) {
    std::size_t child = slot * 2 + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && heap_[child + 1]->expires_us < heap_[child]->expires_us) ++child;
    if (heap_[child]->expires_us >= entry->expires_us) break;
    place(slot, heap_[child]);
    slot = child;
  }
  place(slot, entry);
}

}  // namespace holdfast::stores::memory
