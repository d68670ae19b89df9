// The Lua scripts that every write of this store is: check, set, count, expire in one step of the server.
//
// A script is sent as EVALSHA and, where the server does not know it (NOSCRIPT), once more as EVAL. Scripts touch only
// the keys they declare, so they run in a cluster; they ask for the server's time only to make a fresh key. Their
// replies are flat arrays; the only errors are the server's own (permissions, memory, a broken module).
//
// Layout, replies and arguments: README.md, "How it works". Needs Redis 5 or later (effects of scripts are replicated).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::stores::redis {

struct Script {
  std::string source;
  std::string sha1;  // 40 lower-case hex digits, as EVALSHA wants them
};

// SET, the hash form.
//   KEYS: the key, then the sets of its index entries (entries.h).
//   ARGV: value, tail, created, clock (microseconds), when ("a" if left out), ttl_ms (0: none, and if left out), etag...
//   -> "version created:0|1 left hf:c" | {0, current version or ""} | {2, current version or ""} (a repeat: not known);
//      left: milliseconds to live that a request for keeping them found, else 0
const Script& set_hash_script();
// SET, the JSON form: a document {"data":value,"version":n,...}. Arguments and replies as above.
const Script& set_json_script();
// DELETE of either form.
//   KEYS: the key.  ARGV: when, etag...
//   -> {1, existed 0|1} | {0, current version or ""}
const Script& erase_script();
// Transaction, all or nothing.
//   KEYS: every key once, then the sets of index entries.  ARGV: per operation kind (h: set hash, j: set JSON, d:
//   delete, c: check), number of the key from 1, when, count of etags, etags..., and for h and j: value, ttl_ms, tail,
//   created, count of index entries, numbers of their sets
//   -> {1, then per operation version or "", created or existed 0|1, hf:c or ""} | {0, operation from 0, current or ""}
const Script& transaction_script();

// Takes keys out of the set of an index entry, whose records do not carry it.
//   KEYS: the set, then the keys.  ARGV: the entry as it stands in hf:m
//   -> how many
const Script& forget_script();

// The conditions of the scripts (`when`). A capital letter asks for a repeat of a write whose reply was lost: if the
// record still carries the same `tail` the first outcome is told again; else it is applied only where an etag that
// matches proves that the first was not (etags never come back).
enum class When : char {
  any = 'a',
  absent = 'n',
  present = 'p',
  one_of = 'o',
  one_of_or_absent = 'l',  // Dapr's laxity: an etag is not checked where there is no record
};
char letter(When when, bool is_repeat);

// Etags of one condition, at most; more is an invalid_argument of the mapping.
inline constexpr std::size_t kEtagsMax = 256;
// Operations of one transaction, at most: the server does nothing else while a script runs.
inline constexpr std::size_t kTransactionOpsMax = 1024;

enum class Sending : std::uint8_t { by_hash, in_full };
// Begins EVALSHA or EVAL: the caller appends `keys` keys and `arguments` arguments.
void begin_script(std::string& out, const Script& script, Sending sending, std::size_t keys, std::size_t arguments);
// SCRIPT LOAD, one reply.
void append_script_load(std::string& out, const Script& script);

}  // namespace holdfast::stores::redis
