#include "base/histogram.h"

#include <algorithm>

namespace holdfast {

namespace {

constexpr std::array<double, Histogram::kBuckets - 1> kLatencyBoundsMs{
    1,   2,   3,   4,   5,   6,   8,   10,  13,  16,  20,   25,   30,   40,    50,    65,    80,
    100, 130, 160, 200, 250, 300, 400, 500, 650, 800, 1000, 2000, 5000, 10000, 20000, 50000, 100000};
constexpr double kKi = 1024;
constexpr double kMi = kKi * kKi;
constexpr double kGi = kMi * kKi;
constexpr std::array<double, 13> kSizeBounds{kKi,     2 * kKi,  4 * kKi,  16 * kKi,  64 * kKi, 256 * kKi, kMi,
                                             4 * kMi, 16 * kMi, 64 * kMi, 256 * kMi, kGi,      4 * kGi};

std::vector<double>& configured_bounds() {
  static std::vector<double> bounds;
  return bounds;
}
std::span<const double> active_bounds = kLatencyBoundsMs;

// One thread writes: a load and a store, no locked instruction.
template <class T>
void add(std::atomic<T>& counter, T more) {
  counter.store(counter.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

}  // namespace

std::span<const double> latency_bounds_ms() { return active_bounds; }
std::span<const double> size_bounds() { return kSizeBounds; }

void set_latency_bounds_ms(std::vector<double> bounds) {
  bounds.resize(std::min(bounds.size(), Histogram::kBuckets - 1));
  configured_bounds() = std::move(bounds);
  active_bounds = configured_bounds();
}

// Most values are below the first bound, so the search from below is one comparison.
void Histogram::record(std::span<const double> bounds, double value) {
  std::size_t bucket = 0;
  while (bucket < bounds.size() && value > bounds[bucket]) ++bucket;
  add<std::uint64_t>(buckets_[bucket], 1);
  add(sum_, value);
}

void HistogramSum::add(const Histogram& histogram) {
  sum += histogram.sum();
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    const std::uint64_t here = histogram.bucket(i);
    buckets[i] += here;
    count += here;
  }
}

std::uint64_t Histogram::count() const {
  std::uint64_t count = 0;
  for (const auto& bucket : buckets_) count += bucket.load(std::memory_order_relaxed);
  return count;
}

}  // namespace holdfast
