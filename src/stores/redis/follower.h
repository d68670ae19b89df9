// The change feed of a component: hears which keys have changed (tracker.h), reads what they are now, and says so. On a
// thread and connections of its own, from the first watch on.
//
// Redis tells that a key has changed, not how: what is read is the record as it is some moment later. So changes that
// follow each other closely are one event, of the last; the events of a key are in order, because one reading of it
// follows the other, and the last event is the last state. A key that is gone has expired if it was last seen with a
// time to live that has passed; one that was never seen counts as deleted. A record that is the same as when it was
// last told of, its expiry included, is not told again.
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/alarm.h"
#include "net/loop_thread.h"
#include "state/feed.h"
#include "state/store.h"
#include "stores/redis/router.h"
#include "stores/redis/tracker.h"

namespace holdfast::stores::redis {

class RedisCore;
class RedisStore;

// Records as they were last told of, the latest few thousand of them.
class Told {
 public:
  static constexpr std::size_t kHalf = 8192;
  struct State {
    std::string etag;
    std::optional<WallTime> expires_at;
  };
  const State* find(const std::string& key) const;
  void put(const std::string& key, State state);
  void erase(const std::string& key);

 private:
  using Half = std::unordered_map<std::string, State>;
  Half recent_, older_;
};

class Follower {
 public:
  // `core` and `settings` outlive it. Nothing happens before the first cover().
  Follower(RedisCore& core, const RedisSettings& settings, Router::Tls tls);
  // No cover() is under way, and every listener of the feed is closed. Waits for its thread.
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  state::Feed& feed() { return feed_; }
  // Called on `origin`, any loop, and goes on there, after some seconds at most. From its success on, changes of keys
  // that begin with the prefix are in the feed if the feed wants them; with values, if that is asked for and the feed
  // wants them soon. Errors are those of Tracker::arrange().
  Task<Status> cover(std::string prefix, bool want_values, Scheduler& origin);

 private:
  struct Waiter {
    std::uint64_t asked;
    Arrival<Status> made;
  };
  static constexpr std::size_t kChangesMax = 65536;  // that wait to be read; more are told as a loss
  static constexpr std::size_t kBatch = 256;

  // All of it on the thread's loop.
  Task<Status> cover_here(std::string_view prefix, bool want_values);
  Task<void> keep_arranged();
  Task<Status> arrange();
  Task<void> read_changes();
  Task<void> read(std::vector<std::string> keys);
  void note(std::string_view key);
  void tell(std::string key, Result<std::optional<state::Record>> read, bool whole);
  void lose();
  bool wants_values() const;
  void answer(std::uint64_t asked, const Status& made);
  template <class Work>
  void run(Work work);
  Task<void> stop();

  RedisCore& core_;
  const RedisSettings& settings_;
  const Router::Tls tls_;
  state::Feed feed_;
  net::LoopThread thread_;
  net::Loop& loop_;

  PrefixCover cover_;
  std::uint64_t asked_ = 0;  // how often cover_ has grown
  std::uint64_t made_ = 0;   // up to which of them the servers tell
  std::vector<Waiter*> waiters_;
  SteadyTime values_until_{};          // whoever asks for values is about to watch
  std::unique_ptr<RedisStore> store_;  // of this thread
  std::unique_ptr<Tracker> tracker_;
  Alarm arranging_, reading_;
  std::deque<std::string> changed_;
  std::unordered_set<std::string_view> waiting_;  // into changed_
  Told told_;
  bool started_ = false;
  bool stopping_ = false;
  std::size_t running_ = 0;
  std::coroutine_handle<> ended_ = nullptr;
};

}  // namespace holdfast::stores::redis
