// A watch at the other end of a connection of its own, which a thread reads.
#pragma once

#include <coroutine>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "base/scheduler.h"
#include "state/store.h"

namespace holdfast::conformance {

// Events as they come over the wire.
class EventSource {
 public:
  virtual ~EventSource() = default;
  // Waits for the next one; nothing at the end. One thread's.
  virtual std::optional<state::WatchEvent> next() = 0;
  // Ends it. Any thread.
  virtual void stop() = 0;
};

class RemoteWatcher final : public state::Watcher {
 public:
  RemoteWatcher(std::unique_ptr<EventSource> source, Scheduler& loop);
  ~RemoteWatcher() override;

  Task<bool> wait() override;
  bool take(state::WatchEvent& event) override;
  void cancel() override;

 private:
  struct Waiting;

  void read();
  void wake();  // with the lock held

  const std::unique_ptr<EventSource> source_;
  Scheduler& loop_;
  std::mutex mutex_;
  std::deque<state::WatchEvent> events_;
  bool ended_ = false;
  bool cancelled_ = false;
  std::coroutine_handle<> waiter_ = nullptr;
  std::thread reader_;
};

}  // namespace holdfast::conformance
