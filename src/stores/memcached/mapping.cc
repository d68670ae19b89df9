#include "stores/memcached/mapping.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>

#include "base/encoding.h"
#include "base/number.h"
#include "wire/json/json.h"

namespace holdfast::stores::memcached {
namespace {

using state::Shape;
using wire::Expiry;
using wire::kRelativeMax;
using wire::Reply;
using Kind = Reply::Kind;

constexpr std::uint32_t kJsonFlag = 1U << 31;
constexpr std::uint32_t kNeverFlag = 1;
constexpr std::int64_t kServersLastSecond = std::numeric_limits<Expiry>::max();  // in January 2038
// By how much the server's word may differ from ours where it means the same: its clock and ours move in seconds, and
// other sidecars have other clocks.
constexpr std::int64_t kSlackSeconds = 5;

constexpr std::array<std::uint32_t, 256> make_crc_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xedb88320U : 0U);
    table[i] = value;
  }
  return table;
}
constexpr auto kCrcTable = make_crc_table();

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t value = 0xffffffffU;
  for (const char c : bytes) value = (value >> 8) ^ kCrcTable[(value ^ static_cast<unsigned char>(c)) & 0xff];
  return ~value;
}

std::int64_t seconds_up(std::int64_t us) { return us / 1'000'000 + (us % 1'000'000 > 0 ? 1 : 0); }
WallTime at_second(std::int64_t second) { return WallTime{second * 1'000'000}; }
std::int64_t second_of(WallTime time) { return time.us / 1'000'000; }

// What an item's flags say about its end; nothing where they say nothing.
std::optional<WallTime> flagged_end(std::uint32_t flags) {
  const std::uint32_t seconds = flags & ~kJsonFlag;
  if (seconds <= kNeverFlag) return std::nullopt;
  return at_second(kFlagsEpoch + seconds);
}

// The server decides when an item ends; the flags know it to the second, unless somebody has changed it since.
std::optional<WallTime> end_of(const Reply& reply, WallTime now) {
  const auto flagged = flagged_end(reply.flags.value_or(0));
  if (reply.seconds_left.value_or(-1) < 0)
    return flagged && second_of(*flagged) > kServersLastSecond ? flagged : std::nullopt;
  const std::int64_t told = second_of(now) + *reply.seconds_left;
  if (flagged && std::abs(second_of(*flagged) - told) <= kSlackSeconds) return flagged;
  return at_second(told);
}

Shape shape_of(const Reply& reply, bool looks_at_value) {
  const std::uint32_t flags = reply.flags.value_or(0);
  if (flags == 0) return looks_at_value && json::is_valid(reply.value) ? Shape::json : Shape::bytes;
  return (flags & kJsonFlag) != 0 ? Shape::json : Shape::bytes;
}

std::string named(std::string_view doing, std::string_view key) { return fmt::format("{} \"{}\"", doing, key); }

}  // namespace

std::size_t host_of(std::string_view key, std::size_t hosts) { return hosts == 1 ? 0 : crc32(key) % hosts; }

Status check_key(std::string_view component, std::string_view key) {
  if (wire::is_key(key)) return {};
  const std::string why =
      key.size() > wire::kKeyBytesMax
          ? fmt::format("has {} bytes with what is put in front of it, and memcached takes {}", key.size(),
                        wire::kKeyBytesMax)
      : key.empty() ? std::string("is empty")
                    : std::string("has a blank or a control character, which memcached takes for the end of a key");
  return fail(Errc::invalid_argument,
              fmt::format("component \"{}\" (state.memcached): the key {} {}. Choose another key.", component,
                          go_quote(key), why));
}

Status check_value(std::string_view component, std::string_view key, std::size_t bytes, std::uint64_t value_bytes_max) {
  if (bytes <= value_bytes_max) return {};
  return fail(
      Errc::invalid_argument,
      fmt::format("component \"{}\" (state.memcached): cannot save \"{}\": the value has {} bytes, and the server "
                  "keeps at most {}. Save less under one key, or start the server with a larger -I.",
                  component, key, bytes, value_bytes_max));
}

std::string make_etag(std::uint64_t cas, std::string_view process) { return fmt::format("{}-{}", cas, process); }

