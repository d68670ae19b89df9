// What the tests of Http2Client and GrpcClient run them with: a loop on a thread of its own, and a server that plays a
// script frame by frame, so that a test says every byte that it sends.
#pragma once

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "net/http2_client.h"
#include "net/on_loop.h"
#include "net/tls.h"
#include "support/test_certificates.h"

namespace holdfast::net::http2_testing {

// For a condition that must come, on a slow machine under a sanitizer.
inline constexpr Milliseconds kAmple{20'000};

inline SteadyTime in(Milliseconds time) { return std::chrono::steady_clock::now() + time; }

// Frames, as RFC 9113 6 has them.

using Fields = std::vector<std::pair<std::string, std::string>>;

inline std::string number(std::uint32_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
  return out;
}
inline std::string frame(int type, int flags, std::int32_t stream, std::string_view payload) {
  return number(static_cast<std::uint32_t>(payload.size()), 3) + static_cast<char>(type) + static_cast<char>(flags) +
         number(static_cast<std::uint32_t>(stream), 4) + std::string(payload);
}
// Without compression: literals that are not indexed.
inline std::string packed(const Fields& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    EXPECT_LT(name.size(), 127u);
    out += '\0' + std::string(1, static_cast<char>(name.size())) + name;
    if (value.size() < 127) {
      out += static_cast<char>(value.size());
    } else {
      out += '\x7f';
      std::size_t rest = value.size() - 127;
      for (; rest >= 128; rest /= 128) out += static_cast<char>(rest % 128 + 128);
      out += static_cast<char>(rest);
    }
    out += value;
  }
  return out;
}
enum class Last : bool { no, yes };
inline int end_flag(Last last) { return last == Last::yes ? NGHTTP2_FLAG_END_STREAM : 0; }
inline std::string headers(std::int32_t stream, const Fields& fields, Last last = Last::no) {
  return frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | end_flag(last), stream, packed(fields));
}
inline std::string data(std::int32_t stream, std::string_view bytes, Last last = Last::no) {
  return frame(NGHTTP2_DATA, end_flag(last), stream, bytes);
}
inline std::string settings(std::string_view payload = "") { return frame(NGHTTP2_SETTINGS, 0, 0, payload); }
inline std::string settings_ack() { return frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, ""); }
inline std::string setting(int id, std::uint32_t value) {
  return number(static_cast<std::uint32_t>(id), 2) + number(value, 4);
}
inline std::string pong(std::string_view payload) { return frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, payload); }
inline std::string rst(std::int32_t stream, std::uint32_t code) {
  return frame(NGHTTP2_RST_STREAM, 0, stream, number(code, 4));
}
inline std::string goaway(std::int32_t last_stream, std::uint32_t code = NGHTTP2_NO_ERROR, std::string_view text = "") {
  return frame(NGHTTP2_GOAWAY, 0, 0,
               number(static_cast<std::uint32_t>(last_stream), 4) + number(code, 4) + std::string(text));
}
inline std::string window_update(std::int32_t stream, std::uint32_t by) {
  return frame(NGHTTP2_WINDOW_UPDATE, 0, stream, number(by, 4));
}
// A whole answer: status 200 and `body`.
inline std::string answer_of(std::int32_t stream, std::string_view body) {
  return headers(stream, {{":status", "200"}}) + data(stream, body, Last::yes);
}

struct Frame {
  int type = -1;  // the client has left
  int flags = 0;
  std::int32_t stream = 0;
  std::string payload;
};

// One connection, on the peer's thread, in the hands of a script.
class PeerConnection {
 public:
  PeerConnection(int fd, SSL* ssl, std::function<bool()> wait_for_go)
      : fd_(fd), ssl_(ssl), wait_for_go_(std::move(wait_for_go)) {}

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto n = ssl_ != nullptr ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                                     : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;  // the client has left, which is its own affair
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  // The next frame of that kind; what comes before it is passed over.
  Frame wait_for(int type) {
    for (;;) {
      Frame got = next();
      if (got.type == type || got.type < 0) return got;
    }
  }
  Frame wait_for(int type, std::int32_t stream) {
    for (;;) {
      Frame got = wait_for(type);
      if (got.stream == stream || got.type < 0) return got;
    }
  }
  // Until the client leaves.
  void wait_for_end() {
    while (next().type >= 0) continue;
  }
  Frame next() {
    if (!has_preface_) {
      take(NGHTTP2_CLIENT_MAGIC_LEN);
      has_preface_ = true;
    }
    const std::string head = take(9);
    if (head.empty()) return {};
    const auto byte = [&](std::size_t at) { return static_cast<std::uint32_t>(static_cast<unsigned char>(head[at])); };
    Frame got;
    got.type = static_cast<int>(byte(3));
    got.flags = static_cast<int>(byte(4));
    got.stream = static_cast<std::int32_t>(byte(5) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8));
    const std::size_t size = byte(0) << 16 | byte(1) << 8 | byte(2);
    got.payload = take(size);
    return got;
  }
  // Until Http2Peer::go(); false when the test is over.
  bool wait_for_go() { return wait_for_go_(); }

 private:
  std::string take(std::size_t bytes) {
    while (in_.size() < bytes) {
      char chunk[16384];
      const auto n = ssl_ != nullptr ? SSL_read(ssl_, chunk, sizeof chunk) : ::recv(fd_, chunk, sizeof chunk, 0);
      if (n <= 0) return {};
      in_.append(chunk, static_cast<std::size_t>(n));
    }
    std::string taken = in_.substr(0, bytes);
    in_.erase(0, bytes);
    return taken;
  }

  const int fd_;
  SSL* const ssl_;
  const std::function<bool()> wait_for_go_;
  std::string in_;
  bool has_preface_ = false;
};

