#include <nghttp2/nghttp2.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <stdexcept>
#include <unordered_map>

#include "bench/load.h"
#include "bench/process.h"
#include "bench/socket.h"

namespace holdfast::bench {

namespace {

constexpr int kStreamsPerConnection = 8;

// What is sent, in turn.
struct Bodies {
  std::vector<std::string> all;
  std::size_t asked = 0;
  const std::string& next() { return all[asked++ % all.size()]; }
};

struct Call {
  const std::string* body = nullptr;
  std::size_t sent = 0;
  double asked = 0;
  std::string answer;
  bool ok = false;
};

class Client {
 public:
  Client(const Load& load, const std::string& path, Bodies& bodies, LoadResult& result)
      : fd_(connect_to(load)), path_(path), bodies_(bodies), result_(result) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    nghttp2_session_client_new(&h2_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    const nghttp2_settings_entry window{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 16 << 20};
    nghttp2_submit_settings(h2_, NGHTTP2_FLAG_NONE, &window, 1);
    nghttp2_session_set_local_window_size(h2_, NGHTTP2_FLAG_NONE, 0, 64 << 20);
  }
  ~Client() {
    nghttp2_session_del(h2_);
    close(fd_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  int fd() const { return fd_; }
  void ask();
  void flush();
  void receive(double now);
  void stop() { asking_ = false; }
  const std::string& last_answer() const { return last_answer_; }

 private:
  static nghttp2_nv field(const char* name, const std::string& value) {
    return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name)),
            reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), std::strlen(name), value.size(),
            NGHTTP2_NV_FLAG_NONE};
  }
  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_bytes,
                       const std::uint8_t* value, std::size_t value_bytes, std::uint8_t, void* user) {
    if (name_bytes == 11 && std::memcmp(name, "grpc-status", 11) == 0)
      static_cast<Client*>(user)->calls_[frame->hd.stream_id].ok = value_bytes == 1 && value[0] == '0';
    return 0;
  }
  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data, std::size_t bytes,
                     void* user) {
    auto& self = *static_cast<Client*>(user);
    if (self.keep_answer_) self.calls_[id].answer.append(reinterpret_cast<const char*>(data), bytes);
    return 0;
  }
  static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
    static_cast<Client*>(user)->answered(id);
    return 0;
  }
  static ssize_t read_body(nghttp2_session*, std::int32_t id, std::uint8_t* to, std::size_t room, std::uint32_t* flags,
                           nghttp2_data_source*, void* user) {
    auto& self = *static_cast<Client*>(user);
    Call& call = self.calls_[id];
    const std::size_t n = std::min(room, call.body->size() - call.sent);
    std::memcpy(to, call.body->data() + call.sent, n);
    call.sent += n;
    if (call.sent == call.body->size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(n);
  }
  void answered(std::int32_t id);

  int fd_;
  nghttp2_session* h2_ = nullptr;
  const std::string& path_;
  Bodies& bodies_;
  LoadResult& result_;
  std::unordered_map<std::int32_t, Call> calls_;
  std::vector<std::int32_t> unsent_;
  std::string last_answer_;
  double now_ = 0;
  bool asking_ = true;

 public:
  bool keep_answer_ = false;
};

void Client::ask() {
  static const std::string kPost = "POST", kHttp = "http", kHost = "localhost", kType = "application/grpc",
                           kTrailers = "trailers";
  const nghttp2_nv head[] = {field(":method", kPost),    field(":scheme", kHttp),      field(":path", path_),
                             field(":authority", kHost), field("content-type", kType), field("te", kTrailers)};
  nghttp2_data_provider provider{};
  provider.read_callback = read_body;
  const std::int32_t id = nghttp2_submit_request(h2_, nullptr, head, std::size(head), &provider, nullptr);
  if (id < 0) throw std::runtime_error("nghttp2_submit_request failed");
  calls_[id].body = &bodies_.next();
  unsent_.push_back(id);
}

void Client::answered(std::int32_t id) {
  Call& call = calls_[id];
  ++result_.requests;
  if (!call.ok) ++result_.errors;
  if (result_.requests % 4 == 0 || calls_.size() == 1)
    result_.latencies_us.push_back(static_cast<std::uint32_t>((now_ - call.asked) * 1e6));
  if (keep_answer_) last_answer_ = call.answer;
  calls_.erase(id);
  if (asking_) ask();
}

void Client::flush() {
  const std::uint8_t* data = nullptr;
  std::string out;
  for (ssize_t n = 0; (n = nghttp2_session_mem_send(h2_, &data)) > 0;)
    out.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(n));
  const double now = now_seconds();
  for (const std::int32_t id : unsent_) calls_[id].asked = now;
  unsent_.clear();
  send_all(fd_, out.data(), out.size());
}

void Client::receive(double now) {
  static char buffer[256 * 1024];
  const ssize_t n = recv(fd_, buffer, sizeof buffer, 0);
  if (n <= 0) throw std::runtime_error("the server hung up");
  now_ = now;
  if (nghttp2_session_mem_recv(h2_, reinterpret_cast<std::uint8_t*>(buffer), static_cast<std::size_t>(n)) < 0)
    throw std::runtime_error("the server sent bad HTTP/2");
  flush();
}

Bodies framed(std::span<const std::string> messages) {
  Bodies bodies;
  for (const std::string& message : messages) {
    std::string& body = bodies.all.emplace_back(1, '\0');
    for (int i = 3; i >= 0; --i) body += static_cast<char>(message.size() >> (8 * i));
    body += message;
  }
  return bodies;
}

}  // namespace

std::string fetch_grpc(const Load& load, const std::string& path, const std::string& message) {
  LoadResult result;
  Bodies bodies = framed({&message, 1});
  Client client(load, path, bodies, result);
  client.keep_answer_ = true;
  client.stop();
  client.ask();
  client.flush();
  while (result.requests == 0) client.receive(now_seconds());
  if (result.errors != 0) throw std::runtime_error("the call of " + path + " failed");
  return client.last_answer();
}

LoadResult run_grpc(const Load& load, const std::string& path, std::span<const std::string> messages) {
  LoadResult result;
  Bodies bodies = framed(messages);
  const int connections = (load.in_flight + kStreamsPerConnection - 1) / kStreamsPerConnection;
  const int poll = epoll_create1(0);
  std::vector<std::unique_ptr<Client>> clients;
  const double began = now_seconds();
  for (int i = 0; i < connections; ++i) {
    clients.push_back(std::make_unique<Client>(load, path, bodies, result));
    epoll_event event{EPOLLIN, {.u64 = static_cast<std::uint64_t>(i)}};
    epoll_ctl(poll, EPOLL_CTL_ADD, clients.back()->fd(), &event);
    for (int s = 0; s < std::min(load.in_flight, kStreamsPerConnection); ++s) clients.back()->ask();
    clients.back()->flush();
  }
  double now = began;
  while (now - began < load.seconds) {
    epoll_event events[64];
    const int ready = epoll_wait(poll, events, 64, 1000);
    now = now_seconds();
    for (int e = 0; e < ready; ++e) clients[events[e].data.u64]->receive(now);
  }
  result.seconds = now_seconds() - began;
  close(poll);
  return result;
}

}  // namespace holdfast::bench
