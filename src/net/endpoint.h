// Where a server listens.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace holdfast::net {

struct Endpoint {
  std::string host;  // a name or an address, IPv6 without brackets
  std::uint16_t port = 0;
  std::string unix_path;  // not empty: a Unix socket, and the two above mean nothing

  // For people: "10.0.0.7:6379", "[::1]:6379", "/run/redis.sock".
  std::string text() const;

  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

}  // namespace holdfast::net
