#include "stores/redis/errors.h"

#include <fmt/format.h>

#include <array>

#include "base/encoding.h"
#include "base/number.h"
#include "wire/resp/reply.h"

namespace holdfast::stores::redis {
namespace {

struct Row {
  std::string_view word;  // the first of the sentence, and what a message shows
  std::string_view part;  // instead of the word, what the sentence has in it
  Trouble trouble;
  Errc code;
  std::string_view why;  // what the server did; stands behind its address
  std::string_view advice;
};

constexpr std::string_view kLogin = "Check redisUsername and redisPassword of the component";
constexpr std::string_view kWait = "Try again in a moment";
constexpr std::string_view kRights = "Grant the user the commands and the keys that the store's README lists";
constexpr std::string_view kModule =
    "Load the RedisJSON and search modules (Redis Stack, Redis 8), or do without queries and JSON content";

constexpr std::array kRows{
    Row{"MOVED", "", Trouble::moved, Errc::unavailable, "answered that the key lives on another node",
        "Set redisType to cluster; if it is, try again"},
    Row{"ASK", "", Trouble::ask, Errc::unavailable, "answered that the key is moving to another node", kWait},
    Row{"NOSCRIPT", "", Trouble::no_script, Errc::unavailable, "does not know the script", kWait},
    Row{"WRONGTYPE", "", Trouble::wrong_type, Errc::internal, "holds something else than a record under the key",
        "Look at it with TYPE; delete the key or write to it through this store, which replaces it"},
    Row{"ERR", "wrong Redis type", Trouble::wrong_type, Errc::internal,
        "holds something else than a record under the key",
        "Look at it with TYPE; delete the key or write to it through this store, which replaces it"},
    Row{"TRYAGAIN", "", Trouble::try_again, Errc::unavailable, "is moving the keys to another node", kWait},
    Row{"CLUSTERDOWN", "", Trouble::cluster_down, Errc::unavailable, "says that the cluster is down",
        "Look at CLUSTER INFO: some slots have no node that serves them"},
    Row{"CROSSSLOT", "", Trouble::cross_slot, Errc::invalid_argument, "wants all keys of one call in one hash slot",
        "Give the keys a common part in braces, such as cart/{42}/items and cart/{42}/total"},
    Row{"READONLY", "", Trouble::read_only, Errc::unavailable, "is a replica and takes no writes",
        "Name the primary in redisHost, or use sentinels or a cluster; after a failover it passes by itself"},
    Row{"LOADING", "", Trouble::loading, Errc::unavailable, "is still loading its data", kWait},
    Row{"MASTERDOWN", "", Trouble::master_down, Errc::unavailable, "is a replica that has lost its primary", kWait},
    Row{"NOREPLICAS", "", Trouble::no_replicas, Errc::unavailable,
        "has fewer replicas than its min-replicas-to-write asks for", "Start the replicas, or lower that number"},
    Row{"BUSY", "", Trouble::busy, Errc::unavailable, "is busy with a script that runs for too long",
        "Find whose script it is; SCRIPT KILL ends it"},
    Row{"NOAUTH", "", Trouble::no_auth, Errc::denied, "wants a password", kLogin},
    Row{"WRONGPASS", "", Trouble::wrong_password, Errc::denied, "rejected the password", kLogin},
    Row{"ERR", "invalid password", Trouble::wrong_password, Errc::denied, "rejected the password", kLogin},
    Row{"ERR", "without any password configured", Trouble::wrong_password, Errc::denied, "has no password to check",
        "Remove redisPassword of the component, or set a password on the server"},
    Row{"NOPERM", "", Trouble::no_permission, Errc::denied, "does not let this user do that", kRights},
    // Redis 7 says so inside a script, Valkey and later Redis by NOPERM.
    Row{"NOPERM", "The user executing the script can't", Trouble::no_permission, Errc::denied,
        "does not let this user do that", kRights},
    Row{"OOM", "", Trouble::out_of_memory, Errc::overloaded, "is out of memory",
        "Raise its maxmemory, or choose a maxmemory-policy that evicts; reads and deletes still work"},
    Row{"MISCONF", "", Trouble::cannot_persist, Errc::unavailable, "takes no writes because it cannot save to its disk",
        "Look at the server's log and its disk"},
    Row{"UNKILLABLE", "", Trouble::busy, Errc::unavailable, "is busy with a script that cannot be ended", kWait},
    Row{"ERR", "unknown command", Trouble::unknown_command, Errc::unsupported, "does not know the command", kModule},
    Row{"ERR", "Unknown Redis command", Trouble::unknown_command, Errc::unsupported, "does not know the command",
        kModule},
    Row{"ERR", "max number of clients", Trouble::too_many_clients, Errc::unavailable, "has too many clients",
        "Raise its maxclients, or find who holds the connections"},
    Row{"ERR", "Unknown Index name", Trouble::unknown_index, Errc::invalid_argument, "has no such search index",
        "Name one of the component's queryIndexes"},
    Row{"ERR", "Unknown index name", Trouble::unknown_index, Errc::invalid_argument, "has no such search index",
        "Name one of the component's queryIndexes"},
    Row{"ERR", "no such index", Trouble::unknown_index, Errc::invalid_argument, "has no such search index",
        "Name one of the component's queryIndexes"},
};

constexpr Row kOther{"", "", Trouble::other, Errc::internal, "refused", "The log has the server's words"};

// A script's error may stand behind "ERR Error running script ...: @user_script: 3: WRONGTYPE ..." in servers before 7.
bool has_word(std::string_view words, std::string_view word) {
  if (resp::error_word(words) == word) return true;
  return words.starts_with("ERR Error running script") && words.contains(fmt::format(" {} ", word));
}

// The search module's errors have no "ERR" in front.
bool fits(const Row& row, std::string_view words) {
  return row.part.empty() ? has_word(words, row.word) : words.contains(row.part);
}

const Row& row_of(std::string_view words) {
  for (const Row& row : kRows)
    if (fits(row, words)) return row;
  return kOther;
}

std::string_view take_word(std::string_view& text) { return take_part(text, ' '); }

}  // namespace

Trouble trouble_of(std::string_view words) { return row_of(words).trouble; }

bool is_passing(Trouble trouble) {
  switch (trouble) {
    case Trouble::moved:
    case Trouble::ask:
    case Trouble::no_script:
    case Trouble::try_again:
    case Trouble::cluster_down:
    case Trouble::read_only:
    case Trouble::loading:
    case Trouble::master_down:
      return true;
    default:
      return false;
  }
}

Error describe(const Place& place, std::string_view doing, std::string_view words) {
  const Row& row = row_of(words);
  // The word alone: the rest of the sentence may hold the caller's data.
  const std::string_view word = row.word.empty() ? std::string_view("an error") : row.word;
  Error error(row.code, fmt::format("component \"{}\" (state.redis): cannot {}: {} {} ({}). {}.", place.component,
                                    doing, place.server, row.why, word, row.advice));
  error.backend_message = words;
  return error;
}

Error describe_nonsense(const Place& place, std::string_view doing) {
  return Error(Errc::internal,
               fmt::format("component \"{}\" (state.redis): cannot {}: {} sent a reply that does not fit "
                           "the command. Check that it is Redis or Valkey, and report this.",
                           place.component, doing, place.server));
}

std::optional<Redirect> parse_redirect(std::string_view words) {
  Redirect out;
  const std::string_view kind = take_word(words);
  out.is_ask = kind == "ASK";
  if (!out.is_ask && kind != "MOVED") return std::nullopt;
  if (!read_number(take_word(words), out.slot)) return std::nullopt;
  const std::string_view address = take_word(words);
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos || !read_number(address.substr(colon + 1), out.port) || out.port == 0)
    return std::nullopt;
  std::string_view host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  // "?" stands for a node that does not know its own name yet.
  if (host != "?") out.host = host;
  return out;
}

}  // namespace holdfast::stores::redis
