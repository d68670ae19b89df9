// Histograms of the metrics page. One thread fills one with relaxed atomics and without locks, any thread reads it.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

namespace holdfast {

// Upper bounds of the buckets, Dapr's: latencies in milliseconds, sizes in bytes.
std::span<const double> latency_bounds_ms();
std::span<const double> size_bounds();
// Other bounds for all latencies of the process: rising, at most Histogram::kBuckets - 1. Before the first record() only.
void set_latency_bounds_ms(std::vector<double> bounds);

class Histogram {
 public:
  static constexpr std::size_t kBuckets = 35;  // at most 34 bounds, and what is over the last

  // `bounds` are the same at every call.
  void record(std::span<const double> bounds, double value);

  std::uint64_t bucket(std::size_t i) const { return buckets_[i].load(std::memory_order_relaxed); }
  std::uint64_t count() const;
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  std::array<std::atomic<std::uint64_t>, kBuckets> buckets_{};
  std::atomic<double> sum_{0};
};

// Several of them, added up.
struct HistogramSum {
  std::uint64_t count = 0;
  double sum = 0;
  std::array<std::uint64_t, Histogram::kBuckets> buckets{};

  void add(const Histogram& histogram);
};

}  // namespace holdfast
