// Watching a prefix. An engine may fold several writes of a key into one event, so cases wait for
// the last one.
#include <map>

#include "conformance/conformance.h"

namespace holdfast::conformance {
namespace {

using state::WatchEvent;

class Watching {
 public:
  Watching(Handle& store, std::string prefix, const std::string& resume = "", std::size_t own_bytes = 0)
      : store_(store), prefix_(std::move(prefix)) {
    state::WatchRequest request;
    request.prefix = prefix_;
    request.own_bytes = own_bytes;
    request.resume = resume;
    request.want_values = true;
    auto watcher = store.run(store.store().watch({}, request));
    if (!watcher) throw std::runtime_error("watch failed: " + watcher.error().message);
    watcher_ = std::move(*watcher);
    first_ = next();
    if (resume.empty()) EXPECT_EQ(first_.kind, WatchEvent::Kind::ready);
  }

  const WatchEvent& first() const { return first_; }

  WatchEvent next() {
    auto event = store_.run(watcher_->next());
    if (!event || !*event) throw std::runtime_error("the watch ended");
    return std::move(**event);
  }
  // Reads on until an event of this kind for this key.
  WatchEvent until(WatchEvent::Kind kind, const std::string& key) {
    for (;;) {
      WatchEvent event = next();
      EXPECT_TRUE(event.kind == WatchEvent::Kind::resync || event.key.starts_with(prefix_)) << event.key;
      if (event.kind == kind && event.key == key) return event;
    }
  }
  // Reads on until the key was put with this value.
  WatchEvent until_value(const std::string& key, std::string_view value) {
    for (;;) {
      WatchEvent event = until(WatchEvent::Kind::put, key);
      if (event.record && event.record->value == value) return event;
    }
  }
  state::Watcher& watcher() { return *watcher_; }

