// Requests to commands and replies to records. Pure: bytes in, bytes out.
//
// append_*() appends whole commands, whose number of replies is said beside each; an error leaves `out` as it was.
// read_*() takes those replies. A reply that is an error of the server becomes an Error by errors.h; redirects,
// NOSCRIPT and the like are for the caller to look at first (trouble_of()), who may send the request again.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "state/store.h"
#include "stores/redis/errors.h"
#include "stores/redis/query_text.h"
#include "stores/redis/scripts.h"
#include "wire/resp/reply.h"

namespace holdfast::stores::redis {

// The slot of a cluster that a key belongs to: CRC16 of what is between the first { and the next }, if that is not
// empty, else of the whole key, modulo 16384.
std::uint16_t key_slot(std::string_view key);
inline constexpr std::uint16_t kSlotCount = 16384;

// ---- Reading one record

// How the server is asked when a record expires: how long that still is, or, from version 7 on, when, which does not
// change from reading to reading.
enum class Expiry : std::uint8_t { left, at };

inline constexpr std::uint32_t kGetReplies = 2;  // HMGET, and PTTL or PEXPIRETIME
void append_get(std::string& out, const state::GetRequest& request, Expiry expiry = Expiry::left);

struct Got {
  std::optional<state::Record> record;
  // The key holds no hash: append_get_other() asks what it is.
  bool is_other_type = false;
};
// `now` is when the replies were read. What Dapr wrote carries no shape: with want_fields it is `json` if it is valid
// JSON, without them `bytes`, which spares reading the value.
Result<Got> read_get(const Place& place, const state::GetRequest& request, resp::Value hash, resp::Value expires,
                     WallTime now, Expiry expiry = Expiry::left);

// For a key that is no hash: a document of RedisJSON, or a plain string of an old Dapr.
inline constexpr std::uint32_t kGetOtherReplies = 4;  // TYPE, GET, JSON.GET, and PTTL or PEXPIRETIME
void append_get_other(std::string& out, const state::GetRequest& request, Expiry expiry = Expiry::left);
// Nothing when the key has gone meanwhile; Errc::internal for a list, a set and the like.
Result<std::optional<state::Record>> read_get_other(const Place& place, const state::GetRequest& request,
                                                    std::span<const resp::Value> replies, WallTime now,
                                                    Expiry expiry = Expiry::left);

// ---- Writing

// What a write needs beside its request.
struct WriteContext {
  WallTime now;                             // of `created`, `modified` and expiry
  std::string_view principal;               // who writes, where the request does not say
  std::string_view write_id;                // unique among writes of all processes; empty: a repeat proves nothing
  bool is_repeat = false;                   // the reply to the same write, with the same `now` and id, was lost
  bool lenient = false;                     // daprLenient
  bool keeps_index = false;                 // index entries go into their sets too
  bool server_has_json = false;             // then JSON content becomes a document
  std::optional<Milliseconds> default_ttl;  // of a request without one
  Sending sending = Sending::by_hash;
};

// Whether a record is kept as a document: JSON that says so, on a server that can.
bool is_document(const state::SetRequest& request, const WriteContext& context);

// One reply. Errc::etag_invalid: an etag that is no number. Errc::invalid_argument: more than kEtagsMax etags.
Status append_set(std::string& out, const state::SetRequest& request, const WriteContext& context);
// Errc::precondition_failed as the contract says; Errc::outcome_unknown where a repeat proves nothing.
Result<state::Written> read_set(const Place& place, const state::SetRequest& request, const WriteContext& context,
                                resp::Value reply);

// One reply. Without a condition that is a plain UNLINK, no script. Errc::precondition_failed: an etag that is no
// number.
Status append_erase(std::string& out, const state::DeleteRequest& request, const WriteContext& context);
Result<state::Deleted> read_erase(const Place& place, const state::DeleteRequest& request, resp::Value reply);

// One reply. Errc::invalid_argument: no operation, or more than kTransactionOpsMax.
Status append_transaction(std::string& out, std::span<const state::Operation> operations, const WriteContext& context);
Result<std::vector<state::Written>> read_transaction(const Place& place, std::span<const state::Operation> operations,
                                                     const WriteContext& context, resp::Value reply);
// Whether all keys live in one slot; else the Errc::invalid_argument that explains hash tags, before anything is sent.
Status check_one_slot(std::string_view component, std::span<const state::Operation> operations);

// ---- Listing

// A glob that matches exactly the keys that begin with `prefix`.
std::string prefix_glob(std::string_view prefix);
// A glob that matches at least what the LIKE pattern matches; state::LikePattern then decides.
std::string like_glob(std::string_view pattern);

// One reply: SCAN cursor MATCH glob COUNT count.
void append_scan(std::string& out, std::string_view cursor, std::string_view glob, std::uint32_t count);
struct Scanned {
  std::string_view cursor;             // into the reply; "0": that was all
  std::vector<std::string_view> keys;  // into the reply; in no order, some perhaps twice
};
Result<Scanned> read_scan(const Place& place, resp::Value reply);
// One reply each, an array of keys and a number of them.
void append_slot_keys(std::string& out, std::uint16_t slot, std::uint32_t count);
void append_slot_count(std::string& out, std::uint16_t slot);
Result<std::vector<std::string_view>> read_keys(const Place& place, resp::Value reply);
// One reply, the number of keys that were there: UNLINK of all, which have to share a slot in a cluster.
void append_unlink(std::string& out, std::span<const std::string_view> keys);
Result<std::uint64_t> read_count(const Place& place, std::string_view doing, resp::Value reply);

// ---- Replication

// One reply: on this connection's earlier writes.
void append_wait(std::string& out, std::uint32_t replicas, Milliseconds timeout);
void append_wait_aof(std::string& out, std::uint32_t replicas, Milliseconds timeout);
struct Confirmed {
  std::uint32_t replicas = 0;
  std::optional<bool> local_file;  // of WAITAOF: whether our server's own file has it
};
Result<Confirmed> read_wait(const Place& place, resp::Value reply);
// Errc::replication_shortfall with its text.
Error shortfall(const Place& place, std::string_view key, std::uint32_t wanted, const Confirmed& confirmed);

// ---- Searching

struct Found {
  std::vector<state::ListedRecord> items;  // with value and etag
  std::uint64_t rows = 0;   // of the reply, also those that are no records: search_token_after() counts them
  std::uint64_t total = 0;  // of all pages
};
// What FT.INFO says about an index of that name, in RESP2's or RESP3's form.
enum class IndexState : std::uint8_t {
  absent,
  different,  // of other paths or types, in another order, or over hashes
  filling,    // as it should be; documents that were there before it are still being added
  ready,
};
Result<IndexState> read_index_state(const Place& place, const SearchIndex& index, resp::Value reply);

// The reply of FT.SEARCH in RESP2's or RESP3's form; none found is no error.
Result<Found> read_search(const Place& place, resp::Value reply);

}  // namespace holdfast::stores::redis