std::optional<std::uint64_t> read_etag(std::string_view etag, std::string_view process) {
  const std::size_t dash = etag.find('-');
  if (dash == std::string_view::npos || etag.substr(dash + 1) != process) return std::nullopt;
  const std::string_view digits = etag.substr(0, dash);
  std::uint64_t cas = 0;
  // One text for one number: "07" is none.
  if (!read_number(digits, cas) || cas == 0 || digits.starts_with('0')) return std::nullopt;
  return cas;
}

Lifetime lifetime_of(std::optional<Milliseconds> ttl, WallTime now) {
  if (!ttl || ttl->count() <= 0) return {};
  constexpr std::int64_t kLongestMs = std::int64_t{1} << 52;  // what fits into microseconds
  const std::int64_t ms = std::min<std::int64_t>(ttl->count(), kLongestMs);
  return lifetime_until(at_second(seconds_up(now.us + ms * 1000)), now);
}

Lifetime lifetime_until(std::optional<WallTime> expires_at, WallTime now) {
  if (!expires_at) return {};
  Lifetime lifetime{.expires_at = expires_at};
  const std::int64_t end = second_of(*expires_at);
  // Its last second has come: it shall not live for ever instead.
  const std::int64_t left = std::max<std::int64_t>(seconds_up(expires_at->us - now.us), 1);
  if (left + 1 <= kRelativeMax) {
    lifetime.expiry = static_cast<Expiry>(left + 1);
  } else if (end + 1 <= kServersLastSecond) {
    lifetime.expiry = static_cast<Expiry>(end + 1);
  }
  return lifetime;
}

std::uint32_t make_flags(Shape shape, std::optional<WallTime> expires_at) {
  std::uint32_t flags = kNeverFlag;
  if (expires_at) {
    const std::int64_t seconds = second_of(*expires_at) - kFlagsEpoch;
    flags = static_cast<std::uint32_t>(std::clamp<std::int64_t>(seconds, kNeverFlag + 1, kJsonFlag - 1));
  }
  return shape == Shape::json ? flags | kJsonFlag : flags;
}

void append_get(std::string& out, const state::GetRequest& request) {
  wire::append_get(out, request.key, request.want_value);
}

Result<std::optional<Item>> read_get(const Place& place, const state::GetRequest& request, const Reply& reply,
                                     std::string_view process, WallTime now) {
  if (reply.kind == Kind::miss) return std::nullopt;
  const bool is_item = reply.kind == (request.want_value ? Kind::value : Kind::done);
  if (!is_item || !reply.cas) return fail(describe(place, named("read", request.key), reply));
  Item item;
  item.cas = *reply.cas;
  item.record.value = reply.value;
  item.record.shape = shape_of(reply, request.want_fields);
  item.record.etag = make_etag(item.cas, process);
  item.record.expires_at = end_of(reply, now);
  return item;
}

void append_set(std::string& out, const state::SetRequest& request, const Guard& guard, const Lifetime& lifetime) {
  wire::append_set(out, {.key = request.key,
                         .value = request.value,
                         .flags = make_flags(request.shape, lifetime.expires_at),
                         .expiry = lifetime.expiry,
                         .mode = guard.mode,
                         .cas = guard.cas});
}

Result<state::Written> read_set(const Place& place, const state::SetRequest& request, const Reply& reply,
                                std::string_view process, const Lifetime& lifetime) {
  if (reply.kind == Kind::not_stored || reply.kind == Kind::exists || reply.kind == Kind::not_found)
    return fail(refusal(place, request.key));
  if (reply.kind != Kind::done || !reply.cas) return fail(describe(place, named("save", request.key), reply));
  state::Written written;
  written.etag = make_etag(*reply.cas, process);
  written.expires_at = lifetime.expires_at;
  return written;
}

Result<bool> read_erase(const Place& place, std::string_view key, const Reply& reply) {
  if (reply.kind == Kind::done) return true;
  if (reply.kind == Kind::not_found) return false;
  if (reply.kind == Kind::exists) return fail(refusal(place, key));
  return fail(describe(place, named("delete", key), reply));
}

Error refusal(const Place& place, std::string_view key, std::string_view current_etag) {
  Error error(Errc::precondition_failed,
              fmt::format("component \"{}\" (state.memcached): \"{}\" is not as the condition wants it; read it again",
                          place.component, key));
  error.current_etag = current_etag;
  return error;
}

}  // namespace holdfast::stores::memcached
