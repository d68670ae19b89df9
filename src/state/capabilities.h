// What a store, as configured, can do: the only place it is said. Request checks, /v2/stores, the table in the
// docs and the conformance suite all read this value. An ability that the engine cannot give atomically is not
// declared. v1 metadata does not read this: it shows what Dapr declares for the type (StoreType::dapr_features).
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace holdfast::state {

// Weakest first, so that "at least as strong" is >=. `caboa` is another name for quorum.
enum class Consistency : std::uint8_t {
  unspecified,  // the component's default: where daprd's calls go
  eventual,
  consistent_prefix,
  session,
  bounded_staleness,
  quorum,
  strong,
};
inline constexpr std::size_t kConsistencyCount = 7;

// "bounded-staleness"; empty for unspecified.
std::string_view name_of(Consistency level);
// The six names in any case, with or without the hyphen, and "caboa". Nothing for anything else.
std::optional<Consistency> parse_consistency(std::string_view name);

inline constexpr std::uint32_t kUnlimited = std::numeric_limits<std::uint32_t>::max();

struct Capabilities {
  bool etag = false;             // conditional writes are atomic in the engine; etags are never reused
  bool record_fields = false;    // created, modified, by whom, tags, content type come back
  bool reports_created = false;  // Written::created and Deleted::existed are known in the same trip
  bool ttl = false;              // an expired record is never returned
  std::uint32_t ttl_grain_ms = 0;  // a record may outlive its TTL by at most this, and never falls short
  std::uint32_t transaction_ops_max = 0;  // 0: no atomic multi-key writes
  bool snapshot_read = false;    // get_many sees one instant
  bool list = false;             // by prefix
  bool ordered_list = false;     // bytewise order, no key twice
  // The pages of a listing show the instant of the first, as long as the engine keeps it: what was deleted since then
  // is in them, and what was made is not.
  bool snapshot_list = false;
  bool keys_like = false;
  bool delete_prefix = false;
  bool query = false;
  std::uint32_t query_sort_keys_max = kUnlimited;  // of one query
  // Queries ask an index of the engine: only for the paths that the component names, each with values of one type;
  // strings have no order there, and may be compared in any case of letters.
  bool query_by_index = false;
  bool secondary_index = false;  // records are found by the index entries of their last write
  bool watch = false;
  bool watch_resume = false;     // a token of an earlier watch continues it, or says resync
  bool watch_coalesces = false;  // writes of a key that follow each other closely may be told as the last of them
  // Readings at session may be served by copies that are behind: CallContext::position says how far they have to be.
  bool session_positions = false;
  bool exact_json = false;       // JSON text comes back byte for byte
  bool durable = false;          // an acknowledged write survives the process, and the power
  std::uint64_t key_bytes_max = 0;    // 0: no limit known to us
  std::uint64_t value_bytes_max = 0;  // 0: no limit known to us

  // The level that a read (write) asking for level i is served at; unspecified: refused.
  using Levels = std::array<Consistency, kConsistencyCount>;
  Levels reads{};
  Levels writes{};

  // One process, one copy: every level is strong for free.
  static constexpr Levels always_strong() {
    Levels levels{};
    for (auto& level : levels) level = Consistency::strong;
    return levels;
  }
};

}  // namespace holdfast::state
