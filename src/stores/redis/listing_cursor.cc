#include <charconv>

#include "base/encoding.h"
#include "base/number.h"
#include "stores/redis/listing.h"
#include "stores/redis/mapping.h"

namespace holdfast::stores::redis {
namespace {

constexpr std::size_t kSeenMax = 4096;

// "a:b:rest" apart.
std::string_view take(std::string_view& text) { return take_part(text, ':'); }

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
  if (!read_number(cursor.position, number)) return std::nullopt;
  while (!text.empty()) {
    const std::size_t end = text.find(',');
    if (end == std::string_view::npos || !read_number(text.substr(0, end), number, 16)) return std::nullopt;
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
  if (!read_number(take(text), cursor.slot) || cursor.slot >= kSlotCount) return std::nullopt;
  cursor.after = text;
  return cursor;
}

// "ID HOST:PORT@BUS FLAGS MASTER PING PONG EPOCH LINK SLOT SLOT ...", where a slot is "5", "0-5460", or on its way:
// "[93->-ID]" and "[93-<-ID]". The flags of a node's own line begin with "myself".
void ClusterView::add(std::size_t primary, std::string_view nodes) {
  static constexpr std::size_t kWordsBeforeSlots = 8;
  const std::size_t own = nodes.find(" myself");
  if (own == std::string_view::npos) return;
  std::string_view line = nodes.substr(nodes.rfind('\n', own) + 1);
  line = line.substr(0, line.find('\n'));
  for (std::size_t word = 0; !line.empty(); ++word) {
    const std::string_view text = take_part(line, ' ');
    if (word < kWordsBeforeSlots || text.empty()) continue;
    if (text.starts_with('[')) {
      is_moving = true;
      continue;
    }
    const std::size_t dash = text.find('-');
    std::uint32_t first = 0;
    std::uint32_t last = 0;
    if (!read_number(text.substr(0, dash), first)) continue;
    last = first;
    if (dash != std::string_view::npos && !read_number(text.substr(dash + 1), last)) continue;
    for (std::uint32_t slot = first; slot <= last && slot < kSlotCount; ++slot) {
      if (owners[slot] >= 0) is_moving = true;  // two say that it is theirs
      if (owners[slot] < 0) ++served;
      owners[slot] = static_cast<int>(primary);
    }
  }
}

// FNV-1a.
std::uint64_t cursor_hash(std::string_view key) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : key) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return hash;
}

}  // namespace holdfast::stores::redis
