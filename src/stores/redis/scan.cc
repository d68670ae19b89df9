// Slots, listing and replication: the parts of mapping.h that are not about one record.
#include <fmt/format.h>

#include <array>

#include "state/keys.h"
#include "stores/redis/mapping.h"
#include "wire/resp/command.h"

namespace holdfast::stores::redis {
namespace {

using resp::Kind;
using resp::Value;

std::unexpected<Error> refused(const Place& place, std::string_view doing, Value reply) {
  return fail(reply.kind() == Kind::error ? describe(place, doing, reply.text()) : describe_nonsense(place, doing));
}

// CRC-16/XMODEM, which the Redis Cluster specification names.
constexpr std::array<std::uint16_t, 256> kCrcTable = [] {
  std::array<std::uint16_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1;
    table[byte] = static_cast<std::uint16_t>(crc);
  }
  return table;
}();

std::string_view hashed_part(std::string_view key) {
  const std::size_t open = key.find('{');
  if (open == std::string_view::npos) return key;
  const std::size_t close = key.find('}', open + 1);
  if (close == std::string_view::npos || close == open + 1) return key;
  return key.substr(open + 1, close - open - 1);
}

void append_literal(std::string& glob, char c) {
  if (std::string_view("*?[]^\\").contains(c)) glob += '\\';
  glob += c;
}

// More runs of wildcards than these make the server's matching slow on keys that nearly match.
constexpr std::size_t kWildcardRunsMax = 4;

}  // namespace

std::uint16_t key_slot(std::string_view key) {
  std::uint16_t crc = 0;
  for (const char c : hashed_part(key))
    crc = static_cast<std::uint16_t>((crc << 8) ^ kCrcTable[((crc >> 8) ^ static_cast<unsigned char>(c)) & 0xff]);
  return crc % kSlotCount;
}

std::string prefix_glob(std::string_view prefix) {
  std::string glob;
  for (const char c : prefix) append_literal(glob, c);
  return glob + '*';
}

// "_" is one character and may be several bytes, "?" is one byte: a run of wildcards becomes as many "?" as characters
// it asks for, and a "*".
std::string like_glob(std::string_view pattern) {
  std::string glob;
  std::size_t runs = 0;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      append_literal(glob, pattern[++i]);
    } else if (pattern[i] != '%' && pattern[i] != '_') {
      append_literal(glob, pattern[i]);
    } else {
      if (++runs > kWildcardRunsMax) return prefix_glob(state::LikePattern(pattern).literal_prefix());
      for (; i < pattern.size() && (pattern[i] == '%' || pattern[i] == '_'); ++i)
        if (pattern[i] == '_') glob += '?';
      glob += '*';
      --i;
    }
  }
  return glob;
}

void append_scan(std::string& out, std::string_view cursor, std::string_view glob, std::uint32_t count) {
  resp::append_command(out, {"SCAN", cursor, "MATCH", glob, "COUNT", std::to_string(count)});
}

Result<Scanned> read_scan(const Place& place, Value reply) {
  if (reply.kind() != Kind::array || reply.size() != 2 || reply[0].kind() != Kind::text)
    return refused(place, "list keys", reply);
  auto keys = read_keys(place, reply[1]);
  if (!keys) return fail(std::move(keys.error()));
  return Scanned{reply[0].text(), std::move(*keys)};
}

void append_slot_keys(std::string& out, std::uint16_t slot, std::uint32_t count) {
  resp::append_command(out, {"CLUSTER", "GETKEYSINSLOT", std::to_string(slot), std::to_string(count)});
}

void append_slot_count(std::string& out, std::uint16_t slot) {
  resp::append_command(out, {"CLUSTER", "COUNTKEYSINSLOT", std::to_string(slot)});
}

Result<std::vector<std::string_view>> read_keys(const Place& place, Value reply) {
  if (reply.kind() != Kind::array && reply.kind() != Kind::set) return refused(place, "list keys", reply);
  std::vector<std::string_view> keys;
  keys.reserve(reply.size());
  for (const Value key : reply) {
    if (key.kind() != Kind::text) return refused(place, "list keys", key);
    keys.push_back(key.text());
  }
  return keys;
}

void append_unlink(std::string& out, std::span<const std::string_view> keys) {
  resp::begin_command(out, 1 + keys.size());
  resp::append_argument(out, "UNLINK");
  for (const std::string_view key : keys) resp::append_argument(out, key);
}

Result<std::uint64_t> read_count(const Place& place, std::string_view doing, Value reply) {
  if (reply.kind() != Kind::integer || reply.integer() < 0) return refused(place, doing, reply);
  return static_cast<std::uint64_t>(reply.integer());
}

void append_wait(std::string& out, std::uint32_t replicas, Milliseconds timeout) {
  resp::append_command(out, {"WAIT", std::to_string(replicas), std::to_string(timeout.count())});
}

void append_wait_aof(std::string& out, std::uint32_t replicas, Milliseconds timeout) {
  resp::append_command(out, {"WAITAOF", "1", std::to_string(replicas), std::to_string(timeout.count())});
}

Result<Confirmed> read_wait(const Place& place, Value reply) {
  constexpr std::string_view kDoing = "wait for replicas";
  const bool is_aof = reply.kind() == Kind::array && reply.size() == 2;
  const Value replicas = is_aof ? reply[1] : reply;
  if (replicas.kind() != Kind::integer || replicas.integer() < 0) return refused(place, kDoing, replicas);
  Confirmed confirmed{static_cast<std::uint32_t>(replicas.integer()), std::nullopt};
  if (is_aof) confirmed.local_file = reply[0].integer() > 0;
  return confirmed;
}

Error shortfall(const Place& place, std::string_view key, std::uint32_t wanted, const Confirmed& confirmed) {
  const bool is_unwritten = confirmed.local_file && !*confirmed.local_file;
  return Error(
      Errc::replication_shortfall,
      fmt::format("component \"{}\" (state.redis): \"{}\" was written at {}{}, and {} of {} replicas confirmed it "
                  "in time. The write stands; it may be lost if that server fails now. Check the replicas, or "
                  "ask for a weaker consistency.",
                  place.component, key, place.server, is_unwritten ? " but not yet to its append-only file" : "",
                  confirmed.replicas, wanted));
}

}  // namespace holdfast::stores::redis
