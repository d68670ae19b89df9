#include "state/position.h"

#include <algorithm>

namespace holdfast::state {

std::optional<std::uint64_t> Position::on(std::uint64_t timeline) const {
  const auto found = std::ranges::find(reached_, timeline, &Reached::timeline);
  return found == reached_.end() ? std::nullopt : std::optional(found->offset);
}

bool Position::reach(Reached reached) {
  const auto found = std::ranges::find(reached_, reached.timeline, &Reached::timeline);
  if (found != reached_.end()) {
    if (found->offset >= reached.offset) return false;
    reached_.erase(found);
  } else if (reached_.size() == kTimelinesMax) {
    reached_.erase(reached_.begin());
  }
  reached_.push_back(reached);
  return true;
}

}  // namespace holdfast::state
