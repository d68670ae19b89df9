// Redis' error replies as our errors: what failed, in which component, at which server, why, and what to do. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::stores::redis {

// Whose store speaks and what answered; part of every message.
struct Place {
  std::string_view component;
  std::string_view server;  // "10.0.0.7:6379"
};

// What an error reply says, by its first word and, where Redis has only "ERR", its sentence.
enum class Trouble : std::uint8_t {
  none,             // not an error
  moved,            // the slot lives elsewhere: parse_redirect()
  ask,              // this once: parse_redirect()
  no_script,        // send the script in full
  wrong_type,       // the key holds something else than was asked for
  try_again,        // a slot is between two nodes
  cluster_down,     // part of the slots has no node
  cross_slot,       // the keys of one call live in different slots
  read_only,        // a replica: the primary is another
  loading,          // reads its data set
  master_down,      // a replica that lost its primary and may not answer
  no_replicas,      // min-replicas-to-write is not met
  busy,             // a script of somebody runs too long
  no_auth,          // no AUTH was sent
  wrong_password,   // AUTH failed
  no_permission,    // the user may not
  out_of_memory,    // maxmemory reached
  cannot_persist,   // MISCONF: saving to disk fails, writes are refused
  unknown_command,  // an old server, or a module that is not loaded
  unknown_index,    // the search index does not exist
  too_many_clients,
  other,
};
Trouble trouble_of(std::string_view words);

// Whether the same request may succeed a moment later or at another node, having changed nothing here.
bool is_passing(Trouble trouble);

// `doing` is a verb phrase with its object: `save "cart/42"`. `words` is the server's sentence.
Error describe(const Place& place, std::string_view doing, std::string_view words);
// For a reply of a shape that no server sends: Errc::internal.
Error describe_nonsense(const Place& place, std::string_view doing);

// "MOVED 3999 10.0.0.7:6381", "ASK 3999 host.example:6381", "MOVED 1 ::1:6381".
struct Redirect {
  bool is_ask = false;
  std::uint16_t slot = 0;
  std::string host;  // empty: the host that answered, as Redis 7 says where it knows no other
  std::uint16_t port = 0;
};
std::optional<Redirect> parse_redirect(std::string_view words);

}  // namespace holdfast::stores::redis
