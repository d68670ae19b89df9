// Where a reply of Redis ends: RESP2 and RESP3 alike, resumable at every byte. I/O-free.
//
// A scanner looks at every byte of a reply once, however the bytes arrive, and skips over the bodies of strings without
// looking at them at all. It owns a few hundred bytes and allocates nothing but the text of an error, whatever the peer
// announces: it is the guard of the buffer that replies are collected in. What it lets pass, Reply::parse understands.
// Source: redis.io/docs/latest/develop/reference/protocol-spec; RESP3's attributes are in
// github.com/redis/redis-specifications, protocol/RESP3.md. Streamed strings and aggregates (`$?`, `*?`) are in that
// specification only, no server sends them, and they are refused.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/resp/element.h"

namespace holdfast::resp {

// Bounds on one reply. What is over one is refused as soon as it is announced.
struct Limits {
  std::size_t line_bytes_max = 64 * 1024;  // with its type and CRLF; the longest there are are errors
  std::uint64_t bulk_bytes_max = 512ULL * 1024 * 1024 + 1024;  // proto-max-bulk-len is 512 MiB
  std::uint64_t reply_bytes_max = 1024ULL * 1024 * 1024;
  std::uint64_t elements_max = 16ULL * 1024 * 1024;  // of all aggregates of the reply together
  std::size_t depth_max = 16;  // aggregates inside each other; more than kDepthMost are never taken
};

class Scanner {
 public:
  explicit Scanner(Limits limits = {});

  // `bytes` begins where the current reply begins and holds what has arrived of it so far: the same bytes as last time
  // and perhaps more, also of replies behind it. Gives the length of the reply when it is whole, and is then ready for
  // the next one; 0 when more must arrive. An attribute belongs to the reply after it.
  // Errc::internal, "not RESP: ...", when the peer breaks the protocol or a bound; every call fails so until reset().
  Result<std::size_t> scan(std::string_view bytes);

  // Forgets the reply that was under way, for another connection.
  void reset();

 private:
  enum class Step : std::uint8_t { next, more, broken };  // `more`: bytes are missing; `broken`: failure_ says why

  void skip_usual(std::string_view bytes);
  Step take_line(std::string_view bytes);
  Step take_bulk(std::string_view bytes);
  Step finish_line();
  Step begin_bulk(std::uint64_t bytes);
  Step enter(const Element& element);
  void finish_element();
  void finish_aggregates();
  Step broken(std::string reason);

  Limits limits_;
  std::size_t begin_ = 0;     // of the line or bulk string that is read now
  std::size_t searched_ = 0;  // no end of line stands between begin_ and here
  std::size_t bulk_end_ = 0;  // where a bulk string ends, with its CRLF; 0: a line is read
  std::uint64_t elements_ = 0;
  std::size_t depth_ = 0;
  // Values that are still missing, of each open aggregate; the first place is the reply itself.
  std::array<std::uint64_t, kDepthMost + 1> missing_{1};
  std::string failure_;
};

}  // namespace holdfast::resp
