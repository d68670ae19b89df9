// The slow path of reading: texts that simdjson refuses and Go takes, rewritten so that simdjson takes them and
// the values are Go's.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "wire/json/json.h"
#include "wire/json/scanner.h"
#include "wire/json/utf8.h"

namespace holdfast::json {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

// The number of the four digits at raw[at]; the scanner has seen that they are hex.
unsigned hex4(std::string_view raw, std::size_t at) {
  unsigned value = 0;
  std::from_chars(raw.data() + at, raw.data() + at + 4, value, 16);
  return value;
}
bool is_high_surrogate(unsigned unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool is_low_surrogate(unsigned unit) { return unit >= 0xdc00 && unit < 0xe000; }

// Writes what Go's decoder would hold, as strict JSON.
class StrictWriter {
 public:
  void structure(char c) { out_ += c; }
  void literal(std::string_view raw) { out_ += raw; }

  void string(std::string_view raw) {
    for (std::size_t at = 0; at < raw.size();) {
      if (raw[at] == '\\') {
        at += escape(raw, at);
        continue;
      }
      const std::size_t bytes = character_bytes(raw, at);
      out_ += bytes == 0 ? kReplacement : raw.substr(at, bytes);
      at += bytes == 0 ? 1 : bytes;
    }
  }

  void number(std::string_view raw) {
    if (is_short_integer(raw)) {
      out_ += raw;
      return;
    }
    const std::optional<double> value = to_double(raw);
    if (!value) {
      // Go goes on reading: an error of syntax further on is the one it reports.
      constexpr std::size_t kShownMax = 200;
      if (range_error_.empty())
        range_error_ =
            fmt::format("json: cannot unmarshal number {} into Go value of type float64", raw.substr(0, kShownMax));
      out_ += '0';
      return;
    }
    const std::size_t start = out_.size();
    append_number(out_, *value);
    // simdjson refuses integers beyond 64 bits, and drops the sign of an integer 0.
    if (out_.find_first_of(".e", start) == std::string::npos) out_ += ".0";
  }

  const std::string& range_error() const { return range_error_; }
  std::string take() { return std::move(out_); }

 private:
  // Copies the escape at raw[at], half a surrogate pair as U+FFFD; returns its length.
  std::size_t escape(std::string_view raw, std::size_t at) {
    if (raw[at + 1] != 'u') {
      out_ += raw.substr(at, 2);
      return 2;
    }
    const unsigned unit = hex4(raw, at + 2);
    if (is_high_surrogate(unit) && raw.substr(at + 6).starts_with("\\u") && is_low_surrogate(hex4(raw, at + 8))) {
      out_ += raw.substr(at, 12);
      return 12;
    }
    if (is_high_surrogate(unit) || is_low_surrogate(unit)) {
      out_ += kReplacement;
    } else {
      out_ += raw.substr(at, 6);
    }
    return 6;
  }

  static bool is_short_integer(std::string_view raw) {
    return raw.size() <= 18 && raw != "-0" && raw.find_first_of(".eE") == std::string_view::npos;
  }

  // Nothing beyond the range of a double. What is too small for one is 0, as in Go.
  static std::optional<double> to_double(std::string_view raw) {
    double value = 0;
    const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), value);
    if (error != std::errc::result_out_of_range) return value;
    if (is_large(raw)) return std::nullopt;
    return raw.starts_with('-') ? -0.0 : 0.0;
  }

  // Which end of the range it was that from_chars found too far: whether the first digit that counts stands
  // before the decimal point, once the exponent has moved it.
  static bool is_large(std::string_view raw) {
    const std::size_t mark = std::min(raw.find_first_of("eE"), raw.size());
    const std::string_view mantissa = raw.substr(0, mark);
    const auto point = static_cast<std::int64_t>(std::min(mantissa.find('.'), mantissa.size()));
    const std::size_t first = mantissa.find_first_of("123456789");
    if (first == std::string_view::npos) return false;
    std::int64_t exponent = 0;
    if (mark < raw.size()) {
      const bool negative = raw[mark + 1] == '-';
      for (const char c : raw.substr(mark + 1))
        if (c >= '0' && c <= '9' && exponent < 1'000'000'000'000) exponent = exponent * 10 + (c - '0');
      if (negative) exponent = -exponent;
    }
    return point - static_cast<std::int64_t>(first) + exponent > 0;
  }

  std::string out_;
  std::string range_error_;
};

}  // namespace

std::string quote_char(char c) {
  switch (c) {
    case '\'':
      return R"('\'')";
    case '"':
      return R"('"')";
    case '\\':
      return R"('\\')";
    case '\a':
      return R"('\a')";
    case '\b':
      return R"('\b')";
    case '\f':
      return R"('\f')";
    case '\n':
      return R"('\n')";
    case '\r':
      return R"('\r')";
    case '\t':
      return R"('\t')";
    case '\v':
      return R"('\v')";
    default:
      break;
  }
  const unsigned byte = static_cast<unsigned char>(c);
  if (byte < 0x20 || byte == 0x7f) return fmt::format("'\\x{:02x}'", byte);
  if (byte < 0x80) return std::string("'") + c + '\'';
  // Go takes the byte for a code point of Latin-1; these are the unprintable ones.
  if (byte <= 0xa0 || byte == 0xad) return fmt::format("'\\u{:04x}'", byte);
  return std::string("'") + static_cast<char>(0xc0U | byte >> 6U) + static_cast<char>(0x80U | (byte & 0x3fU)) + '\'';
}

Result<std::string> tolerate(std::string_view text, Reading reading) {
  StrictWriter writer;
  Scanner scanner(text, reading, writer);
  if (!scanner.run()) return fail(Errc::invalid_argument, scanner.error());
  if (!writer.range_error().empty()) return fail(Errc::invalid_argument, writer.range_error());
  return writer.take();
}

}  // namespace holdfast::json
