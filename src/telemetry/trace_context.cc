#include "telemetry/trace_context.h"

#include <algorithm>

#include "base/encoding.h"
#include "base/random.h"

namespace holdfast::telemetry {

namespace {

constexpr std::size_t kTraceparentBytes = 55;
constexpr std::size_t kTraceBinBytes = 29;
constexpr std::size_t kBaggageBytesMax = 8192;
constexpr std::size_t kBaggageMembersMax = 64;

// Lower-case digits only, as the standard has it.
template <std::size_t N>
bool read_hex(std::string_view text, std::array<unsigned char, N>& out) {
  for (std::size_t i = 0; i < 2 * N; ++i) {
    const char c = text[i];
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return false;
    out[i / 2] = static_cast<unsigned char>(i % 2 == 0 ? digit * 16 : out[i / 2] + digit);
  }
  return true;
}

template <std::size_t N>
bool is_zero(const std::array<unsigned char, N>& bytes) {
  return std::ranges::all_of(bytes, [](unsigned char byte) { return byte == 0; });
}

template <std::size_t N>
std::string_view view(const std::array<unsigned char, N>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), N};
}

bool is_token(std::string_view text) {
  static constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

// baggage-octet: printable ASCII without space, quote, comma, semicolon and backslash.
bool is_baggage_value(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\'; });
}

// name=value, or for a property the name alone.
bool is_pair(std::string_view text, bool value_may_lack) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return value_may_lack && is_token(trim(text));
  return is_token(trim(text.substr(0, equals))) && is_baggage_value(trim(text.substr(equals + 1)));
}

bool is_member(std::string_view text) {
  bool first = true;
  while (true) {
    const std::size_t end = std::min(text.find(';'), text.size());
    if (!is_pair(trim(text.substr(0, end)), !first)) return false;
    if (end == text.size()) return true;
    text.remove_prefix(end + 1);
    first = false;
  }
}

}  // namespace

SpanContext child_of(const SpanContext* parent, bool sampled) {
  SpanContext context;
  context.sampled = sampled;
  if (parent != nullptr) {
    context.trace = parent->trace;
  } else {
    random_fill(context.trace);
  }
  random_fill(context.span);
  return context;
}

std::optional<SpanContext> parse_traceparent(std::string_view text) {
  text = trim(text);
  if (text.size() < kTraceparentBytes || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  std::array<unsigned char, 1> version{};
  std::array<unsigned char, 1> flags{};
  SpanContext context;
  if (!read_hex(text.substr(0), version) || version[0] == 0xff || !read_hex(text.substr(3), context.trace) ||
      !read_hex(text.substr(36), context.span) || !read_hex(text.substr(53), flags))
    return std::nullopt;
  // Version 00 has nothing more; a later one may, behind a dash.
  if (text.size() > kTraceparentBytes && (version[0] == 0 || text[kTraceparentBytes] != '-')) return std::nullopt;
  if (is_zero(context.trace) || is_zero(context.span)) return std::nullopt;
  context.sampled = (flags[0] & 1) != 0;
  return context;
}

std::string to_traceparent(const SpanContext& context) {
  return "00-" + hex_encode(view(context.trace)) + "-" + hex_encode(view(context.span)) +
         (context.sampled ? "-01" : "-00");
}

// Version 0; then field 0 the trace's id, 1 the span's, 2 the options.
std::optional<SpanContext> parse_trace_bin(std::string_view bytes) {
  if (bytes.size() != kTraceBinBytes || bytes[0] != 0 || bytes[1] != 0 || bytes[18] != 1 || bytes[27] != 2)
    return std::nullopt;
  SpanContext context;
  std::ranges::copy(bytes.substr(2, 16), context.trace.begin());
  std::ranges::copy(bytes.substr(19, 8), context.span.begin());
  context.sampled = (bytes[28] & 1) != 0;
  if (is_zero(context.trace) || is_zero(context.span)) return std::nullopt;
  return context;
}

std::string to_trace_bin(const SpanContext& context) {
  std::string bytes("\0\0", 2);
  bytes += view(context.trace);
  bytes += '\1';
  bytes += view(context.span);
  bytes += '\2';
  bytes += context.sampled ? '\1' : '\0';
  return bytes;
}

bool is_baggage(std::string_view text) {
  if (text.size() > kBaggageBytesMax) return false;
  std::size_t members = 0;
  while (true) {
    const std::size_t end = std::min(text.find(','), text.size());
    if (!is_member(trim(text.substr(0, end))) || ++members > kBaggageMembersMax) return false;
    if (end == text.size()) return true;
    text.remove_prefix(end + 1);
  }
}

}  // namespace holdfast::telemetry