using Script = std::function<void(PeerConnection&)>;

// Plays one script after the other, one for each connection, which ends with it. After the last one nobody listens.
class Http2Peer {
 public:
  explicit Http2Peer(std::vector<Script> scripts, SSL_CTX* tls = nullptr) : scripts_(std::move(scripts)), tls_(tls) {
    std::signal(SIGPIPE, SIG_IGN);
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_, 16), 0);
    socklen_t size = sizeof address;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~Http2Peer() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      if (listener_ >= 0) ::shutdown(listener_, SHUT_RDWR);
      for (const int fd : fds_) ::shutdown(fd, SHUT_RDWR);
    }
    changed_.notify_all();
    thread_.join();
  }
  Http2Peer(const Http2Peer&) = delete;
  Http2Peer& operator=(const Http2Peer&) = delete;

  std::uint16_t port() const { return port_; }
  // Lets one wait_for_go() pass.
  void go() {
    const std::lock_guard lock(mutex_);
    ++passes_;
    changed_.notify_all();
  }
  // For what a script has seen.
  void note(std::string what) {
    const std::lock_guard lock(mutex_);
    notes_ += what + ";";
    changed_.notify_all();
  }
  bool wait_for_note(const std::string& what) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kAmple, [&] { return notes_.find(what + ";") != std::string::npos; });
  }
  bool wait_for_connections(int connections) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kAmple, [&] { return connections_ >= connections; });
  }

 private:
  // Each connection has a thread, for the one before may have to go on.
  void run() {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < scripts_.size(); ++i) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) break;
      const std::lock_guard lock(mutex_);
      fds_.push_back(fd);
      ++connections_;
      changed_.notify_all();
      if (stopping_) ::shutdown(fd, SHUT_RDWR);
      if (i + 1 == scripts_.size()) ::close(std::exchange(listener_, -1));
      threads.emplace_back([this, fd, i] { hold(fd, scripts_[i]); });
    }
    for (std::thread& thread : threads) thread.join();
    if (listener_ >= 0) ::close(listener_);
  }
  void hold(int fd, const Script& script) {
    SSL* const ssl = tls_ != nullptr ? SSL_new(tls_) : nullptr;
    if (ssl != nullptr) SSL_set_fd(ssl, fd);
    if (ssl == nullptr || SSL_accept(ssl) == 1) {
      PeerConnection connection(fd, ssl, [this] { return wait_for_go(); });
      script(connection);
    }
    if (ssl != nullptr) {
      SSL_shutdown(ssl);
      SSL_free(ssl);
    }
    // The client reads what was said last, instead of a reset.
    ::shutdown(fd, SHUT_WR);
    for (char rest[4096]; ::recv(fd, rest, sizeof rest, 0) > 0;) continue;
    const std::lock_guard lock(mutex_);
    std::erase(fds_, fd);
    ::close(fd);
  }
  bool wait_for_go() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return passes_ > 0 || stopping_; });
    if (passes_ == 0) return false;
    --passes_;
    return true;
  }

  const std::vector<Script> scripts_;
  SSL_CTX* const tls_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<int> fds_;
  int passes_ = 0;
  int connections_ = 0;
  bool stopping_ = false;
  std::string notes_;
  std::thread thread_;
};

// Says that it speaks HTTP/2, and answers every request with `body` until the client leaves.
inline Script answering(std::string body) {
  return [body = std::move(body)](PeerConnection& peer) {
    peer.send(settings());
    for (;;) {
      const Frame got = peer.next();
      if (got.type < 0) return;
      const bool is_request = got.type == NGHTTP2_HEADERS || got.type == NGHTTP2_DATA;
      if (is_request && (got.flags & NGHTTP2_FLAG_END_STREAM) != 0) peer.send(answer_of(got.stream, body));
    }
  };
}

// What came of a call.
using Answer = Result<std::string>;

inline Task<Result<Http2Answer>> ask_whole(Http2Client& client, Http2Request request, SteadyTime deadline) {
  auto call = client.call(request, deadline);
  Status answered = co_await call;
  if (!answered) co_return fail(std::move(answered.error()));
  co_return std::move(call.answer());
}

