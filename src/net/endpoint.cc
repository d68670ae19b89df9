#include "net/endpoint.h"

#include <fmt/format.h>

namespace holdfast::net {

std::string Endpoint::text() const {
  if (!unix_path.empty()) return unix_path;
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return is_ipv6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

}  // namespace holdfast::net
