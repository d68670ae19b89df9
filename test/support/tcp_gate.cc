#include "support/tcp_gate.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <future>
#include <stdexcept>

namespace holdfast::test {
namespace {

constexpr std::size_t kWaitingMost = 256 * 1024;  // of one side; more stays in the kernel, and slows the sender down

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

int connect_to(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

void send_at_once(int fd) {
  const int yes = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

void reset(int fd) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(fd);
}

// Whether everything sent was received by the kernel of the other side.
bool has_left(int fd) {
  int queued = 0;
  return ::ioctl(fd, SIOCOUTQ, &queued) != 0 || queued == 0;
}

constexpr std::size_t index_of(Way way) { return static_cast<std::size_t>(way); }
constexpr Way opposite(Way way) { return way == Way::to_server ? Way::to_client : Way::to_server; }

}  // namespace

TcpGate::TcpGate(std::uint16_t server_port) : server_port_(server_port) {
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  listen();
  thread_ = std::thread([this] { run(); });
}

TcpGate::~TcpGate() {
  apply([this] { done_ = true; });
  thread_.join();
  cut_links();
  if (listener_ >= 0) ::close(listener_);
  ::close(wake_);
}

void TcpGate::listen() {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int yes = 1;
  ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const sockaddr_in address = loopback(port());
  if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener_, 128) != 0)
    throw std::runtime_error("the gate cannot listen on port " + std::to_string(port()));
}

void TcpGate::cut() {
  apply([this] { cut_links(); });
}

void TcpGate::cut_after(Way way, std::uint64_t bytes) {
  apply([this, way, bytes] {
    left_ = {};
    left_[index_of(way)] = bytes;
  });
}

void TcpGate::spare() {
  apply([this] { left_ = {}; });
}
void TcpGate::stall(bool stalled) {
  apply([this, stalled] { stalled_ = stalled; });
}
void TcpGate::split(bool single_bytes) {
  apply([this, single_bytes] { single_bytes_ = single_bytes; });
}

void TcpGate::refuse(bool refused) {
  apply([this, refused] {
    if (refused == (listener_ < 0)) return;
    if (!refused) return listen();
    ::close(std::exchange(listener_, -1));
  });
}

void TcpGate::apply(const std::function<void()>& work) {
  std::promise<void> applied;
  {
    const std::lock_guard lock(mutex_);
    const auto before = std::exchange(work_, nullptr);
    work_ = [&applied, &work, before] {
      if (before) before();
      work();
      applied.set_value();
    };
    const std::uint64_t one = 1;
    (void)!::write(wake_, &one, sizeof one);
  }
  applied.get_future().wait();
}

void TcpGate::run_applied() {
  std::uint64_t count = 0;
  (void)!::read(wake_, &count, sizeof count);
  std::function<void()> work;
  {
    const std::lock_guard lock(mutex_);
    work = std::exchange(work_, nullptr);
  }
  if (work) work();
}

// In the order in which look() expects them: what wakes, the listener, two for each link.
std::vector<pollfd> TcpGate::watched() const {
  std::vector<pollfd> all{{.fd = wake_, .events = POLLIN, .revents = 0},
                          {.fd = listener_, .events = POLLIN, .revents = 0}};
  for (const Link& link : links_)
    for (const Way way : {Way::to_server, Way::to_client}) {
      const Side& side = link.sides[index_of(way)];
      const Side& other = link.sides[index_of(opposite(way))];
      short events = 0;
      if (!stalled_ && !side.ended && side.waiting.size() < kWaitingMost) events |= POLLIN;
      if (!stalled_ && !other.waiting.empty()) events |= POLLOUT;
      // Not looked at at all while there is nothing to do: a hang-up would be reported again and again.
      all.push_back({.fd = events != 0 ? side.fd : -1, .events = events, .revents = 0});
    }
  return all;
}

void TcpGate::run() {
  while (!done_) {
    std::vector<pollfd> found = watched();
    ::poll(found.data(), found.size(), -1);
    look(found);
    forget_ended();
    run_applied();
  }
}

void TcpGate::look(const std::vector<pollfd>& found) {
  std::size_t at = 2;
  for (Link& link : links_) {
    const short client = found[at++].revents, server = found[at++].revents;
    read(link, Way::to_server, client);
    read(link, Way::to_client, server);
    pass(link, Way::to_server);
    pass(link, Way::to_client);
  }
  if (found[1].revents != 0) accept();
}

void TcpGate::accept() {
  const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  ++accepted_;
  const int server = connect_to(server_port_);
  if (server < 0) return reset(client);
  send_at_once(client);
  send_at_once(server);
  links_.emplace_back();
  links_.back().sides[0].fd = client;
  links_.back().sides[1].fd = server;
  ++connections_;
}

void TcpGate::read(Link& link, Way way, short events) {
  Side& side = link.sides[index_of(way)];
  if ((events & (POLLIN | POLLHUP | POLLERR)) == 0 || side.ended) return;
  std::array<char, 65536> piece;
  const ssize_t got = ::recv(side.fd, piece.data(), piece.size(), MSG_DONTWAIT);
  if (got > 0) {
    side.waiting.append(piece.data(), static_cast<std::size_t>(got));
  } else if (got == 0) {
    side.ended = true;
  } else if (errno != EAGAIN && errno != EINTR) {
    link.broken = true;
  }
}

std::size_t TcpGate::passable(Way way, std::size_t waiting) const {
  std::size_t bytes = single_bytes_ ? std::min<std::size_t>(waiting, 1) : waiting;
  if (const auto& left = left_[index_of(way)]) bytes = std::min<std::uint64_t>(bytes, *left);
  return bytes;
}

void TcpGate::pass(Link& link, Way way) {
  Side& from = link.sides[index_of(way)];
  Side& to = link.sides[index_of(opposite(way))];
  auto& left = left_[index_of(way)];
  if (stalled_ || link.broken) return;
  while (!from.waiting.empty()) {
    const std::size_t bytes = passable(way, from.waiting.size());
    if (single_bytes_ && !has_left(to.fd)) return;
    // Counted first: who has received it may look at once.
    std::atomic<std::uint64_t>& passed = passed_[index_of(way)];
    passed += bytes;
    const ssize_t sent = bytes > 0 ? ::send(to.fd, from.waiting.data(), bytes, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
    passed -= bytes - static_cast<std::uint64_t>(std::max<ssize_t>(sent, 0));
    if (sent < 0) {
      link.broken = errno != EAGAIN && errno != EINTR;
      return;
    }
    from.waiting.erase(0, static_cast<std::size_t>(sent));
    if (!left) continue;
    *left -= static_cast<std::uint64_t>(sent);
    if (*left > 0) continue;
    left.reset();
    ++cuts_;
    for (Link& each : links_) each.broken = true;
    return;
  }
  if (from.ended) ::shutdown(to.fd, SHUT_WR);
}

void TcpGate::forget_ended() {
  for (auto link = links_.begin(); link != links_.end();) {
    const auto is_over = [](const Side& side) { return side.ended && side.waiting.empty(); };
    const bool over = std::ranges::all_of(link->sides, is_over);
    if (!over && !link->broken) {
      ++link;
      continue;
    }
    for (const Side& side : link->sides) link->broken ? reset(side.fd) : static_cast<void>(::close(side.fd));
    link = links_.erase(link);
    --connections_;
  }
}

void TcpGate::cut_links() {
  for (Link& link : links_) link.broken = true;
  forget_ended();
}

}  // namespace holdfast::test
