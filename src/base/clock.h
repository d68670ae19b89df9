// Time, as a value that tests can move. Wall time is milliseconds since 1970 (TTL, record times);
// steady time is for deadlines and latencies.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast {

using SteadyTime = std::chrono::steady_clock::time_point;
using Milliseconds = std::chrono::milliseconds;

// Wall time in microseconds since 1970: record times keep more than a millisecond.
struct WallTime {
  std::int64_t us = 0;
  friend auto operator<=>(const WallTime&, const WallTime&) = default;
  std::int64_t ms() const { return us / 1000; }
  static WallTime from_ms(std::int64_t ms) { return WallTime{ms * 1000}; }
};

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime wall() const = 0;
  virtual SteadyTime steady() const = 0;
  static const Clock& system();
};

// For measurements; real time whatever the clock of a test says.
inline double milliseconds_since(SteadyTime began) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began).count();
}

// "2026-11-22T04:49:17Z": whole seconds, truncated; Dapr's ttlExpireTime.
std::string rfc3339_seconds(WallTime time);
// "2026-11-22T04:49:17.1234560+00:00": seven digits; record times.
std::string rfc3339_ticks(WallTime time);
void append_rfc3339_ticks(std::string& out, WallTime time);
// "2026-11-22T04:49:17.123456789Z" with trailing zeros cut: log lines.
std::string rfc3339_log(WallTime time);
// "Sun, 22 Nov 2026 04:49:17 GMT": Last-Modified.
std::string http_date(WallTime time);
void append_http_date(std::string& out, WallTime time);
// "2026-11-22 04:49:17": SQLite's CURRENT_TIMESTAMP form.
std::string sql_seconds(WallTime time);
// Reads sql_seconds' form; nothing for anything else.
bool parse_sql_seconds(std::string_view text, WallTime& out);

}  // namespace holdfast
