// Dapr's readings of text: booleans, Go durations, Kubernetes quantities. Everything here takes what an operator
// or a client typed, so every overflow is an error and nothing throws.
#include <array>
#include <cstdint>
#include <limits>
#include <optional>

#include "base/encoding.h"
#include "base/number.h"
#include "state/component.h"

namespace holdfast::state {
namespace {

constexpr std::uint64_t kUint64Max = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kBillion = 1'000'000'000;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A decimal number as an integer and billionths; digits beyond the ninth only say that something is left.
struct Decimal {
  std::uint64_t whole = 0;
  std::uint64_t billionths = 0;
  bool more = false;
};

// Takes digits with at most one point off the front of `text`. Nothing when there is no digit, or too many.
std::optional<Decimal> take_decimal(std::string_view& text) {
  Decimal number;
  std::size_t at = 0;
  std::size_t digits = 0;
  for (; at < text.size() && is_digit(text[at]); ++at, ++digits) {
    const auto digit = static_cast<std::uint64_t>(text[at] - '0');
    if (number.whole > (kUint64Max - digit) / 10) return std::nullopt;
    number.whole = number.whole * 10 + digit;
  }
  if (at < text.size() && text[at] == '.') {
    std::uint64_t weight = kBillion / 10;
    for (++at; at < text.size() && is_digit(text[at]); ++at, ++digits) {
      const auto digit = static_cast<std::uint64_t>(text[at] - '0');
      number.billionths += digit * weight;
      number.more = number.more || (weight == 0 && digit != 0);
      weight /= 10;
    }
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(at);
  return number;
}

// number * factor, the fraction rounded down; nothing on overflow.
std::optional<std::uint64_t> scale_up(const Decimal& number, std::uint64_t factor, bool& inexact) {
  if (factor != 0 && number.whole > kUint64Max / factor) return std::nullopt;
  const std::uint64_t whole = number.whole * factor;
  const std::uint64_t low = factor % kBillion * number.billionths;
  const std::uint64_t fraction = factor / kBillion * number.billionths + low / kBillion;
  inexact = number.more || low % kBillion != 0;
  if (whole > kUint64Max - fraction) return std::nullopt;
  return whole + fraction;
}

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr std::array<Unit, 8> kTimeUnits{{{"ns", 1},
                                          {"us", 1'000},
                                          {"\u00b5s", 1'000},
                                          {"\u03bcs", 1'000},
                                          {"ms", 1'000'000},
                                          {"s", kBillion},
                                          {"m", 60 * kBillion},
                                          {"h", 3600 * kBillion}}};

const Unit* find_time_unit(std::string_view name) {
  for (const Unit& unit : kTimeUnits)
    if (unit.name == name) return &unit;
  return nullptr;
}

std::string quoted(std::string_view text) { return '"' + std::string(text) + '"'; }

std::unexpected<Error> bad_duration(std::string_view why, std::string_view text) {
  return fail(Errc::invalid_argument, "time: " + std::string(why) + " duration " + quoted(text));
}

constexpr std::array<Unit, 13> kQuantityUnits{{{"", 1},
                                               {"k", 1'000},
                                               {"M", 1'000'000},
                                               {"G", kBillion},
                                               {"T", kBillion * 1'000},
                                               {"P", kBillion * 1'000'000},
                                               {"E", kBillion* kBillion},
                                               {"Ki", 1ULL << 10},
                                               {"Mi", 1ULL << 20},
                                               {"Gi", 1ULL << 30},
                                               {"Ti", 1ULL << 40},
                                               {"Pi", 1ULL << 50},
                                               {"Ei", 1ULL << 60}}};

// What the suffix multiplies by (factor) or divides by (divisor); one of them is 1.
struct Scale {
  std::uint64_t factor = 1;
  std::uint64_t divisor = 1;
};

std::optional<Scale> scale_of(std::string_view suffix) {
  for (const Unit& unit : kQuantityUnits)
    if (unit.name == suffix) return Scale{unit.factor, 1};
  if (suffix == "m") return Scale{1, 1'000};
  if (suffix == "u") return Scale{1, 1'000'000};
  if (suffix == "n") return Scale{1, kBillion};
  if (suffix.size() < 2 || (suffix[0] != 'e' && suffix[0] != 'E')) return std::nullopt;
  suffix.remove_prefix(1);
  if (suffix.starts_with('+') && !suffix.starts_with("+-")) suffix.remove_prefix(1);
  int exponent = 0;
  if (!read_number(suffix, exponent)) return std::nullopt;
  if (exponent < -18 || exponent > 18) return std::nullopt;
  Scale scale;
  for (; exponent > 0; --exponent) scale.factor *= 10;
  for (; exponent < 0; ++exponent) scale.divisor *= 10;
  return scale;
}

}  // namespace

bool truthy(std::string_view text) {
  static constexpr std::array<std::string_view, 6> kTrue{"y", "yes", "true", "t", "on", "1"};
  for (const std::string_view word : kTrue)
    if (iequals(trim(text), word)) return true;
  return false;
}

Result<Milliseconds> parse_go_duration(std::string_view text) {
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest == "0") return Milliseconds(0);
  if (rest.empty()) return bad_duration("invalid", text);
  // Go holds nanoseconds in 63 bits: 2562047h47m16.854775807s.
  constexpr auto kNanosecondsMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  std::uint64_t total = 0;
  while (!rest.empty()) {
    const auto number = take_decimal(rest);
    if (!number) return bad_duration("invalid", text);
    std::size_t length = 0;
    while (length < rest.size() && rest[length] != '.' && !is_digit(rest[length])) ++length;
    if (length == 0) return bad_duration("missing unit in", text);
    const std::string_view name = rest.substr(0, length);
    const Unit* unit = find_time_unit(name);
    if (unit == nullptr) return bad_duration("unknown unit " + quoted(name) + " in", text);
    bool inexact = false;
    const auto nanoseconds = scale_up(*number, unit->factor, inexact);
    if (!nanoseconds || *nanoseconds > kNanosecondsMax - total) return bad_duration("invalid", text);
    total += *nanoseconds;
    rest.remove_prefix(length);
  }
  const std::uint64_t rounded_up = total / 1'000'000 + (total % 1'000'000 != 0 ? 1 : 0);
  const auto count = static_cast<std::int64_t>(rounded_up);
  return Milliseconds(negative ? -count : count);
}

Result<std::uint64_t> parse_quantity(std::string_view text) {
  const auto refuse = [] {
    return fail(Errc::invalid_argument,
                "quantities are a number with an optional unit: k M G T P E, Ki Mi Gi Ti Pi Ei, or an "
                "exponent, such as 4Mi, 1.5G or 512");
  };
  std::string_view rest = text;
  if (rest.starts_with('+')) rest.remove_prefix(1);
  if (rest.starts_with('-')) return fail(Errc::invalid_argument, "the quantity must not be negative");
  const auto number = take_decimal(rest);
  const auto scale = scale_of(rest);
  if (!number || !scale) return refuse();
  bool inexact = false;
  const auto scaled = scale_up(*number, scale->factor, inexact);
  if (!scaled) return fail(Errc::invalid_argument, "the quantity does not fit in 64 bits");
  inexact = inexact || *scaled % scale->divisor != 0;
  const std::uint64_t value = *scaled / scale->divisor;
  // Kubernetes rounds a fraction of a byte up.
  if (inexact && value == kUint64Max) return refuse();
  return value + (inexact ? 1 : 0);
}

}  // namespace holdfast::state
