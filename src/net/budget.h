// The process-wide bound on bytes in flight: request bodies being received and responses not yet sent.
// Each connection may hold a small free allowance; only what goes beyond is charged here. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>

namespace holdfast::net {

class Budget {
 public:
  explicit Budget(std::int64_t bytes) : left_(bytes) {}
  bool take(std::int64_t bytes) {
    if (left_.fetch_sub(bytes, std::memory_order_relaxed) >= bytes) return true;
    give(bytes);
    return false;
  }
  void give(std::int64_t bytes) { left_.fetch_add(bytes, std::memory_order_relaxed); }
  std::int64_t left() const { return left_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> left_;
};

// What one request holds of a Budget; gives it back when it ends. One loop's.
class Charge {
 public:
  // `free` bytes cost nothing; beyond them the budget is asked for `step` bytes at a time, so that a body that grows by
  // packets does not touch the shared counter each time.
  Charge(Budget& budget, std::int64_t free, std::int64_t step) : budget_(&budget), free_(free), step_(step) {}
  Charge(const Charge&) = delete;
  Charge& operator=(const Charge&) = delete;
  ~Charge() { release(); }

  // Holds enough for `bytes` from now on; false when the budget is spent.
  bool cover(std::size_t bytes) {
    const auto wanted = static_cast<std::int64_t>(bytes);
    if (wanted <= free_ + held_) return true;
    const std::int64_t more = (wanted - free_ - held_ + step_ - 1) / step_ * step_;
    if (!budget_->take(more)) return false;
    held_ += more;
    return true;
  }
  // Another holder of the same budget: nothing held, `free` bytes free.
  void begin(std::int64_t free) {
    release();
    free_ = free;
  }
  void release() {
    if (held_ > 0) budget_->give(held_);
    held_ = 0;
  }

 private:
  Budget* budget_;
  std::int64_t free_;
  std::int64_t step_;
  std::int64_t held_ = 0;
};

}  // namespace holdfast::net
