#include "net/server_testing.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>
#include <latch>
#include <stdexcept>

#include "base/encoding.h"

namespace holdfast::net::testing {

namespace {

constexpr std::string_view kBytes = "/bytes/";
constexpr int kLoops = 2;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

template <class Address>
int connect_to(const Address& address) {
  const int fd = ::socket(reinterpret_cast<const sockaddr&>(address).sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  ::close(fd);
  return -1;
}

// So that a server that never answers fails the test instead of hanging it.
int with_time_limit(int fd) {
  if (fd < 0) throw std::runtime_error("nobody listens");
  const timeval limit{std::chrono::seconds(kPatience).count(), 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  return fd;
}

}  // namespace

Task<void> EchoHandler::hold(const http::Request& request) {
  bool told = false;
  ++tally_->held;
  while (!tally_->released) {
    if (!told && request.cancel != nullptr && request.cancel->requested) {
      told = true;
      ++tally_->cancelled;
    }
    co_await sleep_for(loop_, Milliseconds(1));
  }
  --tally_->held;
}

Task<void> EchoHandler::handle(http::Request& request, http::Response& response) {
  response.content_type = "text/plain";
  if (request.body_too_large) response.status = 413;
  if (request.target == "/held") co_await hold(request);
  if (request.target == "/later") co_await sleep_for(loop_, Milliseconds(2));
  if (request.target == "/throw") throw std::runtime_error("the handler was told to");
  if (request.target.starts_with(kBytes)) {
    response.body.resize(std::stoul(request.target.substr(kBytes.size())), 'x');
  } else if (request.target == "/loop") {
    response.body = std::to_string(number_);
  } else if (request.target == "/order") {
    ask_in_order();
  } else if (request.target == "/ordered") {
    response.body = order_;
  } else if (request.target == "/peer") {
    static constexpr std::array<std::string_view, 3> kNames{"elsewhere", "loopback", "unix socket"};
    response.body = kNames.at(static_cast<std::size_t>(request.peer));
  } else if (response.status == 200) {
    response.body = request.body.empty() ? request.target : request.body;
  }
}

void EchoHandler::ask_in_order() {
  loop_.post([this] {
    loop_.soon([this] { order_ += " soon-of-posted"; });
    order_ += " posted";
  });
  loop_.soon([this] {
    loop_.soon([this] { order_ += " soon-of-soon"; });
    order_ += " soon";
  });
}

Task<void> EchoHandler::events(BodyStream& stream) {
  ++tally_->telling;
  bool ended = false;
  stream.on_end([&ended] { ended = true; });
  stream.head_fields().add("X-Kind", "events");
  while (!ended && stream.write("event\n", "text/event-stream")) co_await sleep_for(loop_, Milliseconds(1));
  stream.on_end(nullptr);
  --tally_->telling;
}

Task<void> EchoHandler::flood(BodyStream& stream) {
  ++tally_->telling;
  while (stream.write(std::string(16 * 1024, 'x'), "text/plain") && co_await stream.sent()) ++tally_->flooded;
  --tally_->telling;
}

Task<void> EchoHandler::handle_stream(http::Request& head, BodyStream& stream, http::Response& response) {
  if (head.target == "/events") co_return co_await events(stream);
  if (head.target == "/flood") co_return co_await flood(stream);
  if (head.target == "/refused-stream") {
    response.status = 403;
    response.body = "no";
    co_return;
  }
  ++tally_->reading;
  while (auto bytes = co_await stream.read()) stream.write("<" + *bytes + ">", "text/plain");
  --tally_->reading;
  response.has_trailers = true;
  response.trailers.add_lower("done", "yes");
}

TestServer::TestServer(const ServerOptions& options, std::int64_t budget, const std::string& unix_path)
    : budget_(budget) {
  std::vector<Loop*> loops;
  std::vector<Handler*> handlers;
  for (int i = 0; i < kLoops; ++i) {
    loops_.push_back(std::make_unique<Loop>());
    handlers_.push_back(std::make_unique<EchoHandler>(*loops_.back(), &tally_, i));
    loops.push_back(loops_.back().get());
    handlers.push_back(handlers_.back().get());
  }
  server_ = std::make_unique<Server>(loops, handlers, budget_, options);
  const auto port = server_->listen_tcp("127.0.0.1", 0);
  if (!port) throw std::runtime_error(port.error().message);
  port_ = *port;
  if (!unix_path.empty()) {
    const Status opened = server_->listen_unix(unix_path);
    if (!opened) throw std::runtime_error(opened.error().message);
  }
  server_->start();
  for (const auto& loop : loops_) threads_.emplace_back([&loop] { loop->run(); });
}

TestServer::~TestServer() {
  release();
  if (drainer_.joinable()) {
    drainer_.join();
  } else {
    server_->drain(Milliseconds(0));
  }
  for (const auto& loop : loops_) loop->stop();
  for (auto& thread : threads_) thread.join();
  EXPECT_EQ(connection_count(), 0u);
  server_.reset();
}

void TestServer::begin_drain(Milliseconds grace) {
  drainer_ = std::thread([this, grace] { server_->drain(grace); });
}

void TestServer::end_drain() {
  EXPECT_TRUE(eventually([this] { return connection_count() == 0; }));
}

void TestServer::wait_for_loops() {
  std::latch done(kLoops);
  for (const auto& loop : loops_) loop->post([&done] { done.count_down(); });
  done.wait();
}

Client::Client(std::uint16_t port) : fd_(with_time_limit(connect_to(loopback(port)))) {}
Client::Client(const std::string& unix_path) : fd_(with_time_limit(connect_to(unix_address(unix_path)))) {}
Client::Client(Client&& other) noexcept : fd_(std::exchange(other.fd_, -1)), in_(std::move(other.in_)) {}

Client::~Client() {
  if (fd_ >= 0) ::close(fd_);
}

bool Client::send_some(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

// A server that has answered already may hang up before it has read everything: what it said counts.
void Client::send(std::string_view bytes) { send_some(bytes); }

bool Client::fill() {
  std::array<char, 64 * 1024> chunk;
  const ssize_t n = ::recv(fd_, chunk.data(), chunk.size(), 0);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
    timed_out_ = true;
    ADD_FAILURE() << "nothing came for " << kPatience.count() << " s";
  }
  if (n <= 0) return false;
  in_.append(chunk.data(), static_cast<std::size_t>(n));
  return true;
}

std::string Client::read_head() {
  std::size_t end = 0;
  while ((end = in_.find("\r\n\r\n")) == std::string::npos)
    if (!fill()) return {};
  std::string head = in_.substr(0, end);
  in_.erase(0, end + 4);
  return head;
}

Answer Client::read_answer() {
  Answer answer;
  answer.head = read_head();
  if (answer.head.size() < 12) return answer;
  answer.status = std::stoi(answer.head.substr(9, 3));
  const std::string lower = to_lower(answer.head);
  const std::size_t length = lower.find("content-length: ");
  const std::size_t size = length == std::string::npos ? 0 : std::stoul(lower.substr(length + 16));
  while (in_.size() < size)
    if (!fill()) return answer;
  answer.body = in_.substr(0, size);
  in_.erase(0, size);
  return answer;
}

std::string Client::read_to_end() {
  while (fill()) continue;
  return std::move(in_);
}

bool Client::is_closed_by_peer() { return read_to_end().empty() && !timed_out_; }

void Client::reset_connection() {
  const linger at_once{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(std::exchange(fd_, -1));
}

std::string Client::receive() {
  if (in_.empty()) fill();
  return std::exchange(in_, {});
}

bool can_connect(std::uint16_t port) {
  const int fd = connect_to(loopback(port));
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

void leave_stale_socket(const std::string& path) {
  const sockaddr_un address = unix_address(path);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(fd, 1), 0);
  ::close(fd);
}

struct Http2Client::Callbacks {
  static Http2Client& self(void* user) { return *static_cast<Http2Client*>(user); }
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_bytes,
                       const std::uint8_t* value, std::size_t value_bytes, std::uint8_t, void* user) {
    Stream& stream = self(user).at(frame->hd.stream_id);
    const std::string field(reinterpret_cast<const char*>(name), name_bytes);
    const std::string text(reinterpret_cast<const char*>(value), value_bytes);
    if (field == ":status") stream.status = text;
    stream.fields[field] = text;
    return 0;
  }
  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t bytes,
                     void* user) {
    self(user).at(id).body.append(reinterpret_cast<const char*>(data), bytes);
    return 0;
  }
  static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
    self(user).at(id).closed = true;
    return 0;
  }
  static ssize_t read_body(nghttp2_session*, std::int32_t id, std::uint8_t* to, std::size_t room, std::uint32_t* flags,
                           nghttp2_data_source*, void* user) {
    Stream& stream = self(user).at(id);
    if (stream.out.empty() && !stream.finished) {
      stream.deferred = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    const std::size_t n = stream.out.copy(reinterpret_cast<char*>(to), room);
    stream.out.erase(0, n);
    if (stream.out.empty() && stream.finished) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(n);
  }
  static nghttp2_nv field(std::string_view name, std::string_view value) {
    return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
            reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
            NGHTTP2_NV_FLAG_NONE};
  }
};

Http2Client::Http2Client(std::uint16_t port) : client_(port) {
  begin();
  nghttp2_submit_settings(h2_, NGHTTP2_FLAG_NONE, nullptr, 0);
}

Http2Client::Http2Client(Client client, std::string_view settings) : client_(std::move(client)) {
  begin();
  const std::string decoded = base64url_decode(settings).value();
  nghttp2_session_upgrade2(h2_, reinterpret_cast<const std::uint8_t*>(decoded.data()), decoded.size(), 0, nullptr);
  nghttp2_submit_settings(h2_, NGHTTP2_FLAG_NONE, nullptr, 0);
}

void Http2Client::begin() {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::on_close);
  nghttp2_session_client_new(&h2_, callbacks, this);
  nghttp2_session_callbacks_del(callbacks);
}

