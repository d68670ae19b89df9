#include "net/connection.h"

#include "base/log.h"

namespace holdfast::net {

namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr auto kSweep = std::chrono::milliseconds(500);
constexpr std::size_t kLingerBytes = 16 << 20;
constexpr auto kLinger = std::chrono::milliseconds(2000);

bool could_be_http2(std::string_view bytes) {
  const std::size_t n = std::min(bytes.size(), kPreface.size());
  return bytes.substr(0, n) == kPreface.substr(0, n);
}

// TLS ClientHello: handshake record, version 3.x.
bool is_tls(std::string_view bytes) { return bytes.size() >= 2 && bytes[0] == 0x16 && bytes[1] == 0x03; }

// Reads until the protocol is certain, then serves it. Owns the connection.
Task<void> serve(ConnectionList& list, Socket socket) {
  Connection connection(list, std::move(socket));
  std::string received;
  connection.expect_within(list.options.header_timeout);
  while (received.size() < kPreface.size() && could_be_http2(received)) {
    std::array<char, 4096> chunk;
    const Transfer got = co_await read_some(connection.socket(), chunk.data(), chunk.size());
    if (got.error) co_return;
    received.append(chunk.data(), got.bytes);
    if (list.draining) co_return;
  }
  if (is_tls(received)) {
    log::warn("holdfast.net", "a client spoke TLS on a plaintext port; use http:// (or grpc without TLS)");
    co_return;
  }
  if (list.options.h2 && could_be_http2(received)) {
    co_await serve_http2(connection, std::move(received));
  } else {
    co_await serve_http1(connection, std::move(received));
  }
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

Connection::Connection(ConnectionList& list, Socket socket) : list_(list), socket_(std::move(socket)) {
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

std::size_t Connection::write_now(std::string_view bytes, bool& failed) {
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    ErrorCode error;
    sent += socket_.write_some(asio::buffer(bytes.data() + sent, bytes.size() - sent), error);
    if (error == asio::error::would_block || error == asio::error::try_again) break;
    if (error) {
      failed = true;
      break;
    }
  }
  return sent;
}

Task<bool> Connection::write_all(std::string_view bytes) {
  for (;;) {
    bool failed = false;
    bytes.remove_prefix(write_now(bytes, failed));
    if (failed) co_return false;
    if (bytes.empty()) co_return true;
    expect_within(options().write_timeout);
    if (co_await writable(socket_)) co_return false;
  }
}

void Connection::finish_sending() {
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
