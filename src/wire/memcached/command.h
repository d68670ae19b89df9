// Commands of memcached's meta text protocol, as bytes. I/O-free. Each is answered by one reply (reply.h).
// Source: doc/protocol.txt of memcached 1.6.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast::memcached {

inline constexpr std::size_t kKeyBytesMax = 250;

// Whether the server takes it for a key: 1 to 250 bytes, none of them a blank, a control character or DEL. What is
// appended below for anything else is no command.
bool is_key(std::string_view key);

enum class Mode : char {
  set = 'S',
  add = 'E',      // only where there is no item
  replace = 'R',  // only where there is one
};

// In seconds: 0 is never, up to kRelativeMax from now on, more the time since 1970. Servers read 32 bits with a sign,
// and what does not fit comes out as another time.
using Expiry = std::int32_t;
inline constexpr Expiry kNever = 0;
inline constexpr Expiry kRelativeMax = 30 * 24 * 60 * 60;

struct SetCommand {
  std::string_view key;
  std::string_view value;
  std::uint32_t flags = 0;  // of the client: kept and given back
  Expiry expiry = kNever;
  Mode mode = Mode::set;
  std::optional<std::uint64_t> cas = std::nullopt;  // only where the item carries this number
};

// HD with the item's new number; NS: the mode forbids it; EX: it carries another number; NF: there is none to carry
// one.
void append_set(std::string& out, const SetCommand& command);
// VA, or HD without the value; flags, number and seconds left in either; EN: there is none.
void append_get(std::string& out, std::string_view key, bool want_value);
// HD; NF: there is none; EX: it carries another number.
void append_delete(std::string& out, std::string_view key, std::optional<std::uint64_t> cas = std::nullopt);
// MN. Servers older than the protocol answer ERROR, its first versions EN.
void append_no_op(std::string& out);
void append_version(std::string& out);
// "" for the counters, "settings" and others for what they name.
void append_stats(std::string& out, std::string_view of);

}  // namespace holdfast::memcached
