// Replies of memcached as values that point into their bytes. I/O-free.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace holdfast::memcached {

struct Reply {
  enum class Kind : std::uint8_t {
    value,       // VA
    done,        // HD
    miss,        // EN
    not_found,   // NF
    not_stored,  // NS
    exists,      // EX: another compare-and-set number
    no_op,       // MN
    version,     // VERSION
    stats,       // STAT ... END
    error,       // ERROR, CLIENT_ERROR or SERVER_ERROR
    other,       // a line that means nothing to us
  };
  Kind kind = Kind::other;
  std::string_view value;  // of `value`
  std::string_view text;   // of `version` what it is; of `stats` the lines; of `error` and `other` the whole line
  // What the command asked for and the reply tells.
  std::optional<std::uint64_t> cas;
  std::optional<std::uint32_t> flags;
  std::optional<std::int64_t> seconds_left;  // -1: it does not expire

  // Takes the first reply off `bytes`. Errc::internal when it is not whole, or not memcached's.
  static Result<Reply> read(std::string_view& bytes);
};

// The value of one statistic, from the text of `stats`; empty when it is not there.
std::string_view find_stat(std::string_view stats, std::string_view name);

}  // namespace holdfast::memcached
