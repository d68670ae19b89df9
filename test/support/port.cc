#include "support/port.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <random>
#include <stdexcept>
#include <string>

#include "support/claim.h"

namespace holdfast::test {
namespace {

constexpr std::uint16_t kFirst = 20000;
constexpr std::uint16_t kPorts = 12000;  // Linux gives connections ports from 32768 on

// Whether nobody listens there who does not ask first.
bool is_free(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const bool free = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return free;
}

}  // namespace

Port::Port() {
  const unsigned start = std::random_device()();
  for (unsigned i = 0; i < kPorts; ++i) {
    const auto port = static_cast<std::uint16_t>(kFirst + (start + i) % kPorts);
    claim_ = claim("holdfast-test-port-" + std::to_string(port));
    if (claim_ < 0) continue;
    if (is_free(port)) {
      number_ = port;
      return;
    }
    ::close(std::exchange(claim_, -1));
  }
  throw std::runtime_error("no free port between 20000 and 32000");
}

Port::~Port() {
  if (claim_ >= 0) ::close(claim_);
}

}  // namespace holdfast::test
