// How often each error code was answered (spec.metrics.recordErrorCodes). Thread-safe: errors are not the hot path.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace holdfast::telemetry {

class ErrorCounts {
 public:
  void add(std::string_view code);
  void each(const std::function<void(const std::string& code, std::uint64_t count)>& visit) const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::uint64_t, std::less<>> counts_;
};

// Dapr's word for the part that an error code belongs to: "state", "secret", ..., "common".
std::string_view category_of(std::string_view code);

}  // namespace holdfast::telemetry
