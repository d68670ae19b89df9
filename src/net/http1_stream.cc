#include "net/http1_stream.h"

#include <array>

#include "base/parked.h"
#include "wire/http/http1.h"

namespace holdfast::net {

namespace {

constexpr std::size_t kQueueMax = 1 << 20;  // unread output

}  // namespace

Http1Stream::Http1Stream(Connection& connection, http::Request& request, bool chunked, Cancellation& cancel)
    : connection_(connection), request_(request), chunked_(chunked), cancel_(cancel) {
  connection_.on_drain([this] { tell_end(); });
}

Http1Stream::~Http1Stream() { connection_.on_drain(nullptr); }

Task<std::optional<std::string>> Http1Stream::read() {
  if (request_.body.empty()) co_return std::nullopt;
  co_return std::exchange(request_.body, {});
}

bool Http1Stream::write(std::string bytes, std::string_view content_type) {
  if (gone_ || unsent() + bytes.size() > kQueueMax) return false;
  if (!std::exchange(begun_, true)) {
    http::Response head;
    head.content_type = content_type;
    head.headers = std::exchange(head_, {});
    http::append_http1_stream_head(out_, head, chunked_, connection_.loop().date_line());
    ++tasks_;
    start(listen());
  }
  if (chunked_ && !bytes.empty()) http::wrap_http1_chunk(bytes);
  if (out_.empty()) {
    out_ = std::move(bytes);
  } else {
    out_ += bytes;
  }
  send();
  return !gone_;
}

void Http1Stream::send() {
  if (writing_ || gone_) return;
  bool failed = false;
  const std::size_t sent = connection_.write_now(out_, failed);
  if (failed) return gone();
  if (sent == out_.size() && !connection_.has_backlog())
    return std::string().swap(out_);  // it may be long until the next
  sending_ = out_.substr(sent);
  out_ = {};
  writing_ = true;
  ++tasks_;
  start(send_rest());
}

// A client that takes nothing for ServerOptions::write_timeout is cut off.
Task<void> Http1Stream::send_rest() {
  while (!gone_ && co_await connection_.write_all(sending_)) {
    sending_ = std::exchange(out_, {});
    if (!sending_.empty()) continue;
    connection_.expect_nothing();
    writing_ = false;
    if (sender_) connection_.loop().post([waiter = std::exchange(sender_, nullptr)] { waiter.resume(); });
    co_return task_over();
  }
  writing_ = false;
  gone();
  task_over();
}

void Http1Stream::on_end(std::move_only_function<void()> work) {
  if (work && connection_.draining()) return work();
  on_end_ = std::move(work);
}

Task<bool> Http1Stream::sent() {
  if (unsent() > 0 && !gone_) co_await Parked{sender_};
  co_return !gone_;
}

void Http1Stream::tell_end() {
  if (on_end_) std::exchange(on_end_, nullptr)();
}

void Http1Stream::gone() {
  gone_ = true;
  if (writing_) return connection_.close();  // which ends the writing, and that calls this again
  cancel_.requested = true;
  out_ = {};
  sending_ = {};
  tell_end();
  if (sender_) connection_.loop().post([waiter = std::exchange(sender_, nullptr)] { waiter.resume(); });
}

Task<void> Http1Stream::listen() {
  std::array<char, 16> unasked;  // in the frame, which lasts
  for (;;) {
    Transfer got;
    if (connection_.is_tls()) {
      got = co_await connection_.read(unasked.data(), unasked.size());
    } else {
      got = co_await read_some(connection_.socket(), unasked.data(), unasked.size());
    }
    if (got.error) break;
  }
  gone();
  task_over();
}

// The last thing that a task does: finish() may go on, and this be destroyed.
void Http1Stream::task_over() {
  if (--tasks_ == 0 && ended_) std::exchange(ended_, nullptr).resume();
}

Task<void> Http1Stream::finish() {
  on_end_ = nullptr;
  if (chunked_ && !gone_) {
    out_ += http::kLastChunk;
    send();
  }
  co_await sent();
  if (gone_) {
    connection_.close();
  } else {
    connection_.finish_sending();
  }
  if (tasks_ > 0) co_await Parked{ended_};
}

}  // namespace holdfast::net
