#include "base/clock.h"

#include <fmt/format.h>

#include <ctime>

namespace holdfast {
namespace {

class SystemClock final : public Clock {
 public:
  WallTime wall() const override {
    return WallTime{std::chrono::duration_cast<std::chrono::microseconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count()};
  }
  SteadyTime steady() const override { return std::chrono::steady_clock::now(); }
};

struct Parts {
  std::tm tm{};
  std::int64_t us = 0;
};

Parts split(WallTime time) {
  Parts parts;
  std::int64_t seconds = time.us / 1'000'000;
  parts.us = time.us % 1'000'000;
  if (parts.us < 0) {
    parts.us += 1'000'000;
    --seconds;
  }
  const auto unix_seconds = static_cast<std::time_t>(seconds);
  gmtime_r(&unix_seconds, &parts.tm);
  return parts;
}

std::string date_and_time(const std::tm& tm, char separator) {
  return fmt::format("{:04}-{:02}-{:02}{}{:02}:{:02}:{:02}", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                     separator, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

}  // namespace

const Clock& Clock::system() {
  static const SystemClock clock;
  return clock;
}

std::string rfc3339_seconds(WallTime time) { return date_and_time(split(time).tm, 'T') + "Z"; }

std::string rfc3339_ticks(WallTime time) {
  const Parts parts = split(time);
  return fmt::format("{}.{:06}0+00:00", date_and_time(parts.tm, 'T'), parts.us);
}

std::string rfc3339_log(WallTime time) {
  const Parts parts = split(time);
  return fmt::format("{}.{:06}Z", date_and_time(parts.tm, 'T'), parts.us);
}

std::string http_date(WallTime time) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::tm tm = split(time).tm;
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[tm.tm_wday], tm.tm_mday,
                     kMonths[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

std::string sql_seconds(WallTime time) { return date_and_time(split(time).tm, ' '); }

bool parse_sql_seconds(std::string_view text, WallTime& out) {
  if (text.size() != 19) return false;
  std::tm tm{};
  const std::string copy(text);
  const char* end = strptime(copy.c_str(), "%Y-%m-%d %H:%M:%S", &tm);
  if (end == nullptr || *end != '\0') return false;
  out.us = static_cast<std::int64_t>(timegm(&tm)) * 1'000'000;
  return true;
}

}  // namespace holdfast
