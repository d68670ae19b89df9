// One outgoing connection as bytes, through TLS where there is TLS. Internal to net/; keeps Asio to itself.
#pragma once

#include <coroutine>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/task.h"
#include "net/endpoint.h"
#include "net/loop.h"

namespace holdfast::net {

class TlsClientContext;

// Of one loop, and of one connection: made, opened, used until it is over. Destroyed when nothing of it is awaited.
class ClientStream {
 public:
  class Read;
  class Writable;

  ClientStream(Loop& loop, Endpoint endpoint, std::shared_ptr<const TlsClientContext> tls);
  ~ClientStream();
  ClientStream(const ClientStream&) = delete;
  ClientStream& operator=(const ClientStream&) = delete;

  // Connects, and comes to terms about TLS. The error's message is only the reason.
  Task<Status> open(SteadyTime deadline);

  // What the server chose by ALPN; empty: nothing, or there is no TLS.
  std::string_view protocol() const;

  // co_await: how many bytes have come, 0 when none will any more. One at a time.
  Read read(char* data, std::size_t size);
  // Sends what the socket takes now; how much that was.
  std::size_t write_now(std::string_view bytes);
  // False after a failure: the reader gets what the peer has said before, and then the end.
  bool can_write() const;
  // Bytes that write_now has taken and the socket has not: write_now sends them first.
  bool has_backlog() const;
  // co_await: the socket has room again, or it is over.
  Writable writable();

  // Any time: whatever is awaited ends, and not inside this call.
  void close();

  // Why it is over.
  const std::string& failure() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class ClientStream::Read {
 public:
  Read(Impl& stream, char* data, std::size_t size) : stream_(stream), data_(data), size_(size) {}
  bool await_ready();
  void await_suspend(std::coroutine_handle<> waiter);
  std::size_t await_resume() const noexcept { return got_; }

 private:
  void receive();

  Impl& stream_;
  char* data_;
  std::size_t size_;
  std::size_t got_ = 0;
  std::coroutine_handle<> waiter_;
};

class ClientStream::Writable {
 public:
  explicit Writable(Impl& stream) : stream_(stream) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter);
  void await_resume() const noexcept {}

 private:
  Impl& stream_;
};

inline ClientStream::Read ClientStream::read(char* data, std::size_t size) { return {*impl_, data, size}; }
inline ClientStream::Writable ClientStream::writable() { return Writable(*impl_); }

}  // namespace holdfast::net
