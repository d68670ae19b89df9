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

// From 1970 to 9999, which is what nearly all times are in: by hand, because an answer of v2 has four of them.
constexpr std::int64_t kPlainEnd = std::int64_t{253'402'300'800} * 1'000'000;
bool is_plain(WallTime time) { return time.us >= 0 && time.us < kPlainEnd; }

char* write_digits(char* to, unsigned number, int digits) {
  for (int i = digits; i-- > 0; number /= 10) to[i] = static_cast<char>('0' + number % 10);
  return to + digits;
}

char* write_date(char* to, std::chrono::sys_days day) {
  const std::chrono::year_month_day date(day);
  to = write_digits(to, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  *to++ = '-';
  to = write_digits(to, static_cast<unsigned>(date.month()), 2);
  *to++ = '-';
  return write_digits(to, static_cast<unsigned>(date.day()), 2);
}

char* write_time(char* to, unsigned second_of_day) {
  to = write_digits(to, second_of_day / 3600, 2);
  *to++ = ':';
  to = write_digits(to, second_of_day / 60 % 60, 2);
  *to++ = ':';
  return write_digits(to, second_of_day % 60, 2);
}

// A plain time taken apart.
struct Moment {
  explicit Moment(WallTime time)
      : day(std::chrono::days(time.us / 86'400'000'000)),
        second(static_cast<unsigned>(time.us / 1'000'000 % 86'400)),
        us(static_cast<unsigned>(time.us % 1'000'000)) {}
  std::chrono::sys_days day;
  unsigned second;
  unsigned us;
};

// Appends what `write(to)` writes, which is `bytes` long.
template <class Write>
void append_written(std::string& out, std::size_t bytes, Write write) {
  const std::size_t before = out.size();
  out.resize_and_overwrite(before + bytes, [&](char* text, std::size_t) {
    write(text + before);
    return before + bytes;
  });
}

constexpr std::string_view kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::string_view kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

}  // namespace

const Clock& Clock::system() {
  static const SystemClock clock;
  return clock;
}

std::string rfc3339_seconds(WallTime time) { return date_and_time(split(time).tm, 'T') + "Z"; }

void append_rfc3339_ticks(std::string& out, WallTime time) {
  if (!is_plain(time)) {
    const Parts parts = split(time);
    out += fmt::format("{}.{:06}0+00:00", date_and_time(parts.tm, 'T'), parts.us);
    return;
  }
  const Moment moment(time);
  append_written(out, 33, [&moment](char* to) {
    to = write_date(to, moment.day);
    *to++ = 'T';
    to = write_time(to, moment.second);
    *to++ = '.';
    to = write_digits(to, moment.us, 6);
    std::string_view("0+00:00").copy(to, 7);
  });
}

std::string rfc3339_ticks(WallTime time) {
  std::string out;
  append_rfc3339_ticks(out, time);
  return out;
}

std::string rfc3339_log(WallTime time) {
  const Parts parts = split(time);
  return fmt::format("{}.{:06}Z", date_and_time(parts.tm, 'T'), parts.us);
}

void append_http_date(std::string& out, WallTime time) {
  if (!is_plain(time)) {
    const std::tm tm = split(time).tm;
    out += fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[tm.tm_wday], tm.tm_mday, kMonths[tm.tm_mon],
                       tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
    return;
  }
  const Moment moment(time);
  append_written(out, 29, [&moment](char* to) {
    const std::chrono::year_month_day date(moment.day);
    to += kDays[std::chrono::weekday(moment.day).c_encoding()].copy(to, 3);
    *to++ = ',';
    *to++ = ' ';
    to = write_digits(to, static_cast<unsigned>(date.day()), 2);
    *to++ = ' ';
    to += kMonths[static_cast<unsigned>(date.month()) - 1].copy(to, 3);
    *to++ = ' ';
    to = write_digits(to, static_cast<unsigned>(static_cast<int>(date.year())), 4);
    *to++ = ' ';
    to = write_time(to, moment.second);
    std::string_view(" GMT").copy(to, 4);
  });
}

std::string http_date(WallTime time) {
  std::string out;
  append_http_date(out, time);
  return out;
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
