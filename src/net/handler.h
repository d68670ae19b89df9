// What a server calls for each request. One Handler object per loop, called only on it.
#pragma once

#include <optional>
#include <string>

#include "base/task.h"
#include "wire/http/message.h"

namespace holdfast::net {

// An HTTP/2 request whose body and answer flow at the same time (gRPC streams). Lives as long as the handler's
// task; after the client has gone, read() ends and write() drops.
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  // What has arrived since the last call, at least one byte; nothing when the client is done or gone.
  virtual Task<std::optional<std::string>> read() = 0;
  // Queues bytes of the answer. The first call sends the head: status 200 and `content_type`. False when the
  // client has gone or does not read: nothing more will be delivered.
  virtual bool write(std::string bytes, std::string_view content_type) = 0;
};

class Handler {
 public:
  virtual ~Handler() = default;
  // Fills `response`, which comes empty. Both live until the task ends. Whatever the task throws becomes a 500 with
  // close.
  virtual Task<void> handle(http::Request& request, http::Response& response) = 0;

  // Asked once the head of an HTTP/2 request is there: whether to call handle_stream now rather than handle
  // when the body is complete.
  virtual bool wants_stream(const http::Request& head) {
    (void)head;
    return false;
  }
  // The response's body is ignored once write() was called; its trailers end the stream.
  virtual Task<http::Response> handle_stream(http::Request& head, BodyStream& stream);

  // The whole answer when a bound was reached before the handler could be called.
  virtual http::Response overloaded(const http::Request& head);
};

}  // namespace holdfast::net