 private:
  Handle& store_;
  std::string prefix_;
  std::unique_ptr<state::Watcher> watcher_;
  WatchEvent first_;
};

TEST_P(WatchConformance, WritesAndDeletionsAreTold) {
  HOLDFAST_NEEDS(watch);
  Watching watching(store(), base());
  ASSERT_TRUE(store().set(put(key("a"), "1")));
  const WatchEvent put_event = watching.until(WatchEvent::Kind::put, key("a"));
  ASSERT_TRUE(put_event.record);
  EXPECT_EQ(put_event.record->value, "1");
  if (can().etag) {
    EXPECT_EQ(put_event.record->etag, store().etag(key("a")));
  }
  ASSERT_TRUE(store().set(put(key("a"), "2")));
  watching.until_value(key("a"), "2");
  ASSERT_TRUE(store().erase(drop(key("a"))));
  EXPECT_FALSE(watching.until(WatchEvent::Kind::erase, key("a")).record);
}

TEST_P(WatchConformance, OtherHandlesWritesAreTold) {
  HOLDFAST_NEEDS(watch);
  test::TestLoop other_loop;
  Handle other(instance(), other_loop);
  Watching watching(store(), base());
  ASSERT_TRUE(other.set(put(key("a"), "1")));
  watching.until_value(key("a"), "1");
}

TEST_P(WatchConformance, ExpiryIsTold) {
  HOLDFAST_NEEDS(watch);
  HOLDFAST_NEEDS(ttl);
  Watching watching(store(), base());
  ASSERT_TRUE(store().set(put_for(key("a"), "1", kShortTtl)));
  watching.until(WatchEvent::Kind::put, key("a"));
  if (test::ManualClock* clock = instance().clock()) clock->advance(kShortTtl + Milliseconds(can().ttl_grain_ms));
  watching.until(WatchEvent::Kind::expire, key("a"));
  EXPECT_FALSE(store().exists(key("a")));
}

TEST_P(WatchConformance, OnlyKeysOfThePrefixAreTold) {
  HOLDFAST_NEEDS(watch);
  Watching watching(store(), key("in"));
  ASSERT_TRUE(store().set(put(key("out"), "1")));
  ASSERT_TRUE(store().set(put(key("i"), "1")));
  ASSERT_TRUE(store().set(put(key("inside"), "1")));
  EXPECT_EQ(watching.next().key, key("inside"));
}

TEST_P(WatchConformance, KeysThatAListingHidesAreNotTold) {
  HOLDFAST_NEEDS(watch);
  if (!GetParam().raw_keys) GTEST_SKIP() << "this store is reached through keys that hold no separator";
  const std::string own = base() + "app||";
  Watching watching(store(), own, "", own.size());
  for (const char* name : {"type||id||key", "outbox-1", "mine"}) ASSERT_TRUE(store().set(put(own + name, "v")));
  EXPECT_EQ(watching.next().key, own + "mine");
}

TEST_P(WatchConformance, WithoutValuesThereIsTheEtag) {
  HOLDFAST_NEEDS(watch);
  state::WatchRequest request;
  const std::string prefix = base();
  request.prefix = prefix;
  auto watcher = store().run(store().store().watch({}, request));
  ASSERT_TRUE(watcher);
  ASSERT_TRUE(store().set(put(key("a"), "1")));
  const auto first = store().run((*watcher)->next());
  ASSERT_TRUE(first && *first);
  EXPECT_EQ((**first).kind, WatchEvent::Kind::ready);
  const auto event = store().run((*watcher)->next());
  ASSERT_TRUE(event && *event);
  EXPECT_EQ((**event).key, key("a"));
  ASSERT_TRUE((**event).record);
  EXPECT_EQ((**event).record->value, "");
  if (can().etag) {
    EXPECT_EQ((**event).record->etag, store().etag(key("a")));
  }
}

TEST_P(WatchConformance, AnExactKeyIsWatchedAlone) {
  HOLDFAST_NEEDS(watch);
  state::WatchRequest request;
  const std::string a = key("a");
  request.prefix = a;
  request.exact = true;
  auto watcher = store().run(store().store().watch({}, request));
  ASSERT_TRUE(watcher);
  ASSERT_TRUE(store().set(put(key("ab"), "1")));
  ASSERT_TRUE(store().set(put(a, "1")));
  ASSERT_TRUE(store().run((*watcher)->next()));
  const auto event = store().run((*watcher)->next());
  ASSERT_TRUE(event && *event);
  EXPECT_EQ((**event).key, a);
}

TEST_P(WatchConformance, WhatIsWrittenAfterReadyIsTold) {
  HOLDFAST_NEEDS(watch);
  for (int i = 0; i < 10; ++i) {
    const std::string name = key(std::to_string(i));
    Watching watching(store(), name);
    ASSERT_TRUE(store().set(put(name, "1")));
    watching.until_value(name, "1");
  }
}

TEST_P(WatchConformance, EventsOfAKeyComeInTheOrderOfItsWrites) {
  HOLDFAST_NEEDS(watch);
  Watching watching(store(), base());
  std::map<std::string, int> last;
  for (int i = 0; i < 100; ++i) {
    for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(store().set(put(key(name), std::to_string(i))));
  }
  while (last[key("a")] != 99 || last[key("b")] != 99 || last[key("c")] != 99) {
    const WatchEvent event = watching.next();
    ASSERT_EQ(event.kind, WatchEvent::Kind::put);
    const int number = std::stoi(event.record->value);
    EXPECT_GE(number, last[event.key]);
    last[event.key] = number;
  }
}

TEST_P(WatchConformance, TransactionsAndDeletionsByPrefixAreTold) {
  HOLDFAST_NEEDS(watch);
  Watching watching(store(), base());
  const std::string a = key("a");
  const std::string b = key("b");
  if (can().transaction_ops_max > 0 && GetParam().transactions_span_keys) {
    ASSERT_TRUE(store().transact({put(a, "1"), put(b, "1")}));
    watching.until_value(b, "1");
    ASSERT_TRUE(store().transact({drop(a)}));
    watching.until(WatchEvent::Kind::erase, a);
  }
  if (can().delete_prefix) {
    ASSERT_TRUE(store().set(put(b, "2")));
    ASSERT_TRUE(store().run(store().store().erase_prefix({}, {.prefix = base(), .own_bytes = 0})));
    watching.until(WatchEvent::Kind::erase, b);
  }
}

TEST_P(WatchConformance, ARefusedWriteIsNotTold) {
  HOLDFAST_NEEDS(watch);
  HOLDFAST_NEEDS(etag);
  const std::string a = key("a");
  ASSERT_TRUE(store().set(put(a, "1")));
  Watching watching(store(), base());
  EXPECT_FALSE(store().set(put(a, "2", state::Precondition::absent())));
  ASSERT_TRUE(store().set(put(key("b"), "1")));
  // A record that moves from server to server may be told as it is.
  for (WatchEvent event = watching.next(); event.key != key("b"); event = watching.next()) {
    ASSERT_EQ(event.key, a);
    ASSERT_TRUE(event.record);
    EXPECT_EQ(event.record->value, "1");
  }
}

TEST_P(WatchConformance, TwoWatchersAreBothTold) {
  HOLDFAST_NEEDS(watch);
  Watching one(store(), base());
  Watching two(store(), base());
  ASSERT_TRUE(store().set(put(key("a"), "1")));
  one.until_value(key("a"), "1");
  two.until_value(key("a"), "1");
}

TEST_P(WatchConformance, CancelWakesTheOneWhoWaits) {
  HOLDFAST_NEEDS(watch);
  Watching watching(store(), base());
  bool ended = false;
  start(watching.watcher().next(),
        [&ended](const Result<std::optional<WatchEvent>>& event) { ended = event && !event->has_value(); });
  EXPECT_FALSE(ended);
  watching.watcher().cancel();
  loop_.run_until([&ended] { return ended; });
  const auto after = store().run(watching.watcher().next());
  ASSERT_TRUE(after);
  EXPECT_FALSE(after->has_value());
}

TEST_P(WatchConformance, AWatcherMayEndWhileEventsWait) {
  HOLDFAST_NEEDS(watch);
  {
    Watching watching(store(), base());
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(store().set(put(key("a"), "1")));
  }
  Watching other(store(), base());
  ASSERT_TRUE(store().set(put(key("b"), "1")));
  other.until_value(key("b"), "1");
}

TEST_P(WatchConformance, ATokenContinuesWhereItsEventWas) {
  HOLDFAST_NEEDS(watch);
  HOLDFAST_NEEDS(watch_resume);
  std::string token;
  {
    Watching first(store(), base());
    ASSERT_TRUE(store().set(put(key("a"), "1")));
    token = first.until_value(key("a"), "1").resume;
    ASSERT_FALSE(token.empty());
  }
  ASSERT_TRUE(store().set(put(key("b"), "1")));
  ASSERT_TRUE(store().erase(drop(key("a"))));
  Watching second(store(), base(), token);
  if (second.first().kind == WatchEvent::Kind::resync) return;  // allowed: it says that something may be missing
  std::vector<std::string> told;
  for (int i = 0; i < 2; ++i) {
    const WatchEvent event = second.next();
    told.push_back(event.key);
  }
  EXPECT_EQ(told, (std::vector{key("b"), key("a")}));
}

TEST_P(WatchConformance, ATokenOfNobodyAnswersResync) {
  HOLDFAST_NEEDS(watch);
  HOLDFAST_NEEDS(watch_resume);
  Watching watching(store(), base(), "not-a-token");
  EXPECT_EQ(watching.first().kind, WatchEvent::Kind::resync);
  ASSERT_TRUE(store().set(put(key("a"), "1")));
  watching.until_value(key("a"), "1");
}

TEST_P(WatchConformance, WithoutResumingNoEventHasATokenAndAGivenOneIsNotContinuedInSilence) {
  HOLDFAST_NEEDS(watch);
  HOLDFAST_LACKS(watch_resume);
  {
    Watching watching(store(), base());
    EXPECT_EQ(watching.first().resume, "");
    ASSERT_TRUE(store().set(put(key("a"), "1")));
    EXPECT_EQ(watching.until_value(key("a"), "1").resume, "");
  }
  Watching again(store(), base(), "a-token-of-somebody-else");
  EXPECT_EQ(again.first().kind, WatchEvent::Kind::resync);
}

TEST_P(WatchConformance, WithoutCoalescingEveryWriteIsTold) {
  HOLDFAST_NEEDS(watch);
  HOLDFAST_LACKS(watch_coalesces);
  Watching watching(store(), base());
  constexpr int kWrites = 50;
  for (int i = 0; i < kWrites; ++i) ASSERT_TRUE(store().set(put(key("a"), std::to_string(i))));
  for (int i = 0; i < kWrites; ++i) {
    const WatchEvent event = watching.next();
    ASSERT_EQ(event.kind, WatchEvent::Kind::put);
    EXPECT_EQ(event.record->value, std::to_string(i));
  }
}

TEST_P(WatchConformance, WithCoalescingTheLastWriteIsTold) {
  HOLDFAST_NEEDS(watch);
  HOLDFAST_NEEDS(watch_coalesces);
  Watching watching(store(), base());
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(store().set(put(key("a"), std::to_string(i))));
  watching.until_value(key("a"), "49");
  ASSERT_TRUE(store().erase(drop(key("a"))));
  watching.until(WatchEvent::Kind::erase, key("a"));
}

TEST_P(WatchConformance, WithoutWatchItIsUnsupported) {
  HOLDFAST_LACKS(watch);
  const std::string prefix = base();
  state::WatchRequest request;
  request.prefix = prefix;
  EXPECT_TRUE(is_unsupported(store().run(store().store().watch({}, request))));
}

TEST_P(WatchConformance, RecordsOfIsolationKeysAreHiddenWhenAsked) {
  HOLDFAST_NEEDS(watch);
  if (!GetParam().raw_keys) GTEST_SKIP() << "through an API nobody asks a store for this: isolation does";
  const std::string own = base() + "app||";
  state::WatchRequest request;
  request.prefix = own;
  request.own_bytes = own.size();
  request.hides_isolated = true;
  auto watcher = store().run(store().store().watch({}, request));
  ASSERT_TRUE(watcher);
  ASSERT_TRUE(store().set(put(own + "isolation::K::state::a", "v")));
  ASSERT_TRUE(store().set(put(own + "b", "v")));
  ASSERT_TRUE(store().run((*watcher)->next()));
  const auto event = store().run((*watcher)->next());
  ASSERT_TRUE(event && *event);
  EXPECT_EQ((*event)->key, own + "b");
}

}  // namespace
}  // namespace holdfast::conformance
