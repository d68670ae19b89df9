// The change feed of a store: what its writes announce, and the watchers that listen.
//
// Whoever learns of changes publishes them into one ring, bounded in events and bytes, the events of a key in the order
// of its writes. Nothing is published of keys that nobody watches. Each loop has a Listener that is woken by post()
// once for any number of events; it notes for each watcher which of them are its own, and the watcher takes them at its
// own pace. One that falls behind gets a `resync` in place of what it missed, and holds nothing but numbers meanwhile,
// so that slow watchers cost no more than the ring. A resume token is the feed's id and the number of an event.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/scheduler.h"
#include "state/store.h"
#include "state/watch_filter.h"

namespace holdfast::state {

struct FeedLimits {
  std::size_t ring_events_max = 8192;
  std::size_t ring_bytes_max = 16 << 20;
  std::size_t queue_events_max = 1024;   // of one watcher
  std::size_t kept_prefixes_max = 1024;  // that nobody watches any more, so that who comes back can go on
};

struct FeedEvent {
  std::uint64_t number = 0;
  WatchEvent::Kind kind = WatchEvent::Kind::put;  // `resync` is everybody's
  std::string key;
  std::optional<Record> record;  // with put
  bool has_value = false;        // the record is whole

  std::size_t bytes() const { return key.size() + (record ? record->value.size() : 0) + sizeof *this; }
};
using FeedEvents = std::vector<std::shared_ptr<const FeedEvent>>;

class Listener;

// Thread-safe.
class Feed {
 public:
  // `id` begins every token: a text without a dot. `head`: the number of the last event before this feed.
  explicit Feed(FeedLimits limits, std::string id = random_id(), std::uint64_t head = 0);
  static std::string random_id();

  // Whether an event of this key has to be published; it may be that nobody gets it.
  bool wants(std::string_view key) const { return filter_.may_match(key); }
  // Whether somebody may want its record whole; else its etag is enough.
  bool wants_values() const { return values_wanted_.load(std::memory_order_acquire) > 0; }
  // Gives the event the next number if it has none. Numbers rise.
  void publish(FeedEvent event);
  // Events may be missing from before now, for everybody.
  void publish_loss() { publish({.kind = WatchEvent::Kind::resync, .key = {}, .record = {}}); }
  // Nothing up to `number` will be published any more.
  void advance(std::uint64_t number);

  std::uint64_t head() const;  // number of the newest event
  // Makes `events` those after `number`, oldest first. False when some of them are gone.
  bool since(std::uint64_t number, FeedEvents& events) const;

  std::string token(std::uint64_t number) const;
  void append_token(std::string& out, std::uint64_t number) const;
  // Nothing for a text that is no token of this id.
  std::optional<std::uint64_t> parse_token(std::string_view token) const;

  const FeedLimits& limits() const { return limits_; }

 private:
  friend class Listener;
  // A prefix from when it is first watched until the ring has turned over once since its last watcher left.
  struct Interest {
    std::size_t watchers = 0;
    std::optional<std::uint64_t> since;  // events after this one were published
    bool values = false;                 // and puts have their values
    std::uint64_t left = 0;              // the latest Kept::leaving
  };
  struct Kept {
    std::string prefix;
    std::uint64_t leaving = 0;
    std::uint64_t head = 0;
  };

  // A listener is woken from the moment it is added until it is removed; one that was woken before may run after it.
  void add(std::shared_ptr<Listener> listener);
  void remove(const Listener* listener);
  void enter(std::string_view prefix, bool values);
  // Every write that did not see enter() has ended. The first event that is sure to be in the feed comes after the
  // number that this answers.
  std::uint64_t settle(std::string_view prefix);
  void leave(std::string_view prefix);
  // The three below with the lock held.
  void drop_oldest();
  void drop_stale();
  void trim();

  const FeedLimits limits_;
  const std::string id_;
  WatchFilter filter_;
  std::atomic<std::size_t> values_wanted_{0};
  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<const FeedEvent>> ring_;
  std::size_t ring_bytes_ = 0;
  std::uint64_t head_;
  std::uint64_t gone_;  // the ring has every event after this one
  std::map<std::string, Interest, std::less<>> interests_;
  std::deque<Kept> kept_;  // prefixes whose last watcher has left, oldest first; some are watched again
  std::uint64_t leavings_ = 0;
  std::vector<std::shared_ptr<Listener>> listeners_;
};

// A watcher of a feed.
class FeedWatcher final : public Watcher {
 public:
  FeedWatcher(std::shared_ptr<Listener> listener, const WatchRequest& request);
  ~FeedWatcher() override;

