#pragma once

#include "stores/memory/core.h"

namespace holdfast::stores::memory {

// Locks the shards of a mask, lowest first: the one order.
class MemoryCore::ShardLocks {
 public:
  ShardLocks(const MemoryCore& core, ShardMask mask) : core_(core), mask_(mask) {
    for (std::size_t i = 0; i < kShards; ++i)
      if ((mask_ >> i & 1) != 0) core_.shards_[i].mutex.lock();
  }
  ShardLocks(const ShardLocks&) = delete;
  ShardLocks& operator=(const ShardLocks&) = delete;
  ~ShardLocks() {
    for (std::size_t i = 0; i < kShards; ++i)
      if ((mask_ >> i & 1) != 0) core_.shards_[i].mutex.unlock();
  }

 private:
  const MemoryCore& core_;
  const ShardMask mask_;
};

}  // namespace holdfast::stores::memory
