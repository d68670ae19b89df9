#include "conformance/remote/watcher.h"

#include <utility>

namespace holdfast::conformance {

// co_await: until there is an event, or the end.
struct RemoteWatcher::Waiting {
  RemoteWatcher& watcher;
  bool await_ready() const noexcept { return false; }
  bool await_suspend(std::coroutine_handle<> waiter) const {
    const std::lock_guard lock(watcher.mutex_);
    if (watcher.ended_ || watcher.cancelled_ || !watcher.events_.empty()) return false;
    watcher.waiter_ = waiter;
    return true;
  }
  void await_resume() const noexcept {}
};

RemoteWatcher::RemoteWatcher(std::unique_ptr<EventSource> source, Scheduler& loop)
    : source_(std::move(source)), loop_(loop), reader_([this] { read(); }) {}

RemoteWatcher::~RemoteWatcher() {
  source_->stop();
  reader_.join();
}

void RemoteWatcher::read() {
  while (auto event = source_->next()) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(*event));
    wake();
  }
  const std::lock_guard lock(mutex_);
  ended_ = true;
  wake();
}

void RemoteWatcher::wake() {
  if (waiter_) loop_.post([waiter = std::exchange(waiter_, nullptr)] { waiter.resume(); });
}

Task<bool> RemoteWatcher::wait() {
  co_await Waiting{*this};
  const std::lock_guard lock(mutex_);
  co_return !cancelled_ && !events_.empty();
}

bool RemoteWatcher::take(state::WatchEvent& event) {
  const std::lock_guard lock(mutex_);
  if (cancelled_ || events_.empty()) return false;
  event = std::move(events_.front());
  events_.pop_front();
  return true;
}

void RemoteWatcher::cancel() {
  const std::lock_guard lock(mutex_);
  cancelled_ = true;
  wake();
}

}  // namespace holdfast::conformance
