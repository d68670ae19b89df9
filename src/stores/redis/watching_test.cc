// Watching on real servers: what others write, what tells a deletion from an expiry, and that nothing is lost in
// silence.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "state/keys.h"
#include "stores/redis/store_testing.h"
#include "stores/redis/tracker.h"
#include "support/eventually.h"
#include "support/redis_cluster.h"
#include "support/redis_servers.h"
#include "support/test_loop.h"

namespace holdfast::stores::redis {
namespace {

using state::WatchEvent;
using test::ServerKind;
using Kind = WatchEvent::Kind;

TEST(PrefixCover, HoldsNoPrefixThatAnotherBegins) {
  PrefixCover cover;
  EXPECT_FALSE(cover.covers("a"));
  EXPECT_TRUE(cover.add("ab"));
  EXPECT_FALSE(cover.add("ab"));
  EXPECT_FALSE(cover.add("abc"));
  EXPECT_TRUE(cover.add("x"));
  EXPECT_TRUE(cover.covers("abz"));
  EXPECT_FALSE(cover.covers("a"));
  EXPECT_TRUE(cover.add("a"));
  EXPECT_EQ(std::vector<std::string>(cover.prefixes().begin(), cover.prefixes().end()),
            (std::vector<std::string>{"x", "a"}));
}

TEST(PrefixCover, OfTooManyIsWhatAllBeginWith) {
  PrefixCover cover;
  for (std::size_t i = 0; i < PrefixCover::kPrefixesMax; ++i)
    EXPECT_TRUE(cover.add("app||" + std::string(1, static_cast<char>('A' + i))));
  EXPECT_TRUE(cover.add("app||zz"));
  ASSERT_EQ(cover.prefixes().size(), 1U);
  EXPECT_EQ(cover.prefixes().front(), "app||");
  EXPECT_TRUE(cover.add("other"));
  EXPECT_TRUE(cover.add(""));
  EXPECT_TRUE(cover.covers("anything"));
  EXPECT_EQ(cover.prefixes().size(), 1U);
}

state::SetRequest save(std::string_view key, std::string_view value, std::optional<Milliseconds> ttl = std::nullopt) {
  state::SetRequest request;
  request.key = key;
  request.value = value;
  request.ttl = ttl;
  return request;
}

// A handle on a store, and what it watches.
class Handle {
 public:
  explicit Handle(std::shared_ptr<state::StoreCore> core) {
    auto opened = test::LoopStore::open(std::move(core), there_, here_);
    if (!opened) throw std::runtime_error(opened.error().message);
    store_ = std::move(*opened);
  }
  ~Handle() {
    (void)run(store_->close({}));
    store_ = nullptr;
  }
  template <class T>
  T run(Task<T> task) {
    return here_.run(std::move(task));
  }
  state::StateStore& store() { return *store_; }
  bool put(const std::string& key, const std::string& value, std::optional<Milliseconds> ttl = std::nullopt) {
    return run(store_->set({}, save(key, value, ttl))).has_value();
  }
  Result<std::unique_ptr<state::Watcher>> watch(const std::string& prefix, const std::string& resume = "") {
    return run(
        store_->watch({}, {.prefix = prefix, .own_bytes = state::kEveryKey, .resume = resume, .want_values = true}));
  }

 private:
  test::TestLoop here_;
  test::LoopThread there_;
  std::unique_ptr<state::StateStore> store_;
};

// A watch that is in place.
class Watching {
 public:
  Watching(Handle& handle, const std::string& prefix, const std::string& resume = "") : handle_(handle) {
    auto watcher = handle.watch(prefix, resume);
    if (!watcher) throw std::runtime_error(watcher.error().message);
    watcher_ = std::move(*watcher);
    first = next();
  }
  WatchEvent next() {
    auto event = handle_.run(watcher_->next());
    if (!event || !*event) throw std::runtime_error("the watch ended");
    return std::move(**event);
  }
  WatchEvent until(Kind kind) {
    for (;;)
      if (WatchEvent event = next(); event.kind == kind) return event;
  }
  WatchEvent until_value(const std::string& key, std::string_view value) {
    for (;;)
      if (WatchEvent event = next(); event.key == key && event.record && event.record->value == value) return event;
  }

