// Asio's side of Loop and of sockets, for the few units in net/ that do I/O.
#pragma once

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <coroutine>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "net/loop.h"

namespace holdfast::net {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;
using Executor = asio::io_context::executor_type;
// TCP and Unix sockets alike.
using Socket = asio::basic_stream_socket<asio::generic::stream_protocol, Executor>;
using Timer =
    asio::basic_waitable_timer<std::chrono::steady_clock, asio::wait_traits<std::chrono::steady_clock>, Executor>;

struct Loop::Impl {
  asio::io_context context{1};
  asio::executor_work_guard<Executor> guard{context.get_executor()};
  std::unordered_map<TimerId, Timer> timers;
  TimerId last_timer = 0;
  Timer tick{context};
  SteadyTime coarse_now = std::chrono::steady_clock::now();
  std::string date_line;
  std::int64_t date_second = 0;
  std::thread::id thread;
  bool in_turn = false;    // inside a Turn
  std::vector<Work> soon;  // until it ends

  void on_tick();
};

// A callback of the loop that runs on this thread, at whose end soon() runs.
class Turn {
 public:
  Turn() : loop_(current_) {
    if (loop_ != nullptr) loop_->in_turn = true;
  }
  ~Turn() {
    if (loop_ == nullptr) return;
    if (!loop_->soon.empty()) run_soon(*loop_);
    loop_->in_turn = false;
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  static void of_this_thread(Loop::Impl* loop) { current_ = loop; }

 private:
  static void run_soon(Loop::Impl& loop);

  static thread_local Loop::Impl* current_;
  Loop::Impl* const loop_;
};

struct Transfer {
  ErrorCode error;
  std::size_t bytes = 0;
};

// co_await read_some{socket, data, size}: the bytes that arrive next. No coroutine of its own, no allocation.
class read_some {
 public:
  read_some(Socket& socket, char* data, std::size_t size) : socket_(socket), data_(data), size_(size) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    socket_.async_read_some(asio::buffer(data_, size_), [this, waiter](ErrorCode error, std::size_t bytes) {
      result_ = {error, bytes};
      const Turn turn;
      waiter.resume();
    });
  }
  Transfer await_resume() const noexcept { return result_; }

 private:
  Socket& socket_;
  char* data_;
  std::size_t size_;
  Transfer result_;
};

// co_await writable{socket}: the socket buffer has room again, or the socket failed.
class writable {
 public:
  explicit writable(Socket& socket) : socket_(socket) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    socket_.async_wait(Socket::wait_write, [this, waiter](ErrorCode error) {
      error_ = error;
      waiter.resume();
    });
  }
  ErrorCode await_resume() const noexcept { return error_; }

 private:
  Socket& socket_;
  ErrorCode error_;
};

}  // namespace holdfast::net
