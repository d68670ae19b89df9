// What a server calls for each request. One Handler object per loop, called only on it.
#pragma once

#include <exception>
#include <functional>
#include <optional>
#include <string>

#include "base/task.h"
#include "wire/http/message.h"

namespace holdfast::net {

// A request whose answer flows for as long as the handler has something to say (gRPC streams, server-sent events); over
// HTTP/2 the request's body does, too. Lives as long as the handler's task; after the client has gone, read() ends and
// write() drops.
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  // What has arrived since the last call, at least one byte; nothing when the client is done or gone.
  virtual Task<std::optional<std::string>> read() = 0;
  // Fields of the head, for before the first write().
  virtual http::HeaderLines& head_fields() = 0;
  // Queues bytes of the answer. The first call sends the head: status 200 and `content_type`. False when the
  // client has gone or does not read: nothing more will be delivered.
  virtual bool write(std::string bytes, std::string_view content_type) = 0;
  // Bytes that were written and have not left; they are held until the client takes them.
  virtual std::size_t unsent() const = 0;
  // Waits until all have left. False when nothing more will be delivered. Not beside read().
  virtual Task<bool> sent() = 0;
  // `work` is called once, when the client has gone or the server drains: the answer should come to its end. It must
  // not resume the handler inside the call. Null takes it back.
  virtual void on_end(std::move_only_function<void()> work) = 0;
};

class Handler {
 public:
  virtual ~Handler() = default;
  // Fills `response`, which comes empty. Both live until the task ends. Whatever the task throws becomes a 500 with
  // close.
  virtual Task<void> handle(http::Request& request, http::Response& response) = 0;

  // Whether to call handle_stream rather than handle. Over HTTP/2 asked once the head is there, over HTTP/1.1 when the
  // body is complete.
  virtual bool wants_stream(const http::Request& head) {
    (void)head;
    return false;
  }
  // As handle(). The response's body is ignored once write() was called; its trailers end the stream. Over HTTP/1.1,
  // which has no trailers, the connection ends with it.
  virtual Task<void> handle_stream(http::Request& head, BodyStream& stream, http::Response& response);

  // The whole answer when a bound was reached before the handler could be called.
  virtual http::Response overloaded(const http::Request& head);
};

// The answer where a handler threw, of which the log is told. Not inlined: a coroutine that lasts would keep room for
// what it makes.
[[gnu::noinline]] void answer_failure(http::Response& response, const std::exception& e);

}  // namespace holdfast::net
