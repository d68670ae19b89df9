// Listens, recognises HTTP/1.1, HTTP/2 (prior knowledge, and Upgrade: h2c) by the first bytes of a connection,
// and calls a Handler for each request. With a certificate, TLS is recognised in the same way, and plain HTTP is refused
// but on Unix sockets, where the file system says who may come.
//
// Threading: made, started and drained on the main thread; each connection lives on one loop, the least loaded
// at the time. Every bound is in ServerOptions; beyond one a client gets 503 (or its connection is closed) at
// once. HTTP/2 is nghttp2's; HTTP/1.1 framing is Beast's (wire/http).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/budget.h"
#include "net/handler.h"
#include "net/loop.h"
#include "net/tls.h"

namespace holdfast::net {

struct ServerOptions {
  std::uint32_t head_bytes_max = 8192;           // HTTP/1.1 request line and headers
  std::uint32_t h2_head_bytes_max = 64 * 1024;   // HTTP/2 header list
  std::uint64_t body_bytes_max = 4 << 20;        // 0: no limit
  std::uint32_t connections_max = 10000;         // beyond it new ones are closed at once
  Milliseconds header_timeout{10'000};           // from a request's first byte to the end of its head
  Milliseconds idle_timeout{180'000};            // between requests
  Milliseconds write_timeout{30'000};            // a peer that reads nothing for this long is dropped
  bool h2 = true;
  std::shared_ptr<TlsContext> tls;  // TCP connections have to speak TLS; null: none does
};

class ConnectionList;

class Server {
 public:
  // `handlers[i]` serves `loops[i]`; all outlive the server, as does the budget.
  Server(std::vector<Loop*> loops, std::vector<Handler*> handlers, Budget& budget, const ServerOptions& options);
  ~Server();

  // Before the loops run. Port 0 picks a free one; returns the port. The error names address and port.
  Result<std::uint16_t> listen_tcp(const std::string& host, std::uint16_t port);
  // Replaces a socket file that nobody listens on.
  Status listen_unix(const std::string& path);
  // Accepting begins when the loops run.
  void start();

  // Any thread but a loop's. Stops accepting, lets requests in flight finish, ends idle connections, and returns
  // when none is left or after `grace`; what is left then is cut. The loops must be running.
  void drain(Milliseconds grace);

  std::uint32_t connection_count() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace holdfast::net
