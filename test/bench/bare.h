// What the floors are made of: Asio and nghttp2, and as little else as will answer. Internal to the bench.
#pragma once

#include <nghttp2/nghttp2.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <unordered_map>

namespace holdfast::bench {

namespace asio = boost::asio;
using Tcp = asio::basic_stream_socket<asio::ip::tcp, asio::io_context::executor_type>;
using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, asio::io_context::executor_type>;
template <class T>
using Awaitable = asio::awaitable<T, asio::io_context::executor_type>;
inline constexpr asio::use_awaitable_t<asio::io_context::executor_type> kAwait;

inline bool whole_request(const std::string& in, std::size_t& used) {
  const std::size_t head = in.find("\r\n\r\n");
  if (head == std::string::npos) return false;
  const std::size_t at = in.find("Content-Length: ");
  const std::size_t body = at < head ? std::strtoul(in.c_str() + at + 16, nullptr, 10) : 0;
  used = head + 4 + body;
  return in.size() >= used;
}

// One HTTP/2 connection: nghttp2 and nothing else. Every answer is `message` and a grpc-status of 0.
class Bare {
 public:
  // `on_request` is told of each whole request and sees to its answer(); without it they are answered at once.
  explicit Bare(const std::string& message, std::function<void(std::int32_t)> on_request = nullptr)
      : message_(message), on_request_(std::move(on_request)) {
    static nghttp2_session_callbacks* callbacks = [] {
      nghttp2_session_callbacks* made = nullptr;
      nghttp2_session_callbacks_new(&made);
      nghttp2_session_callbacks_set_on_frame_recv_callback(made, on_frame);
      return made;
    }();
    nghttp2_session_server_new(&h2_, callbacks, this);
    nghttp2_submit_settings(h2_, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~Bare() { nghttp2_session_del(h2_); }
  Bare(const Bare&) = delete;
  Bare& operator=(const Bare&) = delete;

  bool receive(const char* data, std::size_t bytes) {
    return nghttp2_session_mem_recv(h2_, reinterpret_cast<const std::uint8_t*>(data), bytes) >= 0;
  }
  void answer(std::int32_t id) {
    const nghttp2_nv head[] = {field(":status", "200"), field("content-type", "application/grpc")};
    nghttp2_data_provider provider{};
    provider.read_callback = read_body;
    nghttp2_submit_response(h2_, id, head, 2, &provider);
  }
  const std::string& send() {
    out_.clear();
    const std::uint8_t* data = nullptr;
    for (ssize_t n = 0; (n = nghttp2_session_mem_send(h2_, &data)) > 0;)
      out_.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(n));
    return out_;
  }

 private:
  static nghttp2_nv field(const char* name, const char* value) {
    return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name)),
            reinterpret_cast<std::uint8_t*>(const_cast<char*>(value)), std::strlen(name), std::strlen(value),
            NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
  }
  static ssize_t read_body(nghttp2_session* h2, std::int32_t id, std::uint8_t* to, std::size_t room,
                           std::uint32_t* flags, nghttp2_data_source*, void* user) {
    const std::string& message = static_cast<Bare*>(user)->message_;
    std::size_t& at = static_cast<Bare*>(user)->sent_[id];
    const std::size_t n = std::min(room, message.size() - at);
    std::memcpy(to, message.data() + at, n);
    at += n;
    if (at < message.size()) return static_cast<ssize_t>(n);
    static_cast<Bare*>(user)->sent_.erase(id);
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    const nghttp2_nv status = field("grpc-status", "0");
    nghttp2_submit_trailer(h2, id, &status, 1);
    return static_cast<ssize_t>(n);
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0 || frame->hd.type == NGHTTP2_SETTINGS) return 0;
    Bare& self = *static_cast<Bare*>(user);
    if (self.on_request_)
      self.on_request_(frame->hd.stream_id);
    else
      self.answer(frame->hd.stream_id);
    return 0;
  }

  const std::string& message_;
  const std::function<void(std::int32_t)> on_request_;
  std::string out_;
  std::unordered_map<std::int32_t, std::size_t> sent_;
  nghttp2_session* h2_ = nullptr;
};

// `serve(socket)` for each connection, on one loop, for ever.
template <class Serve>
Awaitable<void> accept(Acceptor& acceptor, asio::io_context& context, Serve serve) {
  for (;;) {
    Tcp socket(context);
    co_await acceptor.async_accept(socket, kAwait);
    socket.set_option(asio::ip::tcp::no_delay(true));
    asio::co_spawn(context, serve(std::move(socket)), asio::detached);
  }
}

template <class Serve>
[[noreturn]] void serve_port(asio::io_context& context, int port, Serve serve) {
  Acceptor acceptor(context,
                    asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port)));
  asio::co_spawn(context, accept(acceptor, context, std::move(serve)), asio::detached);
  context.run();
  std::exit(1);
}

}  // namespace holdfast::bench
