// A server on loopback that plays a script: it expects bytes, answers, hangs up. For tests of clients.
//
// One conversation follows another; after the last one nobody listens any more. What goes wrong fails the test when the
// peer is destroyed.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace holdfast::test {

// What a line is answered with.
using LineServer = std::function<std::string(std::string_view line)>;

struct PeerStep {
  enum class Kind { expect, expect_at_once, answer, wait, hang_up, serve };
  Kind kind;
  std::string bytes;
  LineServer server;
};

// These bytes come next, in however many reads.
inline PeerStep expect(std::string bytes) { return {PeerStep::Kind::expect, std::move(bytes), {}}; }
// All of these bytes, and no more, come in one read.
inline PeerStep expect_at_once(std::string bytes) { return {PeerStep::Kind::expect_at_once, std::move(bytes), {}}; }
inline PeerStep answer(std::string bytes) { return {PeerStep::Kind::answer, std::move(bytes), {}}; }
// Until ScriptedPeer::go().
inline PeerStep wait_for_go() { return {PeerStep::Kind::wait, "", {}}; }
// The last step, unless the client is the one that ends the conversation.
inline PeerStep hang_up() { return {PeerStep::Kind::hang_up, "", {}}; }
// Answers every line until the client ends the conversation.
inline PeerStep serve(LineServer server) { return {PeerStep::Kind::serve, "", std::move(server)}; }

using Conversation = std::vector<PeerStep>;

struct PeerOptions {
  std::string unix_path = {};  // empty: TCP on 127.0.0.1
  std::uint16_t port = 0;      // 0: any
  std::size_t piece_bytes =
      0;  // answers go in pieces, each when the client has read the one before (Unix sockets); 0: whole
  SSL_CTX* tls = nullptr;
};

