// What is the memory store's own: bounds, the feed, sweeping, closing. The contract is tested by
// conformance.
#include "stores/memory/store.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "stores/memory/type.h"
#include "support/test_loop.h"

namespace holdfast::stores::memory {
namespace {

using state::CallContext;
using state::SetRequest;
using state::WatchEvent;
using state::WatchRequest;

SetRequest put(std::string_view key, std::string_view value, std::optional<Milliseconds> ttl = std::nullopt) {
  SetRequest request;
  request.key = key;
  request.value = value;
  request.ttl = ttl;
  return request;
}

class MemoryStoreTest : public ::testing::Test {
 protected:
  void open(MemorySettings settings) {
    settings.component = "things";
    core_ = std::make_unique<MemoryCore>(clock_, settings);
    store_ = std::move(*loop_.run(core_->open(loop_)));
  }
  Result<state::Written> set(std::string_view key, std::string_view value,
                             std::optional<Milliseconds> ttl = std::nullopt) {
    return loop_.run(store_->set({}, put(key, value, ttl)));
  }
  std::unique_ptr<state::Watcher> watch(std::string_view resume = "") {
    WatchRequest request;
    request.resume = resume;
    request.want_values = true;
    auto watcher = std::move(*loop_.run(store_->watch({}, request)));
    if (resume.empty()) EXPECT_EQ(next(*watcher).kind, WatchEvent::Kind::ready);
    return watcher;
  }
  WatchEvent next(state::Watcher& watcher) {
    auto event = loop_.run(watcher.next());
    return event && *event
               ? **event
               : WatchEvent{.kind = WatchEvent::Kind::resync, .key = "no event", .record = {}, .resume = {}};
  }
  bool exists(std::string_view key) {
    state::GetRequest request;
    request.key = key;
    return loop_.run(store_->get({}, request))->has_value();
  }

