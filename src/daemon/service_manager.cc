#include "daemon/service_manager.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstring>

#include "base/log.h"

namespace holdfast::daemon {

namespace {

constexpr std::string_view kScope = "holdfast.runtime";

std::unexpected<Error> cannot(std::string_view what, const std::string& socket) {
  return fail(Errc::unavailable, fmt::format("cannot {} the service manager's socket {} (NOTIFY_SOCKET): {}", what,
                                             socket, std::strerror(errno)));
}

}  // namespace

ServiceManager::ServiceManager(const config::GetEnvironment& environment)
    : socket_(environment("NOTIFY_SOCKET").value_or("")) {}

Status ServiceManager::tell(std::string_view state) const {
  if (socket_.empty()) return {};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_.size() >= sizeof address.sun_path)
    return fail(Errc::invalid_argument, fmt::format("NOTIFY_SOCKET is too long a path: {}", socket_));
  socket_.copy(static_cast<char*>(address.sun_path), socket_.size());
  if (socket_.front() == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return cannot("make", socket_);
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): the sockets API
  const auto* const to = reinterpret_cast<const sockaddr*>(&address);
  const ssize_t sent = ::sendto(fd, state.data(), state.size(), MSG_NOSIGNAL, to, size);
  Status told;
  if (sent < 0) told = cannot("write to", socket_);
  ::close(fd);
  return told;
}

void ServiceManager::tell_or_warn(std::string_view state) const {
  if (const auto told = tell(state); !told) log::warn(kScope, "{}", told.error().message);
}

void ServiceManager::ready() const { tell_or_warn("READY=1"); }

void ServiceManager::reloading() const {
  // The time tells a manager which of several reloads this is.
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  tell_or_warn(fmt::format("RELOADING=1\nMONOTONIC_USEC={}",
                           std::chrono::duration_cast<std::chrono::microseconds>(now).count()));
}

void ServiceManager::stopping() const { tell_or_warn("STOPPING=1"); }

}  // namespace holdfast::daemon
