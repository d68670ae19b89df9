#include "daemon/application.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace holdfast::daemon {

namespace {

constexpr int kTryMs = 100;

bool connects(const addrinfo& address) {
  const int fd = ::socket(address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  bool connected = ::connect(fd, address.ai_addr, address.ai_addrlen) == 0;
  pollfd wait{fd, POLLOUT, 0};
  int error = 1;
  socklen_t size = sizeof error;
  if (!connected && errno == EINPROGRESS && ::poll(&wait, 1, kTryMs) == 1 &&
      ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0)
    connected = error == 0;
  ::close(fd);
  return connected;
}

}  // namespace

bool accepts_connections(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return false;
  bool connected = false;
  for (const addrinfo* a = found; a != nullptr && !connected; a = a->ai_next) connected = connects(*a);
  ::freeaddrinfo(found);
  return connected;
}

}  // namespace holdfast::daemon