Http2Client::~Http2Client() { nghttp2_session_del(h2_); }

std::int32_t Http2Client::submit(std::string_view path, bool with_body, std::string body, bool finished) {
  const nghttp2_nv head[] = {Callbacks::field(":method", with_body ? "POST" : "GET"),
                             Callbacks::field(":scheme", "http"), Callbacks::field(":path", path),
                             Callbacks::field(":authority", "a")};
  nghttp2_data_provider provider{};
  provider.read_callback = Callbacks::read_body;
  const std::int32_t id =
      nghttp2_submit_request(h2_, nullptr, head, std::size(head), with_body ? &provider : nullptr, nullptr);
  Stream& stream = streams_[id];
  stream.out = std::move(body);
  stream.finished = finished;
  return id;
}

std::int32_t Http2Client::ask(std::string_view path, std::string body) {
  const bool with_body = !body.empty();
  return submit(path, with_body, std::move(body), true);
}

std::int32_t Http2Client::open(std::string_view path) { return submit(path, true, "", false); }

void Http2Client::write(std::int32_t stream, std::string_view bytes) {
  Stream& to = at(stream);
  to.out += bytes;
  if (std::exchange(to.deferred, false)) nghttp2_session_resume_data(h2_, stream);
}

void Http2Client::finish(std::int32_t stream) {
  Stream& to = at(stream);
  to.finished = true;
  if (std::exchange(to.deferred, false)) nghttp2_session_resume_data(h2_, stream);
}

void Http2Client::cancel(std::int32_t stream) {
  nghttp2_submit_rst_stream(h2_, NGHTTP2_FLAG_NONE, stream, NGHTTP2_CANCEL);
}

bool Http2Client::flush() {
  const std::uint8_t* data = nullptr;
  for (ssize_t n = 0; (n = nghttp2_session_mem_send(h2_, &data)) > 0;)
    if (!client_.send_some({reinterpret_cast<const char*>(data), static_cast<std::size_t>(n)})) return false;
  return true;
}

bool Http2Client::receive() {
  const std::string bytes = client_.receive();
  closed_ = bytes.empty();
  return !closed_ &&
         nghttp2_session_mem_recv(h2_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()) >= 0;
}

}  // namespace holdfast::net::testing
