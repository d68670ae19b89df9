// A watch: events from one stream after another, as they are asked for.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "calls.h"

namespace holdfast::detail {

// `next` is called when nothing is under way, by one thread at a time; what goes on from there is on the I/O thread.
// `cancel` and `resume` from any thread. While something is under way the object keeps itself.
class WatchCore final : public Event, public std::enable_shared_from_this<WatchCore> {
 public:
  using Next = std::optional<WatchEvent>;

  WatchCore(ScopePtr scope, pb::WatchRequest request);
  ~WatchCore() { canceller_.end(); }

  aio::Pending<Next> next();
  void cancel();
  std::string resume() const;

 private:
  enum class Step { opening, reading, finishing, paused };

  void happened(bool is_ok) noexcept override;
  void open();
  void read();
  void take_event();
  void take_end();
  // The event that its message stands for; nothing if nobody needs to know.
  std::optional<EventKind> kind_of_message() const;
  // These end what is under way; the coroutine that waited may ask for the next event at once.
  void give(Next event);
  void give_up(const ErrorPtr& error);

  const ScopePtr scope_;
  pb::WatchRequest request_;  // its `resume` is that of the stream
  Canceller canceller_;
  std::atomic<bool> is_wanted_ = true;
  bool is_over_ = false;
  bool has_begun_ = false;  // somebody was told so
  int failures_ = 0;        // in a row

  mutable std::mutex resume_mutex_;
  std::string resume_;  // of the last event

  std::shared_ptr<WatchCore> self_;
  std::shared_ptr<aio::detail::Promise<Next>> waiter_;
  Step step_ = Step::opening;
  std::shared_ptr<Stub> stub_;
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientAsyncReader<pb::WatchEvent>> stream_;
  pb::WatchEvent message_;
  grpc::Status status_;
};

}  // namespace holdfast::detail
