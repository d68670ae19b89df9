// What waits to share a transaction. Pure. Of one loop.
//
// Answers of PostgreSQL come transaction by transaction, and each one wakes both sides and, of a write, waits for the
// disk. So what is asked while others of its kind are on their way waits for one of them, and then goes together:
// doc/adr/0017-gathering.md.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "stores/postgresql/statement.h"

namespace holdfast::stores::postgresql {

// Those of one transaction.
using Batch = std::vector<std::shared_ptr<Exchange>>;

// Of one kind (Sharing::kind).
class Gathering {
 public:
  static constexpr std::size_t kBatchMax = 64;
  static constexpr std::size_t kBytesMax = std::size_t{256} << 10;

  explicit Gathering(const void* kind) : kind_(kind) {}

  const void* kind() const { return kind_; }
  bool empty() const { return waiting_.empty(); }
  const std::deque<std::shared_ptr<Exchange>>& waiting() const { return waiting_; }
  void add(std::shared_ptr<Exchange> exchange) { waiting_.push_back(std::move(exchange)); }

  // The next ones in the bytewise order of their keys, which is that of locks: at most kBatchMax and, unless it is one,
  // kBytesMax. Of several writes to one key the first, because one transaction gives them one etag. Those that are done
  // are left out; there may be none then.
  Batch take();

 private:
  const void* kind_;
  std::deque<std::shared_ptr<Exchange>> waiting_;
};

}  // namespace holdfast::stores::postgresql
