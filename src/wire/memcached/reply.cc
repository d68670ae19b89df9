#include "wire/memcached/reply.h"

#include <array>
#include <utility>

#include "base/encoding.h"
#include "base/number.h"
#include "wire/memcached/scanner.h"

namespace holdfast::memcached {
namespace {

using Kind = Reply::Kind;

constexpr auto kWords = std::to_array<std::pair<std::string_view, Kind>>({
    {"VA", Kind::value},
    {"HD", Kind::done},
    {"EN", Kind::miss},
    {"NF", Kind::not_found},
    {"NS", Kind::not_stored},
    {"EX", Kind::exists},
    {"MN", Kind::no_op},
    {"VERSION", Kind::version},
    {"STAT", Kind::stats},
    {"END", Kind::stats},
    {"ERROR", Kind::error},
    {"CLIENT_ERROR", Kind::error},
    {"SERVER_ERROR", Kind::error},
});

Kind kind_of(std::string_view word) {
  for (const auto& [name, kind] : kWords)
    if (name == word) return kind;
  return Kind::other;
}

template <class Number>
void read_flag(std::string_view text, std::optional<Number>& out) {
  Number number = 0;
  if (read_number(text, number)) out = number;
}

// "f0 c17 t-1"; those that nobody asked for are passed over.
void read_flags(std::string_view flags, Reply& reply) {
  while (!flags.empty()) {
    const std::string_view flag = take_part(flags, ' ');
    if (flag.starts_with('c')) read_flag(flag.substr(1), reply.cas);
    if (flag.starts_with('f')) read_flag(flag.substr(1), reply.flags);
    if (flag.starts_with('t')) read_flag(flag.substr(1), reply.seconds_left);
  }
}

}  // namespace

Result<Reply> Reply::read(std::string_view& bytes) {
  const auto length = Scanner().scan(bytes);
  if (!length) return fail(length.error());
  if (*length == 0) return fail(Errc::internal, "not memcached: a reply is not whole");
  const std::string_view whole = bytes.substr(0, *length);
  bytes.remove_prefix(*length);
  const std::string_view line = whole.substr(0, whole.find("\r\n"));
  std::string_view rest = line;
  Reply reply;
  reply.kind = kind_of(take_part(rest, ' '));
  switch (reply.kind) {
    case Kind::value: {
      std::uint64_t size = 0;
      if (!read_value_line(line, size, rest)) return fail(Errc::internal, "not memcached: a value has no length");
      reply.value = whole.substr(whole.size() - 2 - size, size);
      [[fallthrough]];
    }
    case Kind::done:
    case Kind::exists:
    case Kind::not_found:
    case Kind::not_stored:
      read_flags(rest, reply);
      break;
    case Kind::version:
      reply.text = rest;
      break;
    case Kind::stats:
      reply.text = whole;
      break;
    default:
      reply.text = line;
  }
  return reply;
}

std::string_view find_stat(std::string_view stats, std::string_view name) {
  while (!stats.empty()) {
    std::string_view line = take_part(stats, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (take_part(line, ' ') == "STAT" && take_part(line, ' ') == name) return line;
  }
  return {};
}

}  // namespace holdfast::memcached