class ScriptedPeer {
 public:
  explicit ScriptedPeer(std::vector<Conversation> conversations, PeerOptions options = {})
      : conversations_(std::move(conversations)), options_(std::move(options)) {
    std::signal(SIGPIPE, SIG_IGN);
    listen();
    thread_ = std::thread([this] { run(); });
  }
  ~ScriptedPeer() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      if (listener_ >= 0) ::shutdown(listener_, SHUT_RDWR);
      if (fd_ >= 0) ::shutdown(fd_, SHUT_RDWR);
    }
    changed_.notify_all();
    thread_.join();
    for (const std::string& problem : problems_) ADD_FAILURE() << "the peer: " << problem;
  }
  ScriptedPeer(const ScriptedPeer&) = delete;
  ScriptedPeer& operator=(const ScriptedPeer&) = delete;

  std::uint16_t port() const { return port_; }
  // Lets one wait_for_go() pass.
  void go() {
    const std::lock_guard lock(mutex_);
    ++passes_;
    changed_.notify_all();
  }
  // Until so many steps, of all conversations together, are done.
  bool wait_for_steps(int steps) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return steps_ >= steps; });
  }
  bool wait_for_connections(int connections) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return connections_ >= connections; });
  }
  int connections() {
    const std::lock_guard lock(mutex_);
    return connections_;
  }
  // A port of 127.0.0.1 where nobody listens.
  static std::uint16_t free_port() {
    std::uint16_t port = 0;
    ::close(listen_on_loopback(0, port));
    return port;
  }

 private:
  static constexpr std::chrono::seconds kPatience{20};

  static int listen_on_loopback(std::uint16_t wanted, std::uint16_t& port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(wanted);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(fd, 16), 0);
    socklen_t size = sizeof address;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    return fd;
  }
  void listen() {
    if (options_.unix_path.empty()) {
      listener_ = listen_on_loopback(options_.port, port_);
      return;
    }
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    options_.unix_path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
  }

  void run() {
    for (std::size_t i = 0; i < conversations_.size(); ++i) {
      if (!accept()) break;
      if (i + 1 == conversations_.size()) stop_listening();
      hold(conversations_[i]);
      hang_up_now();
    }
    stop_listening();
  }
  void stop_listening() {
    const std::lock_guard lock(mutex_);
    if (listener_ >= 0) ::close(std::exchange(listener_, -1));
  }
  bool accept() {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return false;
    const timeval patience{kPatience.count(), 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const std::lock_guard lock(mutex_);
    fd_ = fd;
    ++connections_;
    changed_.notify_all();
    if (stopping_) ::shutdown(fd_, SHUT_RDWR);
    return true;
  }
  void hang_up_now() {
    if (ssl_ != nullptr) {
      SSL_shutdown(ssl_);
      SSL_free(std::exchange(ssl_, nullptr));
    }
    const std::lock_guard lock(mutex_);
    ::close(std::exchange(fd_, -1));
  }

  void hold(const Conversation& conversation) {
    if (options_.tls != nullptr) {
      ssl_ = SSL_new(options_.tls);
      SSL_set_fd(ssl_, fd_);
      if (SSL_accept(ssl_) != 1) return leave_politely();  // whether that was to be is the client's to tell
    }
    for (const PeerStep& step : conversation) {
      if (step.kind == PeerStep::Kind::hang_up) return;
      if (!play(step)) return;
      const std::lock_guard lock(mutex_);
      ++steps_;
      changed_.notify_all();
    }
    char rest[256];
    if (const auto n = receive(rest, sizeof rest); n > 0) problem("came after the end: ", {rest, std::size_t(n)});
  }
  // The client reads what we said last, instead of a reset.
  void leave_politely() {
    ::shutdown(fd_, SHUT_WR);
    for (char rest[256]; ::recv(fd_, rest, sizeof rest, 0) > 0;) continue;
  }
  bool play(const PeerStep& step) {
    switch (step.kind) {
      case PeerStep::Kind::expect:
        return play_expect(step.bytes, false);
      case PeerStep::Kind::expect_at_once:
        return play_expect(step.bytes, true);
      case PeerStep::Kind::answer:
        return send(step.bytes);
      case PeerStep::Kind::wait:
        return wait();
      case PeerStep::Kind::serve:
        return play_serve(step.server);
      case PeerStep::Kind::hang_up:
        return false;
    }
    return false;
  }
  bool play_expect(const std::string& bytes, bool at_once) {
    std::string got(bytes.size() + (at_once ? 1 : 0), '\0');
    std::size_t size = 0;
    while (size < bytes.size()) {
      const auto n = receive(got.data() + size, got.size() - size);
      if (n <= 0) return problem("the client left; was waiting for ", std::string_view(bytes).substr(0, 100));
      size += static_cast<std::size_t>(n);
      if (at_once) break;
    }
    got.resize(size);
    return got == bytes || problem("something else came: ", std::string_view(got).substr(0, 100));
  }
  bool play_serve(const LineServer& server) {
    std::string got;
    char chunk[4096];
    for (;;) {
      const auto n = receive(chunk, sizeof chunk);
      if (n <= 0) return false;
      got.append(chunk, static_cast<std::size_t>(n));
      for (std::size_t end; (end = got.find('\n')) != std::string::npos; got.erase(0, end + 1))
        if (!send(server(std::string_view(got).substr(0, end)))) return false;
    }
  }
  bool wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return passes_ > 0 || stopping_; });
    if (passes_ == 0) return false;
    --passes_;
    return true;
  }

  ssize_t receive(char* to, std::size_t room) {
    return ssl_ != nullptr ? SSL_read(ssl_, to, static_cast<int>(room)) : ::recv(fd_, to, room, 0);
  }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::string_view piece = bytes.substr(0, options_.piece_bytes == 0 ? bytes.size() : options_.piece_bytes);
      const auto n = ssl_ != nullptr ? SSL_write(ssl_, piece.data(), static_cast<int>(piece.size()))
                                     : ::send(fd_, piece.data(), piece.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;  // the client has left, which is its own affair
      bytes.remove_prefix(static_cast<std::size_t>(n));
      if (options_.piece_bytes > 0 && !bytes.empty()) wait_until_read();
    }
    return true;
  }
  // What a Unix socket still holds of ours is what the other side has not read.
  void wait_until_read() {
    for (int left = 1; left > 0; std::this_thread::yield())
      if (::ioctl(fd_, SIOCOUTQ, &left) != 0) return;
  }
  bool problem(std::string what, std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    if (!stopping_) problems_.push_back(what.append("\"").append(bytes).append("\""));
    return false;
  }

  const std::vector<Conversation> conversations_;
  const PeerOptions options_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  SSL* ssl_ = nullptr;
  std::mutex mutex_;
  std::condition_variable changed_;
  int fd_ = -1;
  int passes_ = 0;
  int steps_ = 0;
  int connections_ = 0;
  bool stopping_ = false;
  std::vector<std::string> problems_;
  std::thread thread_;
};

// The same conversation with the peer hanging up at each of its steps in turn, from before the first to after the last.
inline std::vector<Conversation> dying_at_every_step(const Conversation& whole) {
  std::vector<Conversation> all;
  for (std::size_t steps = 0; steps <= whole.size(); ++steps) {
    all.emplace_back(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(steps)).push_back(hang_up());
  }
  return all;
}

}  // namespace holdfast::test
