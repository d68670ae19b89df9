// How far a caller's session has come in one store. What the numbers mean is the store's: Redis counts bytes of a
// replication stream, PostgreSQL of its log. A value; used by one call at a time.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::state {

class Position {
 public:
  // One history that a store writes on. A failover may begin another, whose offsets say nothing about this one's.
  struct Reached {
    std::uint64_t timeline = 0;
    std::uint64_t offset = 0;
    bool operator==(const Reached&) const = default;
  };
  // What came first is forgotten when there are more: a reading then goes where no position is needed.
  static constexpr std::size_t kTimelinesMax = 48;

  bool empty() const { return reached_.empty(); }
  std::span<const Reached> reached() const { return reached_; }  // the one that was reached last is last
  // Nothing: the session has seen nothing of this timeline, as far as it remembers.
  std::optional<std::uint64_t> on(std::uint64_t timeline) const;
  // Whether it changes anything: what is there may be further already.
  bool reach(Reached reached);

 private:
  std::vector<Reached> reached_;
};

}  // namespace holdfast::state
