#include "wire/memcached/command.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace holdfast::memcached {
namespace {

template <class Number>
void append_number(std::string& out, Number number) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

}  // namespace

bool is_key(std::string_view key) {
  if (key.empty() || key.size() > kKeyBytesMax) return false;
  return std::ranges::none_of(key, [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; });
}

void append_set(std::string& out, const SetCommand& command) {
  out.reserve(out.size() + command.key.size() + command.value.size() + 80);
  out.append("ms ").append(command.key).append(1, ' ');
  append_number(out, command.value.size());
  out.append(" F");
  append_number(out, command.flags);
  out.append(" T");
  append_number(out, command.expiry);
  if (command.cas) {
    out.append(" C");
    append_number(out, *command.cas);
  }
  if (command.mode != Mode::set) out.append(" M").append(1, static_cast<char>(command.mode));
  out.append(" c\r\n").append(command.value).append("\r\n");
}

void append_get(std::string& out, std::string_view key, bool want_value) {
  out.append("mg ").append(key).append(want_value ? " v f c t\r\n" : " f c t\r\n");
}

void append_delete(std::string& out, std::string_view key, std::optional<std::uint64_t> cas) {
  out.append("md ").append(key);
  if (cas) {
    out.append(" C");
    append_number(out, *cas);
  }
  out.append("\r\n");
}

void append_no_op(std::string& out) { out.append("mn\r\n"); }
void append_version(std::string& out) { out.append("version\r\n"); }

void append_stats(std::string& out, std::string_view of) {
  out.append("stats");
  if (!of.empty()) out.append(" ").append(of);
  out.append("\r\n");
}

}  // namespace holdfast::memcached
