#include "stores/postgresql/gathering.h"

#include <algorithm>
#include <iterator>

namespace holdfast::stores::postgresql {

Batch Gathering::take() {
  const auto key_of = [](const auto& exchange) { return exchange->sharing.key; };
  Batch batch;
  Batch again;
  std::size_t bytes = 0;
  while (!waiting_.empty() && batch.size() + again.size() < kBatchMax) {
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

}  // namespace holdfast::stores::postgresql