  Task<bool> wait() override;
  bool take(WatchEvent& event) override;
  void cancel() override;

  // Before the first event is taken. Whether the token could not be continued; then an engine that keeps a log may hand
  // over what came after the token, up to begin(), and nothing is lost.
  bool is_lost() const { return lost_after_.has_value(); }
  std::uint64_t begin() const { return begin_; }
  void continue_with(FeedEvents missed);

 private:
  friend class Listener;

  bool covers(const FeedEvent& event) const;
  // `at` counts the events of the listener's window.
  void offer(std::uint64_t at, const FeedEvent& event);
  void take_backlog(FeedEvents missed);
  void lose(std::uint64_t number);
  bool has_something() const;
  void tell(WatchEvent& event, const FeedEvent& from) const;
  void mark(WatchEvent& event, WatchEvent::Kind kind, std::uint64_t number) const;

  std::shared_ptr<Listener> listener_;
  const std::string prefix_;
  const std::size_t own_bytes_;
  const bool exact_;
  const bool hides_isolated_;
  const bool want_values_;
  bool cancelled_ = false;
  bool in_ready_ = false;
  std::size_t place_ = 0;                     // in its group
  std::uint64_t begin_ = 0;                   // events after this one come by the window
  std::optional<std::uint64_t> ready_after_;  // `ready` is due, before anything else
  std::optional<std::uint64_t> lost_after_;   // a resync is due before what is queued
  FeedEvents backlog_;                        // reversed
  std::vector<std::uint64_t> queue_;          // places in the window
  std::size_t queue_at_ = 0;                  // what of queue_ was taken
  std::coroutine_handle<> waiter_ = nullptr;
};

// The watchers of one store handle. Everything but wake() is for its loop's thread. Shared by the handle, its watchers
// and the feed, because posted work may come when the handle is gone. The feed outlives the handle, which calls
// close().
class Listener : public std::enable_shared_from_this<Listener> {
 public:
  Listener(Feed& feed, Scheduler& loop) : feed_(feed), loop_(loop) {}

  // Any thread, while the listener is in the feed's list, with the feed's lock held: a drain that has begun has not
  // taken the events yet. What comes in one turn of the loop is drained together, since a watcher is told of many at
  // hardly more than the cost of one; but where they come one by one, a turn is not waited for.
  void wake();

  // `settle` is called once the feed wants the keys: it returns when every write that may not know has ended.
  std::unique_ptr<FeedWatcher> watch(const WatchRequest& request, const std::function<void()>& settle);
  // Ends every watcher. Called once, before the loop goes.
  void close();

 private:
  friend class FeedWatcher;
  using Group = std::vector<FeedWatcher*>;
  using Groups = std::map<std::string, Group, std::less<>>;
  // Watchers that are woken in one turn of the loop, so that others get their turn.
  static constexpr std::size_t kTurn = 256;
  // Drains at once after one that was waited for and found one event.
  static constexpr int kAlone = 16;

  std::size_t drain();  // how many events
  void drain_turn();    // of everything that came in a turn
  // Notes what the feed has for each watcher, and says how many events that was.
  std::size_t take();
  void note(std::shared_ptr<const FeedEvent> noted);
  void offer_to(Group& group, const FeedEvent& event);
  void make_ready(FeedWatcher& watcher);
  void resume_ready();
  void forget(FeedWatcher& watcher);
  void stop_listening();
  Groups& groups_of(const FeedWatcher& watcher) { return watcher.exact_ ? exact_ : prefixes_; }
  const FeedEvent* at(std::uint64_t place) const;

  Feed& feed_;
  Scheduler& loop_;
  std::atomic<bool> awake_{false};  // a drain is posted
  int alone_ = 0;                   // so many more drains need not wait for others' events
  bool listening_ = false;
  bool closed_ = false;
  bool resuming_ = false;       // resume_ready() is posted
  std::uint64_t position_ = 0;  // the last event noted
  FeedEvents taken_;            // empty between calls of take(), for its memory
  Groups prefixes_;
  Groups exact_;
  std::deque<std::shared_ptr<const FeedEvent>> window_;  // events that some watcher wanted, bounded as the ring is
  std::size_t window_bytes_ = 0;
  std::uint64_t window_begin_ = 0;  // place of the first
  std::deque<FeedWatcher*> ready_;  // have something to say and somebody who waits
};

}  // namespace holdfast::state
