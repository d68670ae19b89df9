// What server_test.cc runs the server with: a server on two loops with a handler that does as the target says, and
// blocking clients of HTTP/1.1 and HTTP/2 that see every byte.
#pragma once

#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "net/server.h"

namespace holdfast::net::testing {

inline constexpr std::int64_t kDefaultBudget = 64 << 20;
// For a condition that must come, on a slow machine under a sanitizer.
inline constexpr std::chrono::seconds kPatience{20};

// What the handlers of all loops have in hand. Thread-safe.
struct Tally {
  std::atomic<int> held = 0;               // handlers that wait for `released`
  std::atomic<int> cancelled = 0;          // of those, whose client has gone
  std::atomic<int> reading = 0;            // streams that are being read
  std::atomic<int> telling = 0;            // "/events" and "/flood" that go on
  std::atomic<std::uint64_t> flooded = 0;  // pieces that "/flood" has written
  std::atomic<bool> released = false;
};

// Answers with the request's body or, without one, its target. "/held" waits for Tally::released, "/later" answers by
// a timer, "/throw" throws, "/bytes/N" is N bytes, "/loop" names the loop, "/peer" where the client is, "/order" asks
// the loop for work, "/ordered" tells in which order it ran, "/stream" wraps what comes in <>, "/events" sends
// "event\n" until it is to end, "/flood" as much as is taken, in pieces of 16 KiB.
class EchoHandler final : public Handler {
 public:
  explicit EchoHandler(Loop& loop, Tally* tally = nullptr, int number = 0)
      : loop_(loop), tally_(tally), number_(number) {}
  Task<void> handle(http::Request& request, http::Response& response) override;
  bool wants_stream(const http::Request& head) override {
    return head.target == "/stream" || head.target == "/events" || head.target == "/flood" ||
           head.target == "/refused-stream";
  }
  Task<void> handle_stream(http::Request& head, BodyStream& stream, http::Response& response) override;

 private:
  void ask_in_order();
  Task<void> hold(const http::Request& request);
  Task<void> events(BodyStream& stream);
  Task<void> flood(BodyStream& stream);

  Loop& loop_;
  Tally* tally_;
  int number_;
  std::string order_;
};

class TestServer {
 public:
  explicit TestServer(const ServerOptions& options = {}, std::int64_t budget = kDefaultBudget,
                      const std::string& unix_path = "");
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  std::uint16_t port() const { return port_; }
  Budget& budget() { return budget_; }
  std::uint32_t connection_count() const { return server_->connection_count(); }
  int held() const { return tally_.held; }
  int cancelled() const { return tally_.cancelled; }
  int reading() const { return tally_.reading; }
  int telling() const { return tally_.telling; }
  std::uint64_t flooded() const { return tally_.flooded; }
  void release() { tally_.released = true; }

  // Drains on a thread of its own, which end_drain() waits for.
  void begin_drain(Milliseconds grace = std::chrono::seconds(30));
  void end_drain();
  // Everything posted to the loops so far has run.
  void wait_for_loops();

  template <class Condition>
  bool eventually(Condition holds) const {
    const auto give_up = std::chrono::steady_clock::now() + kPatience;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      std::this_thread::sleep_for(Milliseconds(1));
    }
    return true;
  }

 private:
  Tally tally_;
  Budget budget_;
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<std::unique_ptr<EchoHandler>> handlers_;
  std::unique_ptr<Server> server_;
  std::vector<std::thread> threads_;
  std::thread drainer_;
  std::uint16_t port_ = 0;
};

struct Answer {
  int status = 0;
  std::string head;
  std::string body;
};

// A blocking connection. Reads fail, and the test with them, when nothing comes for kPatience.
class Client {
 public:
  explicit Client(std::uint16_t port);
  explicit Client(const std::string& unix_path);
  Client(Client&& other) noexcept;
  ~Client();

  void send(std::string_view bytes);
  // Through the empty line, which is not part of it.
  std::string read_head();
  Answer read_answer();
  // Until the peer closes.
  std::string read_to_end();
  bool is_closed_by_peer();
  // The peer sees a reset instead of an end.
  void reset_connection();

  // For Http2Client: what has come, waiting for the first byte; empty at the end.
  std::string receive();
  bool send_some(std::string_view bytes);

 private:
  bool fill();

  int fd_ = -1;
  std::string in_;
  bool timed_out_ = false;
};

bool can_connect(std::uint16_t port);
// A socket file as a process that was killed leaves it.
void leave_stale_socket(const std::string& path);

// One HTTP/2 connection; calls run until a condition holds, and see what the server sends meanwhile.
class Http2Client {
 public:
  struct Stream {
    std::string status;
    std::string body;
    std::map<std::string, std::string> fields;
    bool closed = false;
    // What is still to be sent.
    std::string out;
    bool finished = true;
    bool deferred = false;
  };

  explicit Http2Client(std::uint16_t port);
  // After "Upgrade: h2c" was accepted on `client`.
  Http2Client(Client client, std::string_view settings);
  ~Http2Client();
  Http2Client(const Http2Client&) = delete;
  Http2Client& operator=(const Http2Client&) = delete;

  std::int32_t ask(std::string_view path, std::string body = "");
  // A request whose body stays open until finish().
  std::int32_t open(std::string_view path);
  void write(std::int32_t stream, std::string_view bytes);
  void finish(std::int32_t stream);
  void cancel(std::int32_t stream);
  void reset_connection() { client_.reset_connection(); }

  Stream& at(std::int32_t stream) { return streams_[stream]; }
  bool is_closed() const { return closed_; }
  // Sends what there is; false when the connection is broken.
  bool flush();
  // False when the connection ended before the condition held.
  template <class Condition>
  bool run_until(Condition holds) {
    // What we send may be what ends a stream, so the condition is looked at before waiting for the server too.
    while (!holds()) {
      if (!flush()) return holds();
      if (!holds() && !receive()) return holds();
    }
    return true;
  }

 private:
  struct Callbacks;
  void begin();
  std::int32_t submit(std::string_view path, bool with_body, std::string body, bool finished);
  bool receive();

  Client client_;
  nghttp2_session* h2_ = nullptr;
  std::map<std::int32_t, Stream> streams_;
  bool closed_ = false;
};

}  // namespace holdfast::net::testing
