#include "net/connection.h"

#include "base/log.h"
#include "net/socket_io.h"

namespace holdfast::net {

namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr auto kSweep = std::chrono::milliseconds(500);
constexpr std::size_t kLingerBytes = 16 << 20;
constexpr auto kLinger = std::chrono::milliseconds(2000);
constexpr std::size_t kTlsRead = 4 * 1024;

bool could_be_http2(std::string_view bytes) {
  const std::size_t n = std::min(bytes.size(), kPreface.size());
  return bytes.substr(0, n) == kPreface.substr(0, n);
}

// TLS ClientHello: handshake record, version 3.x.
bool is_tls(std::string_view bytes) { return bytes.size() >= 2 && bytes[0] == 0x16 && bytes[1] == 0x03; }

bool is_unix(Socket& socket) {
  ErrorCode ignored;
  return socket.local_endpoint(ignored).protocol().family() == AF_UNIX;
}

http::Peer peer_of(Socket& socket) {
  ErrorCode error;
  const auto peer = socket.remote_endpoint(error);
  if (error) return http::Peer::elsewhere;
  if (peer.protocol().family() == AF_UNIX) return http::Peer::unix_socket;
  if (peer.protocol().family() == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(peer.data());
    return ntohl(v4->sin_addr.s_addr) >> 24U == 127 ? http::Peer::loopback : http::Peer::elsewhere;
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(peer.data());
  return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ? http::Peer::loopback : http::Peer::elsewhere;
}

constexpr std::string_view kWantsTls =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: "
    "62\r\n\r\n"
    "This port speaks TLS only; use https:// (gRPC: with TLS) here\n";

// Settles whether the connection is TLS, by its first bytes and the server's options. False when it is over.
// Not inlined, so that its frame does not become a part of the connection's, which lasts.
[[gnu::noinline]] Task<bool> settle_tls(Connection& connection, std::string& received) {
  const bool has_tls = connection.options().tls != nullptr;
  if (is_tls(received)) {
    if (!has_tls) {
      log::warn("holdfast.net", "a client spoke TLS on a plaintext port; use http:// (or grpc without TLS)");
      co_return false;
    }
    const std::string hello = std::exchange(received, {});
    co_return co_await connection.start_tls(hello);
  }
  if (!has_tls || is_unix(connection.socket())) co_return true;
  if (!could_be_http2(received) && co_await connection.write_all(kWantsTls)) co_await connection.linger();
  co_return false;
}

// Adds what arrives until `enough`. False when the peer has gone, or nothing more is wanted.
template <class Enough>
Task<bool> receive_until(Connection& connection, std::string& received, Enough enough) {
  while (!enough(received)) {
    // Little, because it is in the frame: a large one leaves a hole in memory behind, which what the connection keeps
    // falls into, so that the next connection needs another.
    std::array<char, 1024> chunk;
    const Transfer got = co_await connection.read(chunk.data(), chunk.size());
    if (got.error || connection.draining()) co_return false;
    received.append(chunk.data(), got.bytes);
  }
  co_return true;
}

bool tells_tls_from_http(std::string_view received) { return received.size() >= 2; }
bool tells_http2_from_http1(std::string_view received) {
  return received.size() >= kPreface.size() || !could_be_http2(received);
}

// Reads until the protocol is certain, then serves it. Owns the connection.
Task<void> serve(ConnectionList& list, Socket socket) {
  Connection connection(list, std::move(socket));
  std::string received;
  connection.expect_within(list.options.header_timeout);
  if (!co_await receive_until(connection, received, tells_tls_from_http)) co_return;
  if (!co_await settle_tls(connection, received)) co_return;
  if (!co_await receive_until(connection, received, tells_http2_from_http1)) co_return;
  if (list.options.h2 && could_be_http2(received)) {
    co_await serve_http2(connection, std::move(received));
  } else {
    co_await serve_http1(connection, std::move(received));
  }
  if (connection.is_tls()) connection.finish_sending();  // a goodbye, so that nobody suspects a cut
}

}  // namespace

ConnectionList::~ConnectionList() = default;

void ConnectionList::adopt(Socket socket) { start(serve(*this, std::move(socket))); }

void ConnectionList::start_sweeping() {
  loop.after(kSweep, [this] {
    sweep();
    start_sweeping();
  });
}

void ConnectionList::sweep() {
  const SteadyTime now = loop.coarse_now();
  for (Connection* c = head_; c != nullptr;) {
    Connection* next = c->next_;
    if (c->deadline_ < now && !(c->on_late_ && c->on_late_())) c->close();
    c = next;
  }
}

void ConnectionList::drain() {
  draining = true;
  for (Connection* c = head_; c != nullptr;) {
    Connection* next = c->next_;
    if (c->on_drain_) {
      c->on_drain_();
    } else if (c->idle_) {
      c->close();
    }
    c = next;
  }
}

void ConnectionList::cut() {
  for (Connection* c = head_; c != nullptr;) {
    Connection* next = c->next_;
    c->close();
    c = next;
  }
}

Connection::Connection(ConnectionList& list, Socket socket)
    : list_(list), socket_(std::move(socket)), peer_(peer_of(socket_)) {
  ErrorCode ignored;
  socket_.non_blocking(true, ignored);
  next_ = list_.head_;
  if (next_ != nullptr) next_->previous_ = this;
  list_.head_ = this;
}

Connection::~Connection() {
  if (previous_ != nullptr) {
    previous_->next_ = next_;
  } else {
    list_.head_ = next_;
  }
  if (next_ != nullptr) next_->previous_ = previous_;
  list_.count.fetch_sub(1, std::memory_order_relaxed);
}

void Connection::send_backlog(bool& failed) {
  ErrorCode error;
  net::send_backlog(socket_, *tls_, error);
  if (error) failed = true;
}

std::size_t Connection::write_now(std::string_view bytes, bool& failed) {
  ErrorCode error;
  const std::size_t taken = tls_ ? send_now(socket_, *tls_, bytes, error) : send_now(socket_, bytes, error);
  if (error) failed = true;
  return taken;
}

Task<bool> Connection::write_all(std::string_view bytes) {
  for (;;) {
    bool failed = false;
    bytes.remove_prefix(write_now(bytes, failed));
    if (failed) co_return false;
    if (bytes.empty() && !has_backlog()) co_return true;
    expect_within(options().write_timeout);
    if (co_await writable(socket_)) co_return false;
  }
}

Task<Transfer> Connection::read(char* data, std::size_t size) {
  if (!tls_) co_return co_await read_some(socket_, data, size);
  for (;;) {
    if (const std::size_t got = tls_->read(data, size); got > 0) co_return Transfer{{}, got};
    bool failed = false;
    send_backlog(failed);  // reading may have something to say, such as a new key
    if (tls_->is_over() || failed) co_return Transfer{asio::error::eof, 0};
    std::array<char, kTlsRead> chunk;
    const Transfer got = co_await read_some(socket_, chunk.data(), chunk.size());
    if (got.error) co_return got;
    tls_->feed({chunk.data(), got.bytes});
  }
}

Task<bool> Connection::start_tls(std::string_view received) {
  tls_ = std::make_unique<TlsEngine>(*options().tls);
  tls_->feed(received);
  for (;;) {
    const TlsEngine::Handshake state = tls_->handshake();
    if (!co_await write_all({})) co_return false;
    if (state == TlsEngine::Handshake::done) co_return true;
    if (state == TlsEngine::Handshake::failed) {
      log::info("holdfast.net", "a TLS handshake failed: {}", tls_->failure());
      co_return false;
    }
    expect_within(options().header_timeout);
    std::array<char, kTlsRead> chunk;
    const Transfer got = co_await read_some(socket_, chunk.data(), chunk.size());
    if (got.error) co_return false;
    tls_->feed({chunk.data(), got.bytes});
  }
}

void Connection::finish_sending() {
  if (tls_) {
    bool failed = false;
    tls_->close();
    send_backlog(failed);
  }
  ErrorCode ignored;
  socket_.shutdown(asio::socket_base::shutdown_send, ignored);
  expect_within(kLinger);
}

Task<void> Connection::linger() {
  finish_sending();
  std::array<char, 16384> sink;
  for (std::size_t swallowed = 0; swallowed < kLingerBytes;) {
    const Transfer got = co_await read_some(socket_, sink.data(), sink.size());
    if (got.error) break;
    swallowed += got.bytes;
  }
}

void Connection::close() {
  ErrorCode ignored;
  socket_.close(ignored);
}

}  // namespace holdfast::net
