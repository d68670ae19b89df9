// The floor of a sidecar in front of Redis.
#include <boost/asio/post.hpp>
#include <deque>
#include <memory>
#include <set>
#include <stdexcept>

#include "bench/bare.h"
#include "bench/floors.h"
#include "wire/resp/scanner.h"

namespace holdfast::bench {

namespace {

// The one connection to Redis.
class Upstream {
 public:
  Upstream(asio::io_context& context, const RelayTo& to) : context_(context), to_(to), socket_(context) {
    socket_.connect({asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(to.redis_port)});
    socket_.set_option(asio::ip::tcp::no_delay(true));
    asio::co_spawn(context, read(), asio::detached);
  }

  // `answer` is called when the replies have come; `flush` after all that came with them were called, once for each
  // different `owner`.
  struct Waiter {
    std::shared_ptr<void> owner;
    std::function<void()> answer;
    std::function<void()> flush;
  };
  void ask(Waiter waiter) {
    if (out_.empty()) asio::post(context_, [this] { send(); });
    out_ += to_.request;
    waiting_.push_back(std::move(waiter));
  }

 private:
  void send() {
    asio::write(socket_, asio::buffer(out_));
    out_.clear();
  }

  Awaitable<void> read() {
    std::vector<char> buffer(16384);
    std::string in;
    for (;;) {
      in.append(buffer.data(), co_await socket_.async_read_some(asio::buffer(buffer), kAwait));
      std::size_t at = 0;
      std::vector<Waiter> told;
      while (const std::size_t length = scanner_.scan(std::string_view(in).substr(at)).value()) {
        at += length;
        if (++replies_ < to_.replies) continue;
        replies_ = 0;
        waiting_.front().answer();
        told.push_back(std::move(waiting_.front()));
        waiting_.pop_front();
      }
      in.erase(0, at);
      std::set<std::shared_ptr<void>> flushed;
      for (const Waiter& waiter : told)
        if (flushed.insert(waiter.owner).second) waiter.flush();
    }
  }

  asio::io_context& context_;
  const RelayTo& to_;
  Tcp socket_;
  std::string out_;
  resp::Scanner scanner_;
  std::uint32_t replies_ = 0;
  std::deque<Waiter> waiting_;
};

void write_all(Tcp& socket, const std::string& bytes) {
  boost::system::error_code gone;
  if (!bytes.empty()) asio::write(socket, asio::buffer(bytes), gone);
}

struct GrpcClient : std::enable_shared_from_this<GrpcClient> {
  GrpcClient(Tcp connected, const std::string& message, Upstream& upstream)
      : socket(std::move(connected)), bare(message, [this, &upstream](std::int32_t id) {
          upstream.ask(
              {shared_from_this(), [this, id] { bare.answer(id); }, [this] { write_all(socket, bare.send()); }});
        }) {}
  Tcp socket;
  Bare bare;
};

Awaitable<void> relay_grpc(std::shared_ptr<GrpcClient> client) {
  try {
    char buffer[16384];
    for (;;) {
      const std::size_t n = co_await client->socket.async_read_some(asio::buffer(buffer), kAwait);
      if (!client->bare.receive(buffer, n)) co_return;
      write_all(client->socket, client->bare.send());
    }
  } catch (const std::exception&) {
    // The client has gone.
  }
}

Awaitable<void> relay_http(std::shared_ptr<Tcp> socket, const std::string& response, Upstream& upstream) {
  try {
    std::string in;
    char buffer[16384];
    for (;;) {
      in.append(buffer, co_await socket->async_read_some(asio::buffer(buffer), kAwait));
      std::size_t used = 0;
      while (whole_request(in, used)) {
        in.erase(0, used);
        upstream.ask({socket, [] {}, [socket, &response] { write_all(*socket, response); }});
      }
    }
  } catch (const std::exception&) {
    // The client has gone.
  }
}

}  // namespace

void serve_http_relay(int port, const std::string& response, const RelayTo& to) {
  asio::io_context context(1);
  Upstream upstream(context, to);
  serve_port(context, port,
             [&](Tcp socket) { return relay_http(std::make_shared<Tcp>(std::move(socket)), response, upstream); });
}

void serve_grpc_relay(int port, const std::string& framed_message, const RelayTo& to) {
  asio::io_context context(1);
  Upstream upstream(context, to);
  serve_port(context, port, [&](Tcp socket) {
    return relay_grpc(std::make_shared<GrpcClient>(std::move(socket), framed_message, upstream));
  });
}

}  // namespace holdfast::bench
