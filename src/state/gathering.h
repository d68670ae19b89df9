// What waits to go to a server together with others of its kind. Pure. Of one loop.
//
// Where a server answers transaction by transaction, each answer wakes both sides and, of a write, waits for the disk.
// So what is asked while others of its kind are on their way waits for one of them, and then goes together:
// doc/adr/0017-gathering.md.
#pragma once

#include <algorithm>
#include <deque>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

namespace holdfast::state {

// Waiting has `sharing`, with the key of its record and whether it is a write of it, its size in `bytes`, and
// `is_done`.
template <class Waiting>
class Gathering {
 public:
  static constexpr std::size_t kBatchMax = 64;
  static constexpr std::size_t kBytesMax = std::size_t{256} << 10;
  // Those of one transaction.
  using Batch = std::vector<std::shared_ptr<Waiting>>;

  bool empty() const { return waiting_.empty(); }
  const std::deque<std::shared_ptr<Waiting>>& waiting() const { return waiting_; }
  void add(std::shared_ptr<Waiting> one) { waiting_.push_back(std::move(one)); }

  // The next ones in the bytewise order of their keys, which is that of locks: at most `most` and kBatchMax and, unless
  // it is one, kBytesMax. Of several writes to one key the first, because one transaction gives them one etag. Those
  // that are done are left out; there may be none then.
  Batch take(std::size_t most = kBatchMax) {
    most = std::min(most, kBatchMax);
    const auto key_of = [](const auto& one) { return one->sharing.key; };
    Batch batch;
    Batch again;
    std::size_t bytes = 0;
    while (!waiting_.empty() && batch.size() + again.size() < most) {
      const auto& next = waiting_.front();
      const auto place = next->is_done ? batch.end() : std::ranges::upper_bound(batch, next->sharing.key, {}, key_of);
      if (next->is_done) {
        // Nobody waits for it.
      } else if (next->sharing.is_write && place != batch.begin() && key_of(*std::prev(place)) == next->sharing.key) {
        again.push_back(next);
      } else {
        bytes += next->bytes;
        if (bytes > kBytesMax && !batch.empty()) break;
        batch.insert(place, next);
      }
      waiting_.pop_front();
    }
    waiting_.insert(waiting_.begin(), again.begin(), again.end());
    return batch;
  }

 private:
  std::deque<std::shared_ptr<Waiting>> waiting_;
};

}  // namespace holdfast::state
