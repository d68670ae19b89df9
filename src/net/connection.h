// One accepted connection, and the list of them that its loop sweeps. Internal to net/.
#pragma once

#include <string>

#include "net/asio_loop.h"
#include "net/budget.h"
#include "net/handler.h"
#include "net/server.h"
#include "net/tls.h"

namespace holdfast::net {

class Connection;

// The connections of one loop: who is late is closed twice a second, so that a request sets no timer.
class ConnectionList {
 public:
  ConnectionList(Loop& loop, Handler& handler, Budget& budget, const ServerOptions& options)
      : loop(loop), handler(handler), budget(budget), options(options) {}
  ~ConnectionList();

  // Loop thread. Takes over an accepted socket.
  void adopt(Socket socket);
  void start_sweeping();
  // Loop thread: no further request is read; idle connections end.
  void drain();
  void cut();

  Loop& loop;
  Handler& handler;
  Budget& budget;
  const ServerOptions& options;
  std::atomic<std::uint32_t> count{0};
  bool draining = false;

 private:
  friend class Connection;
  void sweep();
  Connection* head_ = nullptr;
};

class Connection {
 public:
  Connection(ConnectionList& list, Socket socket);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  Loop& loop() { return list_.loop; }
  Handler& handler() { return list_.handler; }
  Budget& budget() { return list_.budget; }
  const ServerOptions& options() { return list_.options; }
  bool draining() const { return list_.draining; }
  Socket& socket() { return socket_; }
  http::Peer peer() const { return peer_; }

  // The sweep closes the connection when this time has passed.
  void expect_within(Milliseconds time) { deadline_ = loop().coarse_now() + time; }
  void expect_nothing() { deadline_ = SteadyTime::max(); }

  // co_await, through TLS where there is TLS: the bytes that arrive next.
  Task<Transfer> read(char* data, std::size_t size);
  bool is_tls() const { return tls_ != nullptr; }
  // Sends what the socket takes now; how much that was. Failure shows as `failed`.
  std::size_t write_now(std::string_view bytes, bool& failed);
  // Bytes that write_now has taken and the socket has not: write_all sends them.
  bool has_backlog() { return tls_ && !tls_->outgoing().empty(); }
  // Sends all, waiting as long as the peer makes progress. False when it is gone.
  Task<bool> write_all(std::string_view bytes);
  // Speaks TLS from now on; `received` is what the peer has sent so far. False when they do not come to terms.
  Task<bool> start_tls(std::string_view received);
  // Ends our side and swallows what the peer still sends for a moment, so that it reads our last answer
  // instead of a reset (RFC 9112 9.6).
  Task<void> linger();
  // Ends our side; a read that is under way goes on until the peer ends its own, for a moment at most.
  void finish_sending();
  void close();

 private:
  friend class ConnectionList;
  void send_backlog(bool& failed);

  ConnectionList& list_;
  Socket socket_;
  http::Peer peer_;
  std::unique_ptr<TlsEngine> tls_;
  SteadyTime deadline_ = SteadyTime::max();
  // Set by an HTTP/2 session, which has more to say on drain than "close when idle".
  std::move_only_function<void()> on_drain_;
  std::move_only_function<bool()> on_late_;
  bool idle_ = true;  // waits for a request's first byte: drain may close it
  Connection* previous_ = nullptr;
  Connection* next_ = nullptr;

 public:
  void set_idle(bool idle) { idle_ = idle; }
  void on_drain(std::move_only_function<void()> work) { on_drain_ = std::move(work); }
  // Called by the sweep before it closes a late connection; true keeps it open for another deadline.
  void on_late(std::move_only_function<bool()> work) { on_late_ = std::move(work); }
};

// Serve a connection whose first bytes are in `received`, until it ends.
Task<void> serve_http1(Connection& connection, std::string received);
Task<void> serve_http2(Connection& connection, std::string received);
// After "Upgrade: h2c" was accepted: `request` becomes stream 1; `settings` is the decoded HTTP2-Settings field.
Task<void> serve_http2_upgraded(Connection& connection, std::string received, http::Request request,
                                std::string settings);

}  // namespace holdfast::net
