#include "net/server.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <condition_variable>
#include <mutex>

#include "base/log.h"
#include "net/connection.h"

namespace holdfast::net {

namespace {

using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol, Executor>;

template <int Name>
using TcpOption = asio::detail::socket_option::integer<IPPROTO_TCP, Name>;

constexpr int kBacklog = 1024;

struct Listener {
  Acceptor acceptor;
  std::string unix_path;
  Timer pause;
};

// A client whose machine is gone says nothing, and a watch may have nothing to say either: the kernel asks after a
// minute of silence, and gives up what is not acknowledged within two (tcp(7)).
constexpr int kSilentSeconds = 60;
constexpr int kAskAgainSeconds = 15;
constexpr int kAsks = 4;
constexpr int kUnacknowledgedMs = 120'000;

void set_options(Socket& socket) {
  ErrorCode ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  socket.set_option(TcpOption<TCP_KEEPIDLE>(kSilentSeconds), ignored);
  socket.set_option(TcpOption<TCP_KEEPINTVL>(kAskAgainSeconds), ignored);
  socket.set_option(TcpOption<TCP_KEEPCNT>(kAsks), ignored);
  socket.set_option(TcpOption<TCP_USER_TIMEOUT>(kUnacknowledgedMs), ignored);
}

}  // namespace

struct Server::Impl {
  std::vector<Loop*> loops;
  ServerOptions options;
  std::vector<std::unique_ptr<ConnectionList>> lists;
  std::vector<std::unique_ptr<Listener>> listeners;
  std::size_t next = 0;
  bool stopping = false;

  asio::io_context& accept_context() { return loops[0]->impl().context; }
  void accept(Listener& listener);
  void place(Socket socket);
  std::uint32_t count() const {
    std::uint32_t total = 0;
    for (const auto& list : lists) total += list->count.load(std::memory_order_relaxed);
    return total;
  }
  Status open(asio::generic::stream_protocol::endpoint endpoint, bool tcp, const std::string& name);
};

Server::Server(std::vector<Loop*> loops, std::vector<Handler*> handlers, Budget& budget,
               const ServerOptions& options)
    : impl_(std::make_unique<Impl>()) {
  impl_->loops = std::move(loops);
  impl_->options = options;
  for (std::size_t i = 0; i < impl_->loops.size(); ++i)
    impl_->lists.push_back(
        std::make_unique<ConnectionList>(*impl_->loops[i], *handlers[i], budget, impl_->options));
}

Server::~Server() {
  for (const auto& listener : impl_->listeners)
    if (!listener->unix_path.empty()) ::unlink(listener->unix_path.c_str());
}

Status Server::Impl::open(asio::generic::stream_protocol::endpoint endpoint, bool tcp, const std::string& name) {
  auto listener = std::make_unique<Listener>(Acceptor(accept_context()), std::string(), Timer(accept_context()));
  ErrorCode error;
  listener->acceptor.open(endpoint.protocol(), error);
  // SO_REUSEADDR lets us bind over TIME_WAIT; never SO_REUSEPORT: a second process would silently share the port.
  if (!error && tcp) listener->acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error && tcp && endpoint.protocol().family() == AF_INET6)
    listener->acceptor.set_option(asio::ip::v6_only(true), error);
  if (!error) listener->acceptor.bind(endpoint, error);
  if (!error) listener->acceptor.listen(kBacklog, error);
  if (error) return fail(Errc::unavailable, fmt::format("cannot listen on {}: {}", name, error.message()));
  if (!tcp) listener->unix_path = name;
  listeners.push_back(std::move(listener));
  return {};
}

Result<std::uint16_t> Server::listen_tcp(const std::string& host, std::uint16_t port) {
  ErrorCode error;
  const auto address = asio::ip::make_address(host, error);
  if (error)
    return fail(Errc::invalid_argument, fmt::format("cannot listen on {}: not an IP address", host));
  const std::string name = address.is_v6() ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
  if (auto opened = impl_->open(asio::ip::tcp::endpoint(address, port), true, name); !opened)
    return fail(opened.error());
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  ::getsockname(impl_->listeners.back()->acceptor.native_handle(), reinterpret_cast<sockaddr*>(&bound), &size);
  const auto* v4 = reinterpret_cast<const sockaddr_in*>(&bound);
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&bound);
  return ntohs(bound.ss_family == AF_INET6 ? v6->sin6_port : v4->sin_port);
}