inline Task<Answer> ask(Http2Client& client, std::string path, std::string body, SteadyTime deadline) {
  auto call = client.call({.path = path, .body = body}, deadline);
  Status answered = co_await call;
  if (!answered) co_return fail(std::move(answered.error()));
  co_return std::move(call.answer().body);
}

// Asks all of them in one turn of the loop, and waits for each.
inline Task<std::vector<Answer>> ask_all(Http2Client& client, std::vector<std::string> paths, SteadyTime deadline) {
  std::vector<Answer> answers(paths.size());
  std::size_t left = paths.size();
  Arrival<bool> all;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    start(ask(client, paths[i], "", deadline), [&, i](Answer answer) {
      answers[i] = std::move(answer);
      if (--left == 0) all.set(true);
    });
  }
  if (!paths.empty()) co_await all;
  co_return answers;
}

template <class Client>
Task<bool> close_task(Client& client, Milliseconds within) {
  co_await client.close(in(within));
  co_return true;
}

inline Errc code_of(const Answer& answer) { return answer ? Errc::internal : answer.error().code; }
inline std::string message_of(const Answer& answer) { return answer ? "answered" : answer.error().message; }

// A client on a loop.
template <class Client>
class ClientTest : public ::testing::Test {
 protected:
  ClientTest() : thread_([this] { loop_.run(); }) {}
  ~ClientTest() override {
    close();
    loop_.stop();
    thread_.join();
  }

  static Http2ClientOptions options_for(std::uint16_t port) {
    Http2ClientOptions options;
    options.endpoint = {"127.0.0.1", port, ""};
    options.name = "component \"orders\" (state.etcd)";
    return options;
  }
  void make(Http2ClientOptions options) {
    if (!options.on_lost) options.on_lost = [this] { ++lost_; };
    client_ = std::make_unique<Client>(loop_, std::move(options));
  }
  void make(std::uint16_t port) { make(options_for(port)); }
  void close(Milliseconds within = kAmple) {
    if (!client_) return;
    on<bool>([this, within] { return close_task(*client_, within); });
    client_.reset();
  }
  // Runs it on the loop.
  template <class T>
  T on(std::function<Task<T>()> task) {
    auto done = on_loop<T>(loop_, kAmple * 2, std::move(task));
    if (!done) ADD_FAILURE() << "it did not end";
    return done ? std::move(*done) : T();
  }
  template <class T>
  T call(std::function<T()> work) {
    return on<T>([&work] { return ready(work()); });
  }
  Status connect(Milliseconds within = kAmple) {
    return on<Status>([=, this] { return client_->connect(in(within)); });
  }
  bool eventually(const std::function<bool()>& holds) {
    const SteadyTime give_up = in(kAmple);
    while (!call<bool>(holds)) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      std::this_thread::sleep_for(Milliseconds(1));
    }
    return true;
  }

  std::atomic<int> lost_ = 0;
  Loop loop_;
  std::thread thread_;
  std::unique_ptr<Client> client_;
};

// The peer's side of TLS: shows `own` and, with `clients`, asks for that certificate; chooses `protocol` by ALPN, or
// nothing when that is empty.
class PeerTls {
 public:
  PeerTls(const test::Identity& own, std::string protocol, const test::Identity* clients = nullptr)
      : context_(SSL_CTX_new(TLS_server_method())), protocol_(std::move(protocol)) {
    X509* const certificate = read(own.certificate);
    SSL_CTX_use_certificate(context_, certificate);
    X509_free(certificate);
    BIO* const bio = BIO_new_mem_buf(own.key.data(), static_cast<int>(own.key.size()));
    EVP_PKEY* const key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
    SSL_CTX_use_PrivateKey(context_, key);
    EVP_PKEY_free(key);
    BIO_free(bio);
    SSL_CTX_set_alpn_select_cb(context_, choose, this);
    if (clients == nullptr) return;
    X509* const authority = read(clients->certificate);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context_), authority);
    X509_free(authority);
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  ~PeerTls() { SSL_CTX_free(context_); }
  PeerTls(const PeerTls&) = delete;
  PeerTls& operator=(const PeerTls&) = delete;
  SSL_CTX* context() const { return context_; }
  // What the client offered last, as ALPN has it.
  std::string offered() const { return offered_; }

 private:
  static int choose(SSL*, const unsigned char** out, unsigned char* out_bytes, const unsigned char* offered,
                    unsigned offered_bytes, void* self_pointer) {
    PeerTls& self = *static_cast<PeerTls*>(self_pointer);
    self.offered_.assign(reinterpret_cast<const char*>(offered), offered_bytes);
    if (self.protocol_.empty()) return SSL_TLSEXT_ERR_NOACK;
    *out = reinterpret_cast<const unsigned char*>(self.protocol_.data());
    *out_bytes = static_cast<unsigned char>(self.protocol_.size());
    return SSL_TLSEXT_ERR_OK;
  }
  static X509* read(const std::string& pem) {
    BIO* const bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    X509* const certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    return certificate;
  }
  SSL_CTX* context_;
  const std::string protocol_;
  std::string offered_;
};

}  // namespace holdfast::net::http2_testing
