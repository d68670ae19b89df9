#include <charconv>

#include "stores/redis/listing.h"
#include "stores/redis/mapping.h"

namespace holdfast::stores::redis {
namespace {

constexpr std::size_t kSeenMax = 4096;

// "a:b:rest" apart.
std::string_view take(std::string_view& text) {
  const std::size_t end = std::min(text.find(':'), text.size());
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return part;
}

template <class Number>
bool read(std::string_view text, Number& out, int base) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

}  // namespace

std::string ScanCursor::text() const {
  std::string out = "n:" + run_id + ":" + position + ":";
  char digits[16];
  for (const std::uint64_t hash : seen) {
    out.append(digits, std::to_chars(digits, digits + sizeof digits, hash, 16).ptr);
    out += ',';
  }
  return out;
}

std::optional<ScanCursor> ScanCursor::parse(std::string_view text) {
  if (take(text) != "n") return std::nullopt;
  ScanCursor cursor;
  cursor.run_id = take(text);
  cursor.position = take(text);
  std::uint64_t number = 0;
  if (!read(cursor.position, number, 10)) return std::nullopt;
  while (!text.empty()) {
    const std::size_t end = text.find(',');
    if (end == std::string_view::npos || !read(text.substr(0, end), number, 16)) return std::nullopt;
    cursor.seen.push_back(number);
    text.remove_prefix(end + 1);
    if (cursor.seen.size() > kSeenMax) return std::nullopt;
  }
  return cursor;
}

std::string SlotCursor::text() const {
  return "c:" + std::to_string(slot) + (has_after ? ":" + after : "");
}

std::optional<SlotCursor> SlotCursor::parse(std::string_view text) {
  if (take(text) != "c") return std::nullopt;
  SlotCursor cursor;
  cursor.has_after = text.contains(':');
  if (!read(take(text), cursor.slot, 10) || cursor.slot >= kSlotCount) return std::nullopt;
  cursor.after = text;
  return cursor;
}

// FNV-1a.
std::uint64_t cursor_hash(std::string_view key) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

}  // namespace holdfast::stores::redis