Status Server::listen_unix(const std::string& path) {
  asio::io_context probe;
  asio::local::stream_protocol::socket client(probe);
  ErrorCode error;
  client.connect(asio::local::stream_protocol::endpoint(path), error);
  if (!error) return fail(Errc::unavailable, fmt::format("cannot listen on {}: another process does", path));
  ::unlink(path.c_str());
  return impl_->open(asio::local::stream_protocol::endpoint(path), false, path);
}

void Server::start() {
  for (const auto& list : impl_->lists) list->loop.post([&list] { list->start_sweeping(); });
  for (const auto& listener : impl_->listeners)
    impl_->loops[0]->post([this, &listener] { impl_->accept(*listener); });
}

void Server::Impl::accept(Listener& listener) {
  listener.acceptor.async_accept(accept_context(), [this, &listener](ErrorCode error, Socket socket) {
    if (stopping || error == asio::error::operation_aborted) return;
    if (!error) {
      place(std::move(socket));
      return accept(listener);
    }
    // Out of descriptors, mostly: try again in a moment instead of spinning.
    log::warn("holdfast.net", "cannot accept a connection: {}; trying again", error.message());
    listener.pause.expires_after(std::chrono::milliseconds(100));
    listener.pause.async_wait([this, &listener](ErrorCode cancelled) {
      if (!cancelled && !stopping) accept(listener);
    });
  });
}

// Hands the connection to the loop that has the fewest.
void Server::Impl::place(Socket socket) {
  if (count() >= options.connections_max) return;  // destroyed: closed at once
  std::size_t best = next++ % lists.size();
  for (std::size_t i = 0; i < lists.size(); ++i)
    if (lists[i]->count.load(std::memory_order_relaxed) < lists[best]->count.load(std::memory_order_relaxed)) best = i;
  const auto protocol = socket.local_endpoint().protocol();
  if (protocol.family() != AF_UNIX) set_options(socket);
  ErrorCode error;
  const int fd = socket.release(error);
  if (error) return;
  ConnectionList& list = *lists[best];
  list.count.fetch_add(1, std::memory_order_relaxed);
  list.loop.post([&list, protocol, fd] {
    Socket moved(list.loop.impl().context);
    ErrorCode failed;
    moved.assign(protocol, fd, failed);
    if (failed) {
      ::close(fd);
      list.count.fetch_sub(1, std::memory_order_relaxed);
      return;
    }
    list.adopt(std::move(moved));
  });
}

void Server::drain(Milliseconds grace) {
  impl_->loops[0]->post([this] {
    impl_->stopping = true;
    for (const auto& listener : impl_->listeners) {
      ErrorCode ignored;
      listener->acceptor.close(ignored);
      listener->pause.cancel();
    }
  });
  for (const auto& list : impl_->lists) list->loop.post([&list] { list->drain(); });
  const auto give_up = std::chrono::steady_clock::now() + grace;
  const auto pause = std::chrono::milliseconds(2);
  while (impl_->count() > 0 && std::chrono::steady_clock::now() < give_up) std::this_thread::sleep_for(pause);
  if (impl_->count() > 0)
    log::warn("holdfast.net", "{} connections did not finish within {} ms and are cut", impl_->count(), grace.count());
  for (const auto& list : impl_->lists) list->loop.post([&list] { list->cut(); });
  // Cut connections end as soon as their handlers do; stores bound those by their own deadlines.
  const auto cut_by = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (impl_->count() > 0 && std::chrono::steady_clock::now() < cut_by) std::this_thread::sleep_for(pause);
}

std::uint32_t Server::connection_count() const { return impl_->count(); }

}  // namespace holdfast::net
