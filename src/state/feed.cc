#include "stores/memory/feed.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/number.h"
#include "base/random.h"
#include "state/keys.h"

namespace holdfast::stores::memory {

using state::WatchEvent;

Feed::Feed(FeedLimits limits) : limits_(limits), process_(fmt::format("{:016x}", random_u64())) {}

void Feed::publish(WatchEvent::Kind kind, std::string_view key, std::optional<state::Record> record) {
  auto event = std::make_shared<FeedEvent>();
  event->kind = kind;
  event->key = key;
  event->record = std::move(record);
  const std::lock_guard lock(mutex_);
  event->number = ++head_;
  ring_bytes_ += event->bytes();
  ring_.push_back(std::move(event));
  while (ring_.size() > limits_.ring_events_max || (ring_bytes_ > limits_.ring_bytes_max && ring_.size() > 1)) {
    ring_bytes_ -= ring_.front()->bytes();
    ring_.pop_front();
  }
  for (const auto& listener : listeners_) listener->wake();
}

std::uint64_t Feed::head() const {
  const std::lock_guard lock(mutex_);
  return head_;
}

std::optional<FeedEvents> Feed::since(std::uint64_t number) const {
  const std::lock_guard lock(mutex_);
  if (number > head_ || head_ - number > ring_.size()) return std::nullopt;
  return FeedEvents(ring_.end() - static_cast<std::ptrdiff_t>(head_ - number), ring_.end());
}

std::string Feed::token(std::uint64_t number) const { return fmt::format("{}.{}", process_, number); }

std::optional<std::uint64_t> Feed::parse_token(std::string_view token) const {
  if (!token.starts_with(process_)) return std::nullopt;
  token.remove_prefix(process_.size());
  if (!token.starts_with('.')) return std::nullopt;
  token.remove_prefix(1);
  std::uint64_t number = 0;
  return read_number(token, number) ? std::optional(number) : std::nullopt;
}

void Feed::add(std::shared_ptr<Listener> listener) {
  const std::lock_guard lock(mutex_);
  listeners_.push_back(std::move(listener));
}

void Feed::remove(const Listener* listener) {
  const std::lock_guard lock(mutex_);
  std::erase_if(listeners_, [listener](const auto& one) { return one.get() == listener; });
}

class MemoryWatcher final : public state::Watcher {
 public:
  MemoryWatcher(std::shared_ptr<Listener> listener, const state::WatchRequest& request)
      : listener_(std::move(listener)),
        prefix_(request.prefix),
        own_bytes_(request.own_bytes),
        hides_isolated_(request.hides_isolated),
        want_values_(request.want_values) {}
  ~MemoryWatcher() override { listener_->forget(this); }

  Task<Result<std::optional<WatchEvent>>> next() override {
    while (!cancelled_ && !lost_after_ && queue_.empty()) co_await Wait{*this};
    if (cancelled_) co_return std::nullopt;
    if (lost_after_) {
      WatchEvent event;
      event.kind = WatchEvent::Kind::resync;
      event.resume = listener_->feed_.token(*std::exchange(lost_after_, std::nullopt));
      co_return event;
    }
    const std::shared_ptr<const FeedEvent> front = std::move(queue_.front());
    queue_.pop_front();
    queue_bytes_ -= front->bytes();
    WatchEvent event;
    event.kind = front->kind;
    event.key = front->key;
    if (want_values_) event.record = front->record;
    event.resume = listener_->feed_.token(front->number);
    co_return event;
  }

  void cancel() override {
    cancelled_ = true;
    queue_.clear();
    if (!waiter_) return;
    // Posted, because the waiter may destroy what the caller of cancel() still uses.
    listener_->loop_.post([waiter = std::exchange(waiter_, nullptr)] { waiter.resume(); });
  }

  void offer(const std::shared_ptr<const FeedEvent>& event) {
    if (cancelled_ || !event->key.starts_with(prefix_)) return;
    if (!state::is_listable(event->key, own_bytes_, hides_isolated_)) return;
    const FeedLimits& limits = listener_->feed_.limits();
    if (queue_.size() >= limits.queue_events_max ||
        (queue_bytes_ + event->bytes() > limits.queue_bytes_max && !queue_.empty())) {
      return lose(event->number);
    }
    queue_bytes_ += event->bytes();
    queue_.push_back(event);
  }

  // Events up to `number` are gone.
  void lose(std::uint64_t number) {
    queue_.clear();
    queue_bytes_ = 0;
    lost_after_ = number;
  }

  bool is_ready() const { return waiter_ && (cancelled_ || lost_after_ || !queue_.empty()); }
  void resume() { std::exchange(waiter_, nullptr).resume(); }

 private:
  struct Wait {
    MemoryWatcher& watcher;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) noexcept { watcher.waiter_ = waiter; }
    void await_resume() const noexcept {}
  };

  std::shared_ptr<Listener> listener_;
  const std::string prefix_;
  const std::size_t own_bytes_;
  const bool hides_isolated_;
  const bool want_values_;
  bool cancelled_ = false;
  std::optional<std::uint64_t> lost_after_;  // a resync is due before what is queued
  std::deque<std::shared_ptr<const FeedEvent>> queue_;
  std::size_t queue_bytes_ = 0;
  std::coroutine_handle<> waiter_ = nullptr;
};

void Listener::wake() {
  if (awake_.exchange(true)) return;
  loop_.post([self = shared_from_this()] { self->drain(); });
}

std::unique_ptr<state::Watcher> Listener::watch(const state::WatchRequest& request) {
  if (!listening_) {
    listening_ = true;
    feed_.add(shared_from_this());
    position_ = feed_.head();
  } else {
    take();
  }
  auto watcher = std::make_unique<MemoryWatcher>(shared_from_this(), request);
  if (!request.resume.empty()) {
    const std::optional<std::uint64_t> number = feed_.parse_token(request.resume);
    // What came after position_ reaches this watcher with all the others.
    const auto missed = number && *number <= position_ ? feed_.since(*number) : std::nullopt;
    if (!missed) watcher->lose(position_);
    if (missed) {
      for (const auto& event : *missed)
        if (event->number <= position_) watcher->offer(event);
    }
  }
  watchers_.push_back(watcher.get());
  return watcher;
}

void Listener::drain() {
  awake_.store(false);
  if (closed_) return;
  take();
  resume_ready();
}

void Listener::take() {
  const std::optional<FeedEvents> events = feed_.since(position_);
  if (!events) {
    position_ = feed_.head();
    for (MemoryWatcher* watcher : watchers_) watcher->lose(position_);
  } else if (!events->empty()) {
    position_ = events->back()->number;
    for (const auto& event : *events)
      for (MemoryWatcher* watcher : watchers_) watcher->offer(event);
  }
  ready_.clear();
  for (MemoryWatcher* watcher : watchers_)
    if (watcher->is_ready()) ready_.push_back(watcher);
}

// Whoever is resumed may cancel or destroy any watcher, so the list is read anew each time.
void Listener::resume_ready() {
  while (!ready_.empty()) {
    MemoryWatcher* watcher = ready_.back();
    ready_.pop_back();
    if (watcher->is_ready()) watcher->resume();
  }
}

void Listener::forget(MemoryWatcher* watcher) {
  std::erase(watchers_, watcher);
  std::erase(ready_, watcher);
}

void Listener::close() {
  if (listening_) feed_.remove(this);
  closed_ = true;
  for (MemoryWatcher* watcher : watchers_) watcher->cancel();
}

}  // namespace holdfast::stores::memory
