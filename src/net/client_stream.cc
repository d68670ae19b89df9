#include "net/client_stream.h"

#include <array>
#include <optional>

#include "net/dial.h"
#include "net/socket_io.h"

namespace holdfast::net {

namespace {
constexpr std::size_t kTlsRead = 16 * 1024;
}

struct ClientStream::Impl {
  Impl(Loop& loop, Endpoint endpoint, std::shared_ptr<const TlsClientContext> tls)
      : endpoint(endpoint), context(std::move(tls)), dialler(loop, std::move(endpoint)) {}

  void send_backlog();
  Task<Status> shake_hands();
  // The first reason is the one that counts.
  void fail(std::string why) {
    if (failure.empty()) failure = std::move(why);
  }
  void fail(const ErrorCode& error) { fail(error == asio::error::eof ? "it closed the connection" : reason(error)); }
  void write_failed(const ErrorCode& error);

  const Endpoint endpoint;
  const std::shared_ptr<const TlsClientContext> context;
  Dialler dialler;
  std::optional<Socket> socket;
  std::unique_ptr<TlsEngine> tls;
  std::unique_ptr<std::array<char, kTlsRead>> ciphertext;  // with TLS only
  bool is_closed = false;
  bool cannot_write = false;
  std::string failure;
};

ClientStream::ClientStream(Loop& loop, Endpoint endpoint, std::shared_ptr<const TlsClientContext> tls)
    : impl_(std::make_unique<Impl>(loop, std::move(endpoint), std::move(tls))) {}
ClientStream::~ClientStream() = default;

const std::string& ClientStream::failure() const { return impl_->failure; }

Task<Status> ClientStream::open(SteadyTime deadline) {
  auto socket = co_await impl_->dialler.dial(deadline);
  if (!socket) co_return holdfast::fail(std::move(socket.error()));
  if (impl_->is_closed) co_return holdfast::fail(Errc::unavailable, "it was given up");
  impl_->socket.emplace(std::move(*socket));
  if (!impl_->context) co_return Status();
  co_return co_await impl_->shake_hands();
}

Task<Status> ClientStream::Impl::shake_hands() {
  tls = std::make_unique<TlsEngine>(*context, endpoint.host);
  ciphertext = std::make_unique<std::array<char, kTlsRead>>();
  for (;;) {
    const TlsEngine::Handshake state = tls->handshake();
    send_backlog();  // a failure has something to say, too
    if (state == TlsEngine::Handshake::failed) co_return holdfast::fail(Errc::unavailable, "TLS: " + tls->failure());
    if (cannot_write) co_return holdfast::fail(Errc::unavailable, "TLS: " + failure);
    if (!tls->outgoing().empty()) {
      co_await Writable(*this);
      continue;
    }
    if (state == TlsEngine::Handshake::done) co_return Status();
    const Transfer got = co_await read_some(*socket, ciphertext->data(), ciphertext->size());
    if (got.error) {
      fail(got.error);
      co_return holdfast::fail(Errc::unavailable, "TLS: " + failure + " during the handshake");
    }
    tls->feed({ciphertext->data(), got.bytes});
  }
}

void ClientStream::Impl::write_failed(const ErrorCode& error) {
  cannot_write = true;
  fail(tls && !tls->failure().empty() ? "TLS: " + tls->failure() : reason(error));
  // Wakes the reader, who gets what has come and then the end.
  ErrorCode ignored;
  socket->shutdown(Socket::shutdown_both, ignored);
}

void ClientStream::Impl::send_backlog() {
  if (cannot_write) return;
  ErrorCode error;
  net::send_backlog(*socket, *tls, error);
  if (error) write_failed(error);
}

std::string_view ClientStream::protocol() const { return impl_->tls ? impl_->tls->protocol() : std::string_view(); }

std::size_t ClientStream::write_now(std::string_view bytes) {
  if (!can_write()) return 0;
  ErrorCode error;
  Socket& socket = *impl_->socket;
  const std::size_t taken = impl_->tls ? send_now(socket, *impl_->tls, bytes, error) : send_now(socket, bytes, error);
  if (error) impl_->write_failed(error);
  return taken;
}

bool ClientStream::can_write() const { return !impl_->cannot_write && !impl_->is_closed; }
bool ClientStream::has_backlog() const { return impl_->tls && !impl_->tls->outgoing().empty(); }

void ClientStream::close() {
  if (std::exchange(impl_->is_closed, true)) return;
  impl_->dialler.cancel();
  if (!impl_->socket) return;
  if (impl_->tls) {
    impl_->tls->close();  // a goodbye, so that nobody suspects a cut
    impl_->send_backlog();
  }
  ErrorCode ignored;
  impl_->socket->close(ignored);
}

// With TLS there may be plain text without anything having to come.
bool ClientStream::Read::await_ready() {
  if (stream_.is_closed) return true;
  if (!stream_.tls) return false;
  while (got_ < size_) {
    const std::size_t more = stream_.tls->read(data_ + got_, size_ - got_);
    if (more == 0) break;
    got_ += more;
  }
  stream_.send_backlog();  // reading may have something to say, such as a new key
  if (got_ > 0) return true;
  if (!stream_.tls->is_over()) return false;
  const std::string& why = stream_.tls->failure();
  stream_.fail(why.empty() ? "it closed the connection" : "TLS: " + why);
  return true;
}

void ClientStream::Read::await_suspend(std::coroutine_handle<> waiter) {
  waiter_ = waiter;
  receive();
}

void ClientStream::Read::receive() {
  const bool is_plain = stream_.tls == nullptr;
  const auto room = is_plain ? asio::buffer(data_, size_) : asio::buffer(*stream_.ciphertext);
  stream_.socket->async_read_some(room, [this, is_plain](ErrorCode error, std::size_t bytes) {
    if (error) stream_.fail(error);
    if (error || is_plain) {
      got_ = error ? 0 : bytes;
      return waiter_.resume();
    }
    stream_.tls->feed({stream_.ciphertext->data(), bytes});
    if (stream_.is_closed || await_ready()) return waiter_.resume();
    receive();
  });
}

void ClientStream::Writable::await_suspend(std::coroutine_handle<> waiter) {
  stream_.socket->async_wait(Socket::wait_write, [this, waiter](ErrorCode error) {
    if (error) stream_.fail(error);
    waiter.resume();
  });
}

}  // namespace holdfast::net
