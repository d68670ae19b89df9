// Watches, in both forms. TEST_WATCH and TEST_RESUME say whether the store can watch, and go on; those through the gate
// lose their connections.
#include <thread>

#include "support.h"

namespace holdfast::test {
namespace {

using namespace std::chrono_literals;

// Whether the store knows what was missed.
bool can_resume() { return variable("TEST_RESUME") == "yes"; }

template <class Form>
class Watches : public OnStore<Form> {
 protected:
  void SetUp() override {
    if (variable("TEST_WATCH") == "yes") return;
    auto watch = this->store.watch();
    EXPECT_THROW(now(watch.next()), Unsupported);
    EXPECT_EQ(now(watch.next()), std::nullopt) << "it is over";
    GTEST_SKIP() << variable("TEST_STORE") << " cannot watch, and refuses";
  }
  // The next event of this kind and key.
  static WatchEvent until(auto& watch, EventKind kind, const std::string& key = {}) {
    while (auto event = now(watch.next()))
      if (event->kind == kind && event->key == key) return std::move(*event);
    ADD_FAILURE() << "the watch ended before";
    return {};
  }
};
TYPED_TEST_SUITE(Watches, Forms);

TYPED_TEST(Watches, EventsComeAsTheyHappen) {
  auto& store = this->store;
  const auto& key = this->key;
  auto watch = store.watch({.prefix = key});
  EXPECT_EQ(now(watch.next())->kind, EventKind::ready);
  const Written written = now(store.put(key + "/a", 1));
  const WatchEvent put = now(watch.next()).value();
  EXPECT_EQ(put.kind, EventKind::put);
  EXPECT_EQ(put.key, key + "/a");
  EXPECT_EQ(put.record->etag, written.etag);
  EXPECT_EQ(put.record->value, "");
  EXPECT_EQ(put.resume.empty(), !can_resume());
  EXPECT_EQ(watch.resume(), put.resume);
  now(store.erase(key + "/a"));
  this->until(watch, EventKind::deleted, key + "/a");
  now(store.put(key + "/b", 1, {.ttl = 100ms}));
  this->until(watch, EventKind::expired, key + "/b");
}

TYPED_TEST(Watches, OneKeyWithItsValues) {
  auto& store = this->store;
  const auto& key = this->key;
  auto watch = store.watch({.key = key, .values = true});
  EXPECT_EQ(now(watch.next())->kind, EventKind::ready);
  now(store.put(key + "x", "other"));
  now(store.put(key, "mine", {.tags = {{"color", "red"}}}));
  const WatchEvent put = now(watch.next()).value();
  EXPECT_EQ(put.key, key);
  EXPECT_EQ(put.record->value, "mine");
  EXPECT_EQ(put.record->tags, (Tags{{"color", "red"}}));
}

TYPED_TEST(Watches, GoOnBehindAnEvent) {
  auto& store = this->store;
  const auto& key = this->key;
  auto lost = store.watch({.prefix = key, .resume = "of-nobody.1"});
  EXPECT_EQ(now(lost.next())->kind, EventKind::resync);
  if (!can_resume()) return;
  std::string resume;
  {
    auto watch = store.watch({.prefix = key});
    now(watch.next());
    now(store.put(key + "1", 1));
    resume = this->until(watch, EventKind::put, key + "1").resume;
  }
  now(store.put(key + "2", 1));
  auto again = store.watch({.prefix = key, .resume = resume});
  EXPECT_EQ(now(again.next())->kind, EventKind::ready);
  EXPECT_EQ(now(again.next())->key, key + "2");
}

TYPED_TEST(Watches, SurviveLostConnectionsAndMissNothingInSilence) {
  const auto& key = this->key;
  typename TypeParam::Client through(variable("TEST_GATE"));
  auto watch = through.store(variable("TEST_STORE")).watch({.prefix = key, .values = true});
  EXPECT_EQ(now(watch.next())->kind, EventKind::ready);
  for (int i = 0; i < 3; ++i) {
    const std::string name = key + std::to_string(i);
    ask("cut answer");
    now(this->store.put(name, std::string(100, 'v')));  // whose event is lost on its way
    const WatchEvent event = now(watch.next()).value();
    EXPECT_EQ(event.kind, can_resume() ? EventKind::put : EventKind::resync);
    EXPECT_EQ(event.key, can_resume() ? name : "");
    ask("is cut");
  }
}

TYPED_TEST(Watches, EndWhenTheyAreCancelledOrTheirClientIsClosed) {
  auto watch = this->store.watch({.prefix = this->key});
  EXPECT_EQ(now(watch.next())->kind, EventKind::ready);
  std::thread canceller([&watch] { watch.cancel(); });
  EXPECT_EQ(now(watch.next()), std::nullopt);
  canceller.join();
  EXPECT_EQ(now(watch.next()), std::nullopt);

  auto other = this->store.watch({.prefix = this->key});
  EXPECT_EQ(now(other.next())->kind, EventKind::ready);
  this->client.close();
  EXPECT_THROW(now(other.next()), Cancelled);
  EXPECT_EQ(now(other.next()), std::nullopt);
}

TYPED_TEST(Watches, MoreOfThemThanAConnectionTakes) {
  auto& store = this->store;
  std::vector<typename TypeParam::Watch> watches;
  for (int i = 0; i < 250; ++i) {
    watches.push_back(store.watch({.prefix = this->key}));
    ASSERT_EQ(now(watches.back().next())->kind, EventKind::ready);
  }
  now(store.put(this->key, 1));
  for (auto& watch : watches) EXPECT_EQ(now(watch.next())->key, this->key);
}

TYPED_TEST(Watches, NobodyThereIsAnErrorOnlyBeforeTheyBegan) {
  typename TypeParam::Client lost("127.0.0.1:1", {.retry = {.attempts = 2, .first_delay = 1ms}});
  auto watch = lost.store("mem").watch();
  EXPECT_THROW(now(watch.next()), Unavailable);
  auto wrong = this->client.store("nowhere").watch();
  EXPECT_THROW(now(wrong.next()), StoreNotFound);
}

// On its own sidecar, which the test restarts.
template <class Form>
class WatchRestarts : public testing::Test {};
TYPED_TEST_SUITE(WatchRestarts, Forms);

TYPED_TEST(WatchRestarts, ASidecarThatStartsAgainIsFoundAndNothingMissedInSilence) {
  typename TypeParam::Client client(variable("TEST_MORTAL"),
                                    {.timeout = 30s, .retry = {.attempts = 3, .max_delay = 100ms}});
  for (const std::string name : {"mem", "lite"}) {
    auto store = client.store(name);
    const std::string key = own_key();
    auto watch = store.watch({.prefix = key});
    ASSERT_EQ(now(watch.next())->kind, EventKind::ready);
    now(store.put(key + "1", 1));
    ASSERT_EQ(now(watch.next())->key, key + "1");
    ask("restart");
    now(store.put(key + "2", 2));
    auto event = now(watch.next()).value();
    if (event.kind == EventKind::resync) {
      EXPECT_EQ(now(store.get(key + "2"))->integer(), 2);
    } else {
      EXPECT_EQ(event.key, key + "2") << "it went on where it was";
    }
    now(store.put(key + "3", 3));
    while (event.key != key + "3") event = now(watch.next()).value();
  }
}

aio::Task<std::vector<std::string>> keys_of(aio::Watch& watch, int count) {
  std::vector<std::string> keys;
  while (count-- > 0) {
    const auto event = co_await watch.next();
    keys.push_back(event->key);
  }
  co_return keys;
}

class AwaitedWatches : public OnStore<AwaitedForm> {};

TEST_F(AwaitedWatches, EventsAreAwaited) {
  if (variable("TEST_WATCH") != "yes") GTEST_SKIP() << variable("TEST_STORE") << " cannot watch";
  auto watch = store.watch({.prefix = key});
  EXPECT_EQ(watch.next().get()->kind, EventKind::ready);
  auto keys = aio::spawn(keys_of(watch, 20));
  std::vector<std::string> wanted;
  for (int i = 10; i < 30; ++i) {
    wanted.push_back(key + std::to_string(i));
    store.put(wanted.back(), 1).get();
  }
  EXPECT_THAT(keys.get(), testing::UnorderedElementsAreArray(wanted));
}

TEST(BlockingWatches, AreRanges) {
  if (variable("TEST_WATCH") != "yes") GTEST_SKIP() << variable("TEST_STORE") << " cannot watch";
  Client client(variable("TEST_ADDRESS"));
  auto store = client.store(variable("TEST_STORE"));
  const std::string key = own_key();
  std::vector<std::string> keys;
  auto watch = store.watch({.prefix = key});
  for (const WatchEvent& event : watch) {
    keys.push_back(event.key);
    if (event.kind == EventKind::ready)
      store.batch_write({Put{.key = key + "a", .value = 1}, Put{.key = key + "b", .value = 1}});
    if (keys.size() == 3) watch.cancel();
  }
  EXPECT_THAT(keys, testing::UnorderedElementsAre("", key + "a", key + "b"));
}

}  // namespace
}  // namespace holdfast::test
