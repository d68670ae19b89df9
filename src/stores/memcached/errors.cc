#include "stores/memcached/errors.h"

#include <fmt/format.h>

#include <array>

namespace holdfast::stores::memcached {
namespace {

struct Row {
  std::string_view part;  // of the server's sentence
  Errc code;
  std::string_view why;  // stands behind the server's address
  std::string_view advice;
};

constexpr std::array kRows{
    Row{"too large for cache", Errc::invalid_argument, "keeps no value of that size",
        "Save less under one key, or start the server with a larger -I"},
    Row{"out of memory", Errc::overloaded, "is out of memory, and has dropped what it had under the key",
        "Give it more with -m, or let it evict (without -M)"},
    Row{"Too many open connections", Errc::unavailable, "has too many connections", "Raise its -c"},
    Row{"unauthenticated", Errc::denied, "wants its clients to sign in, which this store does not do",
        "Start it without -Y and -S, on a network that is its own"},
    Row{"CLIENT_ERROR", Errc::internal, "did not understand the command", "Report this"},
    Row{"SERVER_ERROR", Errc::unavailable, "failed", "Look at the server's log; try again"},
    Row{"ERROR", Errc::internal, "does not know the command",
        "Check that it is memcached 1.6.10 or later, and report this"},
};

}  // namespace

Error describe(const Place& place, std::string_view doing, const wire::Reply& reply) {
  constexpr Row kNonsense{"", Errc::internal, "sent a reply that does not fit the command",
                          "Check that it is memcached, and report this"};
  const Row* row = &kNonsense;
  if (reply.kind == wire::Reply::Kind::error)
    for (const Row& one : kRows)
      if (reply.text.contains(one.part)) {
        row = &one;
        break;
      }
  Error error(row->code, fmt::format("component \"{}\" (state.memcached): cannot {}: {} {}. {}.", place.component,
                                     doing, place.server, row->why, row->advice));
  error.backend_message = reply.text;
  return error;
}

}  // namespace holdfast::stores::memcached