  WatchEvent first;

 private:
  Handle& handle_;
  std::unique_ptr<state::Watcher> watcher_;
};

class RedisWatch : public testing::TestWithParam<ServerKind> {
 protected:
  void SetUp() override {
    HOLDFAST_NEEDS_SERVER(GetParam());
    server_.emplace(test::RedisOptions{.kind = GetParam()});
    core_ = core_of({{"redisHost", server_->address()}, {"readTimeout", "2s"}});
    handle_.emplace(core_);
  }
  test::RedisServer& server() { return *server_; }
  Handle& handle() { return *handle_; }
  const std::shared_ptr<state::StoreCore>& core() { return core_; }
  void must(const std::vector<std::string>& words) { server().must(words); }
  // The id of the connection that hears of changes; empty: there is none.
  std::string tracking_client() {
    const std::string list(server().must({"CLIENT", "LIST"}).text());
    const std::size_t name = list.find("name=holdfast-redis-watch");
    if (name == std::string::npos) return "";
    const std::size_t line = list.rfind("id=", name);
    return list.substr(line + 3, list.find(' ', line) - line - 3);
  }

 private:
  std::optional<test::RedisServer> server_;
  std::shared_ptr<state::StoreCore> core_;
  std::optional<Handle> handle_;
};

INSTANTIATE_TEST_SUITE_P(Servers, RedisWatch, testing::Values(ServerKind::redis, ServerKind::valkey),
                         [](const auto& info) {
                           return std::string(info.param == ServerKind::redis ? "Redis" : "Valkey");
                         });

TEST_P(RedisWatch, WhatOthersWriteInDaprsLayoutIsTold) {
  Watching watching(handle(), "app||");
  must({"HSET", "app||a", "data", "1", "version", "1"});
  const WatchEvent first = watching.next();
  EXPECT_EQ(first.kind, Kind::put);
  EXPECT_EQ(first.key, "app||a");
  EXPECT_EQ(first.record->value, "1");
  EXPECT_EQ(first.record->etag, "1");
  must({"SET", "app||legacy", "old"});
  EXPECT_EQ(watching.next().record->value, "old");
  must({"RPUSH", "app||list", "1"});  // no record
  must({"HSET", "other||a", "data", "1", "version", "1"});
  must({"DEL", "app||a"});
  const WatchEvent gone = watching.next();
  EXPECT_EQ(gone.kind, Kind::erase);
  EXPECT_EQ(gone.key, "app||a");
}

// Dapr counts from 1 again: the same version is not the same record.
TEST_P(RedisWatch, ARecordOfDaprThatIsMadeAgainIsToldThoughItsVersionIsTheSame) {
  Watching watching(handle(), "app||");
  must({"HSET", "app||a", "data", "1", "version", "1"});
  watching.until_value("app||a", "1");
  must({"MULTI"});
  must({"DEL", "app||a"});
  must({"HSET", "app||a", "data", "2", "version", "1"});
  must({"EXEC"});
  EXPECT_EQ(watching.until_value("app||a", "2").record->etag, "1");
}

TEST_P(RedisWatch, WhatExpiresIsToldFromWhatIsDeleted) {
  Watching watching(handle(), "app||");
  for (const char* key : {"app||a", "app||b"}) {
    ASSERT_TRUE(handle().put(key, "v", Milliseconds(60'000)));
    watching.until_value(key, "v");
  }
  must({"UNLINK", "app||a"});
  const WatchEvent erased = watching.next();
  EXPECT_EQ(erased.kind, Kind::erase);
  EXPECT_EQ(erased.key, "app||a");
  ASSERT_TRUE(handle().put("app||b", "w", Milliseconds(300)));
  watching.until_value("app||b", "w");
  const WatchEvent expired = watching.next();
  EXPECT_EQ(expired.kind, Kind::expire);
  EXPECT_EQ(expired.key, "app||b");
}

// Who keeps a record has to know.
TEST_P(RedisWatch, AnotherTimeToLiveAloneIsAChange) {
  Watching watching(handle(), "app||");
  ASSERT_TRUE(handle().put("app||a", "v"));
  EXPECT_FALSE(watching.until_value("app||a", "v").record->expires_at);
  must({"PEXPIRE", "app||a", "100000"});
  EXPECT_TRUE(watching.until_value("app||a", "v").record->expires_at);
  must({"PERSIST", "app||a"});
  EXPECT_FALSE(watching.until_value("app||a", "v").record->expires_at);
}

TEST_P(RedisWatch, ARecordThatIsTouchedAndTheSameIsNotToldAgain) {
  Watching watching(handle(), "app||");
  ASSERT_TRUE(handle().put("app||a", "v"));
  watching.until_value("app||a", "v");
  must({"HSET", "app||a", "data", "v"});
  ASSERT_TRUE(handle().put("app||b", "v"));
  EXPECT_EQ(watching.next().key, "app||b");
}

TEST_P(RedisWatch, AFlushIsAResync) {
  Watching watching(handle(), "app||");
  must({"FLUSHALL"});
  EXPECT_EQ(watching.next().kind, Kind::resync);
  must({"HSET", "app||a", "data", "1", "version", "1"});
  watching.until_value("app||a", "1");
}

TEST_P(RedisWatch, ALostConnectionIsAResyncAndTheWatchGoesOn) {
  Watching watching(handle(), "app||");
  for (int round = 0; round < 3; ++round) {
    std::string client;
    test::require_eventually("the watch is connected", [&] { return !(client = tracking_client()).empty(); });
    must({"CLIENT", "KILL", "ID", client});
    watching.until(Kind::resync);  // at once
    watching.until(Kind::resync);  // and when it hears again
    const std::string value = std::to_string(round);
    must({"HSET", "app||a", "data", value, "version", value});
    watching.until_value("app||a", value);
  }
}

TEST_P(RedisWatch, AServerThatIsStartedAgainIsAResyncAndTheWatchGoesOn) {
  Watching watching(handle(), "app||");
  server().kill();
  watching.until(Kind::resync);
  server().restart();
  watching.until(Kind::resync);
  must({"HSET", "app||a", "data", "1", "version", "1"});
  watching.until_value("app||a", "1");
}

// It stays connected and says nothing: found by asking.
TEST_P(RedisWatch, AServerThatFallsSilentIsAResync) {
  Watching watching(handle(), "app||");
  server().pause();
  watching.until(Kind::resync);
  server().resume();
  watching.until(Kind::resync);
  must({"HSET", "app||a", "data", "1", "version", "1"});
  watching.until_value("app||a", "1");
}

TEST_P(RedisWatch, PrefixesMayHoldEachOther) {
  Watching inner(handle(), "app||a||b");
  Watching other(handle(), "app||c");
  Watching outer(handle(), "app||");
  Watching all(handle(), "");
  must({"HSET", "app||a||b1", "data", "1", "version", "1"});
  for (Watching* one : {&inner, &outer, &all}) EXPECT_EQ(one->next().key, "app||a||b1");
  must({"HSET", "app||c", "data", "1", "version", "1"});
  for (Watching* one : {&other, &outer, &all}) EXPECT_EQ(one->next().key, "app||c");
  must({"HSET", "elsewhere", "data", "1", "version", "1"});
  EXPECT_EQ(all.next().key, "elsewhere");
}

TEST_P(RedisWatch, ManyPrefixesAreWatchedOneByOne) {
  std::vector<std::unique_ptr<Watching>> watches;
  const auto key = [](std::size_t i) { return "app||user:" + std::to_string(1000 + i); };
  for (std::size_t i = 0; i < 3 * PrefixCover::kPrefixesMax; ++i)
    watches.push_back(std::make_unique<Watching>(handle(), key(i)));
  for (std::size_t i = 0; i < watches.size(); ++i) {
    must({"HSET", key(i), "data", "1", "version", "1"});
    EXPECT_EQ(watches[i]->next().key, key(i));
  }
}

TEST_P(RedisWatch, OneLoopsTokenContinuesOnAnother) {
  std::string token;
  {
    Watching watching(handle(), "app||");
    must({"HSET", "app||a", "data", "1", "version", "1"});
    token = watching.next().resume;
  }
  must({"HSET", "app||b", "data", "2", "version", "1"});
  must({"DEL", "app||a"});
  Handle other(core());
  Watching watching(other, "app||", token);
  EXPECT_EQ(watching.first.kind, Kind::ready);
  EXPECT_EQ(watching.next().key, "app||b");
  const WatchEvent gone = watching.next();
  EXPECT_EQ(gone.kind, Kind::erase);
  EXPECT_EQ(gone.key, "app||a");
}

TEST_P(RedisWatch, OfAStormEveryKeysLastStateIsTold) {
  Watching watching(handle(), "app||");
  constexpr int kKeys = 100;  // all events together fit into the queue of a watcher that does not read
  constexpr int kRounds = 9;
  for (int round = 1; round <= kRounds; ++round) {
    std::vector<std::string> keys;
    std::vector<state::SetRequest> requests;
    for (int i = 0; i < kKeys; ++i) keys.push_back("app||" + std::to_string(i));
    const std::string value = std::to_string(round);
    for (const std::string& key : keys) requests.push_back(save(key, value));
    for (const auto& written : handle().run(handle().store().set_many({}, requests))) ASSERT_TRUE(written);
  }
  std::map<std::string, int> last;
  int finished = 0;
  while (finished < kKeys) {
    const WatchEvent event = watching.next();
    ASSERT_EQ(event.kind, Kind::put);
    const int value = std::stoi(event.record->value);
    EXPECT_GT(value, last[event.key]) << "in the order of its writes, and none twice";
    last[event.key] = value;
    if (value == kRounds) ++finished;
  }
}

TEST_P(RedisWatch, AUserWithoutTheRightIsToldSo) {
  must({"ACL", "SETUSER", "small", "on", ">secret", "~*", "+@all", "-client|tracking"});
  Handle small(core_of({{"redisHost", server().address()}, {"redisUsername", "small"}, {"redisPassword", "secret"}}));
  const auto refused = small.watch("app||");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::denied);
  EXPECT_TRUE(refused.error().message.contains("cannot watch keys")) << refused.error().message;
  must({"ACL", "SETUSER", "small", "+client|tracking"});
  // An attempt to connect that began without the right may still be under way.
  test::require_eventually("the right is there", [&] { return small.watch("app||").has_value(); });
  Watching watching(small, "app||");
  must({"HSET", "app||a", "data", "1", "version", "1"});
  EXPECT_EQ(watching.next().key, "app||a");
}

TEST(RedisWatchInACluster, EveryMasterTellsAndAFailOverIsAResync) {
  HOLDFAST_NEEDS_SERVER(ServerKind::redis);
  test::RedisCluster cluster;
  Handle handle(core_of({{"redisHost", joined(cluster.addresses())}, {"redisType", "cluster"}, {"readTimeout", "2s"}}));
  Watching watching(handle, "");
  const auto put = [&](const std::string& key, const std::string& value) {
    for (;;) {
      if (handle.put(key, value)) return;
    }
  };
  for (int i = 0; i < 12; ++i) {
    put("k" + std::to_string(i), "1");
    watching.until_value("k" + std::to_string(i), "1");
  }
  const std::uint16_t slot = cluster.slot_of("k1");
  test::RedisServer& to = &cluster.master_of(slot) == &cluster.node(0) ? cluster.node(1) : cluster.node(0);
  cluster.move_slot(slot, to);
  put("k1", "2");
  watching.until_value("k1", "2");

  to.kill();
  watching.until(Kind::resync);
  cluster.wait_for_failover(slot, to);
  // The new master tells once it was found, which is said by another.
  watching.until(Kind::resync);
  put("k1", "3");
  watching.until_value("k1", "3");
}

}  // namespace
}  // namespace holdfast::stores::redis
