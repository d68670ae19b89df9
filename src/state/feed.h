// The change feed: what every write of the store announces, and the watchers that listen.
//
// Writers append to one ring, bounded in events and bytes, while they hold the lock of the key's
// shard; so the events of a key are in the order of its writes. Each loop has a Listener that is
// woken by post() once for any number of events and hands them to the queues of its watchers. A
// watcher that falls behind (its queue or the ring overflows) gets one `resync` in place of what it
// missed. A resume token is the process's id and the number of an event: a token of another
// process, or one the ring no longer reaches, answers `resync`.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/scheduler.h"
#include "state/store.h"

namespace holdfast::stores::memory {

struct FeedLimits {
  std::size_t ring_events_max = 8192;
  std::size_t ring_bytes_max = 16 << 20;
  std::size_t queue_events_max = 1024;  // of one watcher
  std::size_t queue_bytes_max = 16 << 20;
};

struct FeedEvent {
  std::uint64_t number = 0;
  state::WatchEvent::Kind kind = state::WatchEvent::Kind::put;
  std::string key;
  std::optional<state::Record> record;  // with put

  std::size_t bytes() const { return key.size() + (record ? record->value.size() : 0) + sizeof *this; }
};
using FeedEvents = std::vector<std::shared_ptr<const FeedEvent>>;

class Listener;

// Thread-safe.
class Feed {
 public:
  explicit Feed(FeedLimits limits);

  // False until somebody watches: until then writers announce nothing, and pay one load.
  bool is_active() const { return active_.load(std::memory_order_acquire); }
  // Makes writers announce. True when they did not do so before: a write that is under way may
  // still not.
  bool activate() { return !active_.exchange(true); }
  void publish(state::WatchEvent::Kind kind, std::string_view key, std::optional<state::Record> record);

  std::uint64_t head() const;  // number of the newest event
  // The events after `number`, oldest first; nothing when some of them are gone.
  std::optional<FeedEvents> since(std::uint64_t number) const;

  std::string token(std::uint64_t number) const;
  // Nothing for a text that no feed of this process gave out.
  std::optional<std::uint64_t> parse_token(std::string_view token) const;

  // A listener is woken from the moment it is added until it is removed.
  void add(std::shared_ptr<Listener> listener);
  void remove(const Listener* listener);

  const FeedLimits& limits() const { return limits_; }

 private:
  const FeedLimits limits_;
  const std::string process_;
  std::atomic<bool> active_{false};
  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<const FeedEvent>> ring_;
  std::size_t ring_bytes_ = 0;
  std::uint64_t head_ = 0;
  std::vector<std::shared_ptr<Listener>> listeners_;
};

class MemoryWatcher;

// The watchers of one store handle. Everything but wake() is for its loop's thread. Shared by the
// handle, its watchers and the feed, because posted work may come when the handle is gone.
class Listener : public std::enable_shared_from_this<Listener> {
 public:
  Listener(Feed& feed, Scheduler& loop) : feed_(feed), loop_(loop) {}

  // Any thread, while the listener is in the feed's list.
  void wake();

  std::unique_ptr<state::Watcher> watch(const state::WatchRequest& request);
  // Ends every watcher. Called once, before the loop goes.
  void close();

 private:
  friend class MemoryWatcher;
  void drain();
  // Takes what the feed has into the watchers' queues.
  void take();
  void resume_ready();
  void forget(MemoryWatcher* watcher);

  Feed& feed_;
  Scheduler& loop_;
  std::atomic<bool> awake_{false};  // a drain is posted
  bool listening_ = false;
  bool closed_ = false;
  std::uint64_t position_ = 0;  // the last event handed to the watchers
  std::vector<MemoryWatcher*> watchers_;
  std::vector<MemoryWatcher*> ready_;  // have something to say and somebody who waits
};

}  // namespace holdfast::stores::memory