  test::ManualClock clock_;
  test::TestLoop loop_;
  std::unique_ptr<MemoryCore> core_;
  std::unique_ptr<state::StateStore> store_;
};

TEST_F(MemoryStoreTest, GetAndSetFinishInsideTheCall) {
  open({});
  bool done = false;
  start(store_->set({}, put("a", "1")), [&done](const Result<state::Written>& written) { done = written.has_value(); });
  EXPECT_TRUE(done);
  std::string value;
  start(store_->get({}, {.key = "a"}),
        [&value](const Result<std::optional<state::Record>>& record) { value = record->value().value; });
  EXPECT_EQ(value, "1");
}

TEST_F(MemoryStoreTest, EtagsFitInsideAString) {
  open({});
  EXPECT_LE(set("a", "1")->etag.size(), 15u);
}

TEST_F(MemoryStoreTest, WriteBeyondMaxBytesIsRefusedAndNothingChanges) {
  open({.component = {}, .bytes_max = 4096, .feed = {}});
  ASSERT_TRUE(set("a", std::string(2000, 'x')));
  const auto refused = set("b", std::string(3000, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::overloaded);
  EXPECT_NE(refused.error().message.find("things"), std::string::npos);
  EXPECT_NE(refused.error().message.find("maxBytes"), std::string::npos);
  EXPECT_FALSE(exists("b"));
  EXPECT_FALSE(set("a", std::string(5000, 'x')));
  EXPECT_TRUE(set("a", std::string(2500, 'y')));
}

TEST_F(MemoryStoreTest, ErasedAndExpiredRecordsGiveTheirBytesBack) {
  open({.component = {}, .bytes_max = 4096, .feed = {}});
  const std::string big(3000, 'x');
  for (int i = 0; i < 10; ++i) {
    const std::string key = "erased" + std::to_string(i);
    ASSERT_TRUE(set(key, big));
    ASSERT_TRUE(loop_.run(store_->erase({}, {.key = key, .when = {}})));
  }
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(set("timed" + std::to_string(i), big, Milliseconds(10))) << i;
    clock_.advance(Milliseconds(11));
  }
}

TEST_F(MemoryStoreTest, TransactionBeyondMaxBytesIsRefusedWhole) {
  open({.component = {}, .bytes_max = 4096, .feed = {}});
  ASSERT_TRUE(set("a", std::string(3000, 'x')));
  const std::string big(3000, 'y');
  const SetRequest more = put("b", big);
  const state::Operation only_more[] = {more};
  EXPECT_FALSE(loop_.run(store_->transact({}, only_more)));
  EXPECT_FALSE(exists("b"));
  // What the transaction frees counts for what it adds.
  const state::Operation exchange[] = {state::DeleteRequest{.key = "a", .when = {}}, more, more};
  EXPECT_TRUE(loop_.run(store_->transact({}, exchange)));
  EXPECT_TRUE(exists("b"));
  EXPECT_FALSE(exists("a"));
  ASSERT_TRUE(loop_.run(store_->erase({}, {.key = "b", .when = {}})));
  EXPECT_TRUE(set("c", std::string(3700, 'x')));
}

TEST_F(MemoryStoreTest, ExpiryIsAnnouncedWithinAHundredMillisecondsWithoutAnyCall) {
  open({});
  const auto watcher = watch();
  ASSERT_TRUE(set("timed", "1", Milliseconds(60'000)));
  EXPECT_EQ(next(*watcher).kind, WatchEvent::Kind::put);
  clock_.advance(Milliseconds(60'000));
  const auto before = std::chrono::steady_clock::now();
  const WatchEvent event = next(*watcher);
  EXPECT_EQ(event.kind, WatchEvent::Kind::expire);
  EXPECT_EQ(event.key, "timed");
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(1000));
}

TEST_F(MemoryStoreTest, OverwritingAnExpiredRecordAnnouncesTheExpiryFirst) {
  open({});
  const auto watcher = watch();
  ASSERT_TRUE(set("a", "1", Milliseconds(10)));
  EXPECT_EQ(next(*watcher).kind, WatchEvent::Kind::put);
  clock_.advance(Milliseconds(10));
  ASSERT_TRUE(set("a", "2"));
  EXPECT_EQ(next(*watcher).kind, WatchEvent::Kind::expire);
  EXPECT_EQ(next(*watcher).record->value, "2");
}

TEST_F(MemoryStoreTest, DutyToSweepPassesToAnotherLoopWhenItsLoopCloses) {
  open({});
  test::TestLoop other_loop;
  auto other = std::move(*other_loop.run(core_->open(other_loop)));
  ASSERT_TRUE(set("timed", "1", Milliseconds(1000)));
  ASSERT_TRUE(loop_.run(store_->close({})));
  clock_.advance(Milliseconds(1000));
  other_loop.run_until([this] { return !core_->has_timed_records(); });
  ASSERT_TRUE(other_loop.run(other->close({})));
}

TEST_F(MemoryStoreTest, SweepingManyExpiredRecordsLeavesOnlyTheLiveOnes) {
  open({});
  for (int i = 0; i < 20'000; ++i)
    ASSERT_TRUE(set("k" + std::to_string(i), "v", Milliseconds(i % 2 == 0 ? 50 : 500'000)));
  clock_.advance(Milliseconds(100));
  loop_.run_until([this] { return core_->sweep() > Milliseconds(100); });
  state::ListRequest request;
  request.limit = 0;
  EXPECT_EQ(loop_.run(store_->list({}, request))->items.size(), 10'000u);
}

TEST_F(MemoryStoreTest, WatcherThatFallsBehindSeesOneResyncAndThenWhatFollows) {
  MemorySettings settings;
  settings.feed.queue_events_max = 10;
  open(settings);
  const auto watcher = watch();
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(set("k" + std::to_string(i), "v"));
  const WatchEvent first = next(*watcher);
  EXPECT_EQ(first.kind, WatchEvent::Kind::resync);
  EXPECT_FALSE(first.resume.empty());
  // What the queue still took after the loss may follow; the newest event must.
  WatchEvent last = next(*watcher);
  while (last.key != "k29" && last.kind == WatchEvent::Kind::put) last = next(*watcher);
  EXPECT_EQ(last.key, "k29");
}

TEST_F(MemoryStoreTest, RingOverrunShowsAsResync) {
  MemorySettings settings;
  settings.feed.ring_events_max = 5;
  open(settings);
  const auto watcher = watch();
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(set("k", "v"));
  EXPECT_EQ(next(*watcher).kind, WatchEvent::Kind::resync);
  ASSERT_TRUE(set("later", "v"));
  EXPECT_EQ(next(*watcher).key, "later");
}

TEST_F(MemoryStoreTest, RingIsBoundedInBytesButKeepsTheNewestEvent) {
  MemorySettings settings;
  settings.feed.ring_bytes_max = 10'000;
  open(settings);
  const auto watcher = watch();
  ASSERT_TRUE(set("big", std::string(50'000, 'x')));
  EXPECT_EQ(next(*watcher).key, "big");
}

TEST_F(MemoryStoreTest, ResumeContinuesAfterTheEventOfItsToken) {
  open({});
  const auto watcher = watch();
  ASSERT_TRUE(set("a", "1"));
  ASSERT_TRUE(set("b", "2"));
  const std::string token = next(*watcher).resume;
  ASSERT_TRUE(set("c", "3"));
  const auto resumed = watch(token);
  EXPECT_EQ(next(*resumed).kind, WatchEvent::Kind::ready);
  EXPECT_EQ(next(*resumed).key, "b");
  EXPECT_EQ(next(*resumed).key, "c");
}

TEST_F(MemoryStoreTest, TokenOfAnotherProcessOrOfNothingAnswersResyncAndThenLiveEvents) {
  open({});
  const auto first = watch();
  ASSERT_TRUE(set("a", "1"));
  std::string token = next(*first).resume;
  for (const std::string& bad : {std::string("0123456789abcdef.1"), std::string("garbage"), token + "9", token + "x"}) {
    const auto watcher = watch(bad);
    EXPECT_EQ(next(*watcher).kind, WatchEvent::Kind::resync) << bad;
    ASSERT_TRUE(set("b", "2"));
    EXPECT_EQ(next(*watcher).key, "b");
  }
}

TEST_F(MemoryStoreTest, CancelOfAWatcherThatOwnsItselfIsSafe) {
  open({});
  auto watcher = watch();
  bool ended = false;
  state::Watcher* raw = watcher.get();
  start(raw->next(), [&ended, &watcher](const Result<std::optional<WatchEvent>>& event) {
    ended = event && !*event;
    watcher.reset();
  });
  raw->cancel();
  EXPECT_FALSE(ended);
  loop_.run_until([&ended] { return ended; });
}

TEST_F(MemoryStoreTest, ClosingTheStoreEndsItsWatchers) {
  open({});
  const auto watcher = watch();
  bool ended = false;
  start(watcher->next(), [&ended](const Result<std::optional<WatchEvent>>& event) { ended = event && !*event; });
  ASSERT_TRUE(loop_.run(store_->close({})));
  loop_.run_until([&ended] { return ended; });
}

TEST_F(MemoryStoreTest, ACursorOfAnotherStoreIsRefused) {
  open({});
  const auto page = loop_.run(store_->list({}, {.prefix = "", .own_bytes = 0, .cursor = "?"}));
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code, Errc::invalid_argument);
}

TEST_F(MemoryStoreTest, ListingStopsAtItsDeadline) {
  open({});
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(set("k" + std::to_string(i), "v"));
  CallContext context;
  context.deadline = clock_.steady() - Milliseconds(1);
  const auto page = loop_.run(store_->list(context, {.prefix = "k", .own_bytes = 0, .cursor = {}, .limit = 0}));
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().code, Errc::deadline_exceeded);
}

TEST(MemoryType, ReadsMaxBytesFromTheComponent) {
  state::Component component;
  component.name = "things";
  component.type = "state.in-memory";
  component.properties = {{"maxBytes", "1Ki"}};
  auto core = kMemoryType.prepare(component, {Clock::system(), 1});
  ASSERT_TRUE(core);
  test::TestLoop loop;
  auto store = std::move(*loop.run((*core)->open(loop)));
  const std::string big(2000, 'x');
  EXPECT_EQ(loop.run(store->set({}, put("a", big))).error().code, Errc::overloaded);
}

TEST(MemoryType, AMaxBytesThatIsNoQuantityIsRefusedByName) {
  state::Component component;
  component.name = "things";
  component.properties = {{"maxBytes", "plenty"}};
  const auto core = kMemoryType.prepare(component, {Clock::system(), 1});
  ASSERT_FALSE(core);
  EXPECT_EQ(core.error().code, Errc::invalid_argument);
  EXPECT_NE(core.error().message.find("maxBytes"), std::string::npos);
}

struct Worker {
  MemoryCore& core;
  std::atomic<bool>& stop;
  int number;

  void run() const {
    test::TestLoop loop;
    auto store = std::move(*loop.run(core.open(loop)));
    WatchRequest watched;
    auto watcher = std::move(*loop.run(store->watch({}, watched)));
    for (int i = 0; !stop; ++i) {
      const std::string key = "k" + std::to_string((i + number) % 50);
      loop.run(store->set({}, put(key, "v", Milliseconds(1))));
    }
    loop.run(store->close({}));
    watcher.reset();
    store.reset();
  }
};

// Dapr's in-memory store waits in Close, under its lock, for a sweeper that may be waiting for that
// lock: 11 of 400 stores never closed under load.
TEST(MemoryStoreClose, FourHundredStoresCloseUnderLoad) {
  for (int round = 0; round < 400; ++round) {
    MemoryCore core(Clock::system(), {});
    std::atomic<bool> stop = false;
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) threads.emplace_back([worker = Worker{core, stop, i}] { worker.run(); });
    test::TestLoop loop;
    auto store = std::move(*loop.run(core.open(loop)));
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(loop.run(store->set({}, put("mine", "v", Milliseconds(1)))));
    ASSERT_TRUE(loop.run(store->close({})));
    store.reset();
    stop = true;
    for (auto& thread : threads) thread.join();
  }
}

}  // namespace
}  // namespace holdfast::stores::memory
