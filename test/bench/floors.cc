#include "bench/floors.h"

#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <memory>

#include "bench/bare.h"
#include "bench/process.h"

namespace holdfast::bench {

namespace {

Awaitable<void> serve_http(Tcp socket, const std::string& response) {
  try {
    std::string in;
    char buffer[16384];
    for (;;) {
      in.append(buffer, co_await socket.async_read_some(asio::buffer(buffer), kAwait));
      std::size_t used = 0;
      while (whole_request(in, used)) {
        in.erase(0, used);
        co_await asio::async_write(socket, asio::buffer(response), kAwait);
      }
    }
  } catch (const std::exception&) {
    // The client has gone.
  }
}

Awaitable<void> serve_watch(std::shared_ptr<Tcp> socket, std::shared_ptr<Tcp>& watcher, const std::string& event) {
  static const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nevent: ready\n\n";
  static const std::string answer = "HTTP/1.1 204 No Content\r\nDate: Sun, 22 Nov 2026 04:49:17 GMT\r\n\r\n";
  try {
    std::string in;
    char buffer[16384];
    for (;;) {
      in.append(buffer, co_await socket->async_read_some(asio::buffer(buffer), kAwait));
      std::size_t used = 0;
      while (whole_request(in, used)) {
        const bool watches = in.starts_with("GET");
        const bool tells = in.find(R"("key":"k)") < used;
        in.erase(0, used);
        if (watches) watcher = socket;
        co_await asio::async_write(*socket, asio::buffer(watches ? head : answer), kAwait);
        if (!tells || !watcher) continue;
        asio::post(socket->get_executor(), [told = watcher, &event] {
          boost::system::error_code gone;
          told->write_some(asio::buffer(event), gone);
        });
      }
    }
  } catch (const std::exception&) {
    // The client has gone.
  }
}

Awaitable<void> serve_grpc(Tcp socket, const std::string& message) {
  try {
    Bare bare(message);
    char buffer[16384];
    for (;;) {
      const std::size_t n = co_await socket.async_read_some(asio::buffer(buffer), kAwait);
      if (!bare.receive(buffer, n)) co_return;
      const std::string& out = bare.send();
      if (!out.empty()) co_await asio::async_write(socket, asio::buffer(out), kAwait);
    }
  } catch (const std::exception&) {
    // The client has gone.
  }
}

}  // namespace

void serve_http_floor(int port, const std::string& response) {
  asio::io_context context(1);
  serve_port(context, port, [&response](Tcp socket) { return serve_http(std::move(socket), response); });
}
void serve_watch_floor(int port, const std::string& event) {
  asio::io_context context(1);
  std::shared_ptr<Tcp> watcher;
  serve_port(context, port,
             [&](Tcp socket) { return serve_watch(std::make_shared<Tcp>(std::move(socket)), watcher, event); });
}
void serve_grpc_floor(int port, const std::string& framed_message) {
  asio::io_context context(1);
  serve_port(context, port, [&framed_message](Tcp socket) { return serve_grpc(std::move(socket), framed_message); });
}

double syncs_per_second(const std::string& directory, double seconds) {
  const std::string file = directory + "/sync.tmp";
  const int fd = open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const char block[4096] = {};
  const double began = now_seconds();
  int count = 0;
  while (now_seconds() - began < seconds) {
    if (write(fd, block, sizeof block) != sizeof block || fdatasync(fd) != 0) break;
    ++count;
  }
  const double took = now_seconds() - began;
  close(fd);
  unlink(file.c_str());
  return count / took;
}

}  // namespace holdfast::bench
