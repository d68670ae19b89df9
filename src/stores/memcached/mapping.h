// Requests to commands and replies to records. Pure: bytes in, bytes out.
//
// append_*() appends one command, which one reply answers; read_*() takes that reply.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "state/store.h"
#include "stores/memcached/errors.h"
#include "wire/memcached/command.h"
#include "wire/memcached/reply.h"

namespace holdfast::stores::memcached {

// Which of so many hosts has the key: CRC-32 (IEEE) of the key modulo their number, in the order in which they are
// listed. As Dapr's driver, bit for bit, or records would not be found.
std::size_t host_of(std::string_view key, std::size_t hosts);

// Why the server would not take it, before it is asked: Errc::invalid_argument. Values may be `value_bytes_max` long.
Status check_key(std::string_view component, std::string_view key);
Status check_value(std::string_view component, std::string_view key, std::size_t bytes, std::uint64_t value_bytes_max);

// ---- Etags: the number that the server gave the item, and which process that was. Another process counts from 1
// again, and an etag must not come back.

std::string make_etag(std::uint64_t cas, std::string_view process);
// The number, if that process gave the etag; nothing matches any other text.
std::optional<std::uint64_t> read_etag(std::string_view etag, std::string_view process);

// ---- Times

// How an item is to expire.
struct Lifetime {
  wire::Expiry expiry = wire::kNever;
  std::optional<WallTime> expires_at;  // in whole seconds
};
// None for a TTL of 0 or less. A server's clock moves once a second, so that an item lives up to a second less than it
// is told: it is told one more. What it cannot count in its 32 bits (beyond the year 2038) does not expire.
Lifetime lifetime_of(std::optional<Milliseconds> ttl, WallTime now);
// The same for a record that goes on expiring when it did.
Lifetime lifetime_until(std::optional<WallTime> expires_at, WallTime now);

// ---- Client flags. Dapr writes 0 and passes over what is there, and so may we keep what the item has no place for:
// the value's shape, and when it expires, which the server tells in seconds left and so never twice the same. Bit 31:
// JSON. The others: 0 of what Dapr wrote, 1 for never, else seconds since kFlagsEpoch.

inline constexpr std::int64_t kFlagsEpoch = 1'767'225'600;  // 2026-01-01
std::uint32_t make_flags(state::Shape shape, std::optional<WallTime> expires_at);

// ---- Reading

void append_get(std::string& out, const state::GetRequest& request);

struct Item {
  state::Record record;
  std::uint64_t cas = 0;
};
// Nothing: there is none. `now` is when the reply was read, `process` who sent it. What Dapr wrote carries no shape:
// with want_fields it is `json` if it is valid JSON, without them `bytes`, which spares reading the value.
Result<std::optional<Item>> read_get(const Place& place, const state::GetRequest& request, const wire::Reply& reply,
                                     std::string_view process, WallTime now);

// ---- Writing

// What is sent for a precondition, once it is known which etag counts.
struct Guard {
  wire::Mode mode = wire::Mode::set;
  std::optional<std::uint64_t> cas = std::nullopt;
};

void append_set(std::string& out, const state::SetRequest& request, const Guard& guard, const Lifetime& lifetime);
// Errc::precondition_failed where the guard was not satisfied.
Result<state::Written> read_set(const Place& place, const state::SetRequest& request, const wire::Reply& reply,
                                std::string_view process, const Lifetime& lifetime);

// Whether there was an item that was deleted; Errc::precondition_failed where it carries another number.
Result<bool> read_erase(const Place& place, std::string_view key, const wire::Reply& reply);

// Errc::precondition_failed with its text; `current_etag` may be empty.
Error refusal(const Place& place, std::string_view key, std::string_view current_etag = {});

}  // namespace holdfast::stores::memcached
