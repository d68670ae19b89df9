// Where a reply of memcached ends, resumable at every byte. I/O-free.
//
// A reply is a line; a line "VA <bytes> ..." and so many bytes with an end of line behind them; or lines "STAT ..." up
// to a line "END". A scanner skips over values without looking at them and remembers how far it has looked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::memcached {

// Bounds on one reply. What is over one is refused as soon as it is announced.
struct Limits {
  std::size_t line_bytes_max = 8 * 1024;                  // with its end
  std::uint64_t value_bytes_max = 1024ULL * 1024 * 1024;  // the most that a server may be told to keep, by -I
  std::size_t stats_bytes_max = 1024 * 1024;
};

class Scanner {
 public:
  explicit Scanner(Limits limits = {}) : limits_(limits) {}

  // `bytes` begins where the current reply begins and holds what has arrived of it so far: the same bytes as last time
  // and perhaps more, also of replies behind it. Gives the length of the reply when it is whole, and is then ready for
  // the next one; 0 when more must arrive. Errc::internal, "not memcached: ...", when the peer breaks the protocol or a
  // bound; every call fails so from then on.
  Result<std::size_t> scan(std::string_view bytes);

 private:
  enum class Step : std::uint8_t { next, more, whole, broken };

  Step take_line(std::string_view bytes);
  Step take_value(std::string_view bytes);
  Step begin_value(std::string_view line);
  Step broken(std::string reason);

  Limits limits_;
  std::size_t begin_ = 0;      // of the line that is read now
  std::size_t searched_ = 0;   // no end of line stands between begin_ and here
  std::size_t value_end_ = 0;  // where a value ends, with its end of line; 0: a line is read
  std::string failure_;
};

// The bytes that a line "VA <bytes> ..." announces; false when it does not say.
bool read_value_line(std::string_view line, std::uint64_t& bytes, std::string_view& flags);

}  // namespace holdfast::memcached
