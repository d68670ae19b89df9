// The answer of one HTTP/1.1 request that comes in pieces. The connection is of no further use behind it. Internal to net/.
#pragma once

#include <coroutine>
#include <string>

#include "net/connection.h"
#include "net/handler.h"

namespace holdfast::net {

class Http1Stream final : public BodyStream {
 public:
  // `cancel` is set when the client has gone. Everything outlives this.
  Http1Stream(Connection& connection, http::Request& request, bool chunked, Cancellation& cancel);
  ~Http1Stream() override;

  Task<std::optional<std::string>> read() override;
  http::HeaderLines& head_fields() override { return head_; }
  bool write(std::string bytes, std::string_view content_type) override;
  std::size_t unsent() const override { return out_.size() + sending_.size(); }
  Task<bool> sent() override;
  void on_end(std::move_only_function<void()> work) override;

  bool has_begun() const { return begun_; }
  // Ends the answer and our side of the connection, and waits until the client has ended its own, for a moment at most.
  Task<void> finish();

 private:
  // Reads what a client has no business to send, to learn when it goes.
  Task<void> listen();
  void send();
  Task<void> send_rest();
  void tell_end();
  void gone();
  void task_over();

  Connection& connection_;
  http::Request& request_;
  const bool chunked_;
  Cancellation& cancel_;
  http::HeaderLines head_;
  bool begun_ = false;
  bool gone_ = false;
  bool writing_ = false;
  int tasks_ = 0;  // listen() and send_rest(), while they run
  std::string out_;
  std::string sending_;  // what send_rest() is about
  std::move_only_function<void()> on_end_;
  std::coroutine_handle<> sender_ = nullptr;  // waits in sent()
  std::coroutine_handle<> ended_ = nullptr;   // waits in finish() for the tasks
};

}  // namespace holdfast::net
