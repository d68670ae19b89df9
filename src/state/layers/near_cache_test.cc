#include "state/layers/near_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>

#include "base/parked.h"
#include "support/test_loop.h"

namespace holdfast::state {
namespace {

using testing::ElementsAre;

// A watch that tells what the test says, at once.
class ToldWatcher final : public Watcher {
 public:
  ToldWatcher(ToldWatcher*& place, Scheduler& loop) : place_(place), loop_(loop) { place_ = this; }
  ~ToldWatcher() override { place_ = nullptr; }

  Task<bool> wait() override {
    while (events_.empty() && !ended_) co_await Parked{waiter_};
    co_return !ended_;
  }
  bool take(WatchEvent& event) override {
    if (ended_ || events_.empty()) return false;
    event = std::move(events_.front());
    events_.pop_front();
    return true;
  }
  void cancel() override {
    ended_ = true;
    if (waiter_) loop_.post([waiter = std::exchange(waiter_, nullptr)] { waiter.resume(); });
  }
  void tell(WatchEvent event) {
    events_.push_back(std::move(event));
    if (waiter_) std::exchange(waiter_, nullptr).resume();
  }

 private:
  ToldWatcher*& place_;
  Scheduler& loop_;
  std::deque<WatchEvent> events_;
  bool ended_ = false;
  std::coroutine_handle<> waiter_ = nullptr;
};

// A map with etags whose readings can be held after they have looked, and whose changes only the test tells of.
class ToldStore final : public StateStore {
 public:
  explicit ToldStore(Scheduler& loop) : loop_(loop) {
    can.etag = can.ttl = can.watch = can.record_fields = can.list = can.delete_prefix = true;
    can.transaction_ops_max = kUnlimited;
    can.reads = can.writes = Capabilities::always_strong();
  }

  const Capabilities& capabilities() const override { return can; }

  Task<Result<std::optional<Record>>> get(CallContext context, GetRequest request) override {
    levels.push_back(context.consistency);
    if (context.position != nullptr) (void)context.position->reach({.timeline = 7, .offset = 70});
    if (read_error && context.consistency == Consistency::strong) co_return fail(*read_error, "scripted");
    std::optional<Record> found;
    if (const auto at = records.find(request.key); at != records.end()) found = at->second;
    if (found && request.want_fields) found->fields.emplace().created_by = "me";
    if (holds) co_await Parked{held};
    co_return found;
  }
  Task<Result<Written>> set(CallContext, SetRequest request) override {
    if (!write_error || write_takes_effect) put(request.key, request.value);
    if (write_error) co_return fail(*write_error, "scripted");
    co_return Written();
  }
  Task<Result<Deleted>> erase(CallContext, DeleteRequest request) override {
    records.erase(std::string(request.key));
    co_return Deleted();
  }
  Task<Result<std::vector<Written>>> transact(CallContext, std::span<const Operation> operations) override {
    for (const Operation& operation : operations)
      if (const auto* one = std::get_if<SetRequest>(&operation)) put(one->key, one->value);
    co_return std::vector<Written>(operations.size());
  }
  Task<Result<std::uint64_t>> erase_prefix(CallContext, DeletePrefixRequest request) override {
    co_return std::erase_if(records, [&](const auto& one) { return one.first.starts_with(request.prefix); });
  }
  Task<Result<std::uint64_t>> erase_with_dapr_prefix(CallContext context, std::string_view prefix) override {
    return erase_prefix(context, {.prefix = prefix});
  }
  Task<Result<std::unique_ptr<Watcher>>> watch(CallContext, WatchRequest request) override {
    watched.emplace_back(request.prefix);
    if (holds_watch) co_await Parked{held_watch};
    if (watch_error) co_return fail(*watch_error, "scripted");
    co_return std::make_unique<ToldWatcher>(watcher, loop_);
  }
  Task<Status> ping(CallContext) override { co_return Status(); }
  Task<Status> close(CallContext) override {
    closed_watcher_first = watcher == nullptr;
    co_return Status();
  }

  void put(std::string_view key, std::string_view value) {
    Record& record = records[std::string(key)];
    record.value = value;
    record.etag = std::to_string(++etags);
  }

  Capabilities can;
  std::map<std::string, Record, std::less<>> records;
  std::vector<Consistency> levels;  // of the readings that came
  std::vector<std::string> watched;
  std::optional<Errc> read_error;  // of strong ones
  std::optional<Errc> write_error;
  std::optional<Errc> watch_error;
  bool write_takes_effect = false;  // all the same
  bool holds = false;
  bool holds_watch = false;
  std::coroutine_handle<> held = nullptr;
  std::coroutine_handle<> held_watch = nullptr;
  ToldWatcher* watcher = nullptr;
  bool closed_watcher_first = false;
  int etags = 0;

 private:
  Scheduler& loop_;
};

class NearCacheTest : public ::testing::Test {
 protected:
  NearCacheTest() { open({}); }
  ~NearCacheTest() override { close(); }

  void open(NearCacheSettings settings) {
    if (store_) close();
    settings.limits = {.items_max = 100, .bytes_max = 1 << 20};
    auto inner = std::make_unique<ToldStore>(loop_);
    inner_ = inner.get();
    store_ = with_near_cache(std::move(inner), std::move(settings), counts_, clock_);
  }
  // Opened, watched, and told that the watch is in place.
  void open_ready(NearCacheSettings settings = {}) {
    open(std::move(settings));
    get("some key");
    tell(WatchEvent::Kind::ready);
    inner_->levels.clear();
  }
  void close() {
    EXPECT_TRUE(loop_.run(store_->close({})));
    EXPECT_TRUE(inner_->closed_watcher_first);
    store_.reset();
  }

  CallContext at(Consistency level) {
    CallContext context;
    context.consistency = level;
    return context;
  }
  Result<std::optional<Record>> read(GetRequest request, CallContext context) {
    return loop_.run(store_->get(context, request));
  }
  // The value at eventual; nothing when there is none.
  std::optional<std::string> get(std::string_view key) {
    const auto found = read({.key = key}, at(Consistency::eventual));
    EXPECT_TRUE(found);
    if (!found || !*found) return std::nullopt;
    return (*found)->value;
  }
  SetRequest put(std::string_view key, std::string_view value) {
    SetRequest request;
    request.key = key;
    request.value = value;
    return request;
  }
  void tell(WatchEvent::Kind kind, std::string key = {}, std::optional<std::string> etag = {}) {
    ASSERT_NE(inner_->watcher, nullptr);
    WatchEvent event{.kind = kind, .key = std::move(key), .record = {}, .resume = {}};
    if (etag) event.record.emplace().etag = *etag;
    inner_->watcher->tell(std::move(event));
  }
  std::size_t reads() const { return inner_->levels.size(); }
  // Whether a reading goes to the store.
  bool misses(std::string_view key) {
    const std::size_t before = reads();
    get(key);
    return reads() != before;
  }
  // Begins a reading of "a", which has seen "old" and is held; `meanwhile` happens; then it goes on.
  void read_across(const std::function<void()>& meanwhile) {
    inner_->put("a", "old");
    inner_->holds = true;
    std::optional<std::string> got;
    start(store_->get(at(Consistency::eventual), {.key = "a"}),
          [&got](const Result<std::optional<Record>>& found) { got = (**found).value; });
    ASSERT_TRUE(inner_->held);
    inner_->holds = false;
    meanwhile();
    std::exchange(inner_->held, nullptr).resume();
    EXPECT_EQ(got, "old");
  }

  test::ManualClock clock_;
  test::TestLoop loop_;
  std::shared_ptr<NearCacheCounts> counts_ = std::make_shared<NearCacheCounts>();
  ToldStore* inner_ = nullptr;
  std::unique_ptr<StateStore> store_;
};

TEST_F(NearCacheTest, ASecondReadingIsServedFromMemory) {
  open_ready();
  inner_->put("a", "1");
  EXPECT_EQ(get("a"), "1");
  EXPECT_EQ(get("a"), "1");
  EXPECT_EQ(reads(), 1u);
  EXPECT_EQ(counts_->hits, 1u);
  EXPECT_EQ(counts_->items, 1u);
  EXPECT_GT(counts_->bytes, 0u);
}

TEST_F(NearCacheTest, AbsentRecordsAreKeptToo) {
  open_ready();
  EXPECT_EQ(get("a"), std::nullopt);
  EXPECT_EQ(get("a"), std::nullopt);
  EXPECT_EQ(reads(), 1u);
}

TEST_F(NearCacheTest, StrongerReadingsAndThoseOfNoLevelGoToTheStore) {
  open_ready();
  EXPECT_EQ(get("a"), std::nullopt);
  inner_->levels.clear();
  const Consistency others[] = {Consistency::unspecified, Consistency::consistent_prefix,
                                Consistency::session,     Consistency::bounded_staleness,
                                Consistency::quorum,      Consistency::strong};
  for (const Consistency level : others) EXPECT_TRUE(read({.key = "a"}, at(level)));
  EXPECT_THAT(inner_->levels, testing::ElementsAreArray(others));
}

TEST_F(NearCacheTest, TheLevelIsDeclaredAndEveryOtherAbilityIsTheStores) {
  const auto level = static_cast<std::size_t>(Consistency::eventual);
  EXPECT_EQ(inner_->can.reads[level], Consistency::strong);
  Capabilities can = store_->capabilities();
  EXPECT_EQ(can.reads[level], Consistency::eventual);
  can.reads[level] = Consistency::strong;
  EXPECT_EQ(can.reads, inner_->can.reads);
  EXPECT_EQ(can.writes, inner_->can.writes);
  EXPECT_TRUE(can.watch && can.etag && !can.query);
}

TEST_F(NearCacheTest, WhatMissesIsReadAtStrongBecauseACopyMayBeBehindTheWatch) {
  open_ready();
  get("a");
  EXPECT_THAT(inner_->levels, ElementsAre(Consistency::strong));
}

TEST_F(NearCacheTest, NothingIsKeptBeforeTheWatchIsInPlace) {
  EXPECT_TRUE(inner_->watched.empty());
  EXPECT_TRUE(misses("a"));
  EXPECT_THAT(inner_->watched, ElementsAre(""));
  EXPECT_TRUE(misses("a"));
  tell(WatchEvent::Kind::ready);
  EXPECT_TRUE(misses("a"));
  EXPECT_FALSE(misses("a"));
  EXPECT_EQ(inner_->watched.size(), 1u);
}

TEST_F(NearCacheTest, AReadingThatBeganBeforeTheWatchWasInPlaceIsNotKept) {
  get("some key");
  read_across([this] { tell(WatchEvent::Kind::ready); });
  EXPECT_TRUE(misses("a"));
}

TEST_F(NearCacheTest, AnEventDropsItsKeyAndNoOther) {
  open_ready();
  for (const auto kind : {WatchEvent::Kind::put, WatchEvent::Kind::erase, WatchEvent::Kind::expire}) {
    get("a");
    get("b");
    tell(kind, "a", kind == WatchEvent::Kind::put ? std::optional("another") : std::nullopt);
    EXPECT_TRUE(misses("a"));
    EXPECT_FALSE(misses("b"));
  }
  EXPECT_EQ(counts_->invalidations, 3u);
}

TEST_F(NearCacheTest, APutThatIsKeptAlreadyDropsNothing) {
  open_ready();
  inner_->put("a", "1");
  get("a");
  tell(WatchEvent::Kind::put, "a", inner_->records["a"].etag);
  EXPECT_FALSE(misses("a"));
  tell(WatchEvent::Kind::put, "a", "another");
  EXPECT_TRUE(misses("a"));
  inner_->records["a"].expires_at = WallTime{clock_.wall().us + 1'000'000};
  EXPECT_FALSE(misses("a"));
  WatchEvent event{.kind = WatchEvent::Kind::put, .key = "a", .record = inner_->records["a"], .resume = {}};
  inner_->watcher->tell(std::move(event));
  EXPECT_TRUE(misses("a")) << "it has another time to live now";
}

TEST_F(NearCacheTest, ResyncDropsEverything) {
  open_ready();
  get("a");
  get("b");
  tell(WatchEvent::Kind::resync);
  EXPECT_EQ(counts_->items, 0u);
  EXPECT_TRUE(misses("a"));
  EXPECT_TRUE(misses("b"));
  EXPECT_FALSE(misses("a"));
  EXPECT_EQ(counts_->resyncs, 1u);
}

TEST_F(NearCacheTest, WithoutAWatchNothingIsServedUntilThereIsAnother) {
  open_ready();
  get("a");
  inner_->watcher->cancel();
  loop_.run_until([this] { return inner_->watcher == nullptr; });
  EXPECT_TRUE(misses("a"));
  EXPECT_EQ(inner_->watched.size(), 1u) << "it is asked for again at once";
  clock_.advance(Milliseconds(1000));
  EXPECT_TRUE(misses("a"));
  EXPECT_EQ(inner_->watched.size(), 2u);
  tell(WatchEvent::Kind::ready);
  EXPECT_TRUE(misses("a"));
  EXPECT_FALSE(misses("a"));
}

TEST_F(NearCacheTest, AWatchThatIsRefusedIsAskedForAgainLater) {
  inner_->watch_error = Errc::unavailable;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(misses("a"));
  EXPECT_EQ(inner_->watched.size(), 1u);
  inner_->watch_error.reset();
  clock_.advance(Milliseconds(1000));
  get("a");
  EXPECT_EQ(inner_->watched.size(), 2u);
}

// What a reading has seen may be old by the time it comes back.

TEST_F(NearCacheTest, AReadingUnderWayWhenItsKeyChangesIsNotKept) {
  open_ready();
  read_across([this] {
    inner_->put("a", "new");
    tell(WatchEvent::Kind::put, "a", inner_->records["a"].etag);
  });
  EXPECT_EQ(get("a"), "new");
}

TEST_F(NearCacheTest, AReadingUnderWayWhenEventsWereLostIsNotKept) {
  open_ready();
  read_across([this] {
    inner_->put("a", "new");
    tell(WatchEvent::Kind::resync);
  });
  EXPECT_EQ(get("a"), "new");
}

TEST_F(NearCacheTest, AReadingUnderWayDuringAWriteOfOurOwnIsNotKept) {
  open_ready();
  read_across([this] { EXPECT_TRUE(loop_.run(store_->set({}, put("a", "new")))); });
  EXPECT_EQ(get("a"), "new");
}

TEST_F(NearCacheTest, AReadingFromBeforeTheWatchWasLostIsNotKeptUnderTheNextOne) {
  open_ready();
  read_across([this] {
    inner_->watcher->cancel();
    loop_.run_until([this] { return inner_->watcher == nullptr; });
    inner_->put("a", "new");
    clock_.advance(Milliseconds(1000));
    get("some key");
    tell(WatchEvent::Kind::ready);
  });
  EXPECT_EQ(get("a"), "new");
}

TEST_F(NearCacheTest, AReadingUnderWayThroughAnotherKeysChangeIsKept) {
  open_ready();
  read_across([this] { tell(WatchEvent::Kind::erase, "b"); });
  EXPECT_FALSE(misses("a"));
}

// Writes.

TEST_F(NearCacheTest, OwnWritesOfEveryKindAreSeenAtOnce) {
  open_ready();
  EXPECT_EQ(get("a"), std::nullopt);
  EXPECT_TRUE(loop_.run(store_->set({}, put("a", "1"))));
  EXPECT_EQ(get("a"), "1");
  const SetRequest sets[] = {put("a", "2"), put("b", "2")};
  loop_.run(store_->set_many({}, sets));
  EXPECT_EQ(get("a"), "2");
  const Operation operations[] = {put("a", "3")};
  EXPECT_TRUE(loop_.run(store_->transact({}, operations)));
  EXPECT_EQ(get("a"), "3");
  EXPECT_TRUE(loop_.run(store_->erase({}, {"a", {}})));
  EXPECT_EQ(get("a"), std::nullopt);
  EXPECT_EQ(get("b"), "2");
  const DeleteRequest deletes[] = {{"b", {}}};
  loop_.run(store_->erase_many({}, deletes));
  EXPECT_EQ(get("b"), std::nullopt);
  inner_->put("p/1", "v");
  EXPECT_EQ(get("p/1"), "v");
  EXPECT_TRUE(loop_.run(store_->erase_prefix({}, {.prefix = "p/"})));
  EXPECT_EQ(get("p/1"), std::nullopt);
  inner_->put("p/2", "v");
  EXPECT_EQ(get("p/2"), "v");
  EXPECT_TRUE(loop_.run(store_->erase_with_dapr_prefix({}, "p/")));
  EXPECT_EQ(get("p/2"), std::nullopt);
}

TEST_F(NearCacheTest, AWriteThatFailedOrWhoseFateIsUnknownDropsItsKeyToo) {
  open_ready();
  inner_->put("a", "old");
  EXPECT_EQ(get("a"), "old");
  inner_->write_error = Errc::outcome_unknown;
  inner_->write_takes_effect = true;
  EXPECT_FALSE(loop_.run(store_->set({}, put("a", "new"))));
  EXPECT_EQ(get("a"), "new");
  inner_->write_error = Errc::precondition_failed;
  inner_->write_takes_effect = false;
  EXPECT_FALSE(loop_.run(store_->set({}, put("a", "newer"))));
  EXPECT_TRUE(misses("a"));
}

// What is kept, and for how long.

TEST_F(NearCacheTest, AnExpiredRecordIsNeverServed) {
  open_ready();
  inner_->put("a", "1");
  inner_->records["a"].expires_at = WallTime{clock_.wall().us + 1'000'000};
  EXPECT_EQ(get("a"), "1");
  clock_.advance(Milliseconds(999));
  EXPECT_FALSE(misses("a"));
  clock_.advance(Milliseconds(1));
  inner_->records.clear();
  EXPECT_EQ(get("a"), std::nullopt);
}

TEST_F(NearCacheTest, ARecordIsReadAgainWhenItIsOld) {
  NearCacheSettings settings;
  settings.age_max = Milliseconds(500);
  open_ready(settings);
  get("a");
  clock_.advance(Milliseconds(500));
  EXPECT_FALSE(misses("a"));
  clock_.advance(Milliseconds(1));
  EXPECT_TRUE(misses("a"));
  EXPECT_FALSE(misses("a"));
}

TEST_F(NearCacheTest, AReadingGetsWhatItAsksForAndNoMore) {
  open_ready();
  inner_->put("a", "1");
  get("a");
  GetRequest whole{.key = "a", .want_value = true, .want_fields = true};
  const auto fields = read(whole, at(Consistency::eventual));
  ASSERT_TRUE(fields && *fields);
  EXPECT_EQ((*fields)->fields->created_by, "me");
  EXPECT_EQ(reads(), 2u) << "the fields had not been read";
  EXPECT_TRUE((**read(whole, at(Consistency::eventual))).fields);
  EXPECT_FALSE((**read({.key = "a"}, at(Consistency::eventual))).fields);
  const auto bare = read({.key = "a", .want_value = false}, at(Consistency::eventual));
  EXPECT_EQ((*bare)->value, "");
  EXPECT_EQ((*bare)->etag, inner_->records["a"].etag);
  EXPECT_EQ(reads(), 2u);
}

TEST_F(NearCacheTest, AReadingWithoutTheValueIsNotKept) {
  open_ready();
  inner_->put("a", "1");
  ASSERT_TRUE(read({.key = "a", .want_value = false}, at(Consistency::eventual)));
  EXPECT_EQ(get("a"), "1");
}

TEST_F(NearCacheTest, KeysOutsideThePrefixAreNeitherKeptNorWatched) {
  NearCacheSettings settings;
  settings.prefix = "app||";
  open(settings);
  get("other||a");
  EXPECT_TRUE(inner_->watched.empty());
  get("app||a");
  EXPECT_THAT(inner_->watched, ElementsAre("app||"));
  tell(WatchEvent::Kind::ready);
  get("app||a");
  EXPECT_FALSE(misses("app||a"));
  get("other||a");
  EXPECT_TRUE(misses("other||a"));
}

TEST_F(NearCacheTest, ASessionGoesOnThroughWhatIsKept) {
  open_ready();
  get("a");
  Position session;
  (void)session.reach({.timeline = 1, .offset = 5});
  CallContext context = at(Consistency::eventual);
  context.position = &session;
  EXPECT_TRUE(read({.key = "a"}, context));
  EXPECT_EQ(reads(), 2u) << "how far the store was had not been asked";
  EXPECT_EQ(session.on(7), 70u);
  Position other;
  context.position = &other;
  EXPECT_TRUE(read({.key = "a"}, context));
  EXPECT_EQ(reads(), 2u);
  EXPECT_EQ(other.on(7), 70u);
  EXPECT_EQ(other.on(1), std::nullopt) << "it was told of another session";
}

TEST_F(NearCacheTest, AFailureIsNotKept) {
  open_ready();
  inner_->read_error = Errc::internal;
  EXPECT_FALSE(read({.key = "a"}, at(Consistency::eventual)));
  inner_->read_error.reset();
  inner_->put("a", "1");
  EXPECT_EQ(get("a"), "1");
}

TEST_F(NearCacheTest, WhereThePrimaryDoesNotAnswerTheLevelThatWasAskedForIsTried) {
  open_ready();
  inner_->put("a", "1");
  inner_->read_error = Errc::unavailable;
  EXPECT_EQ(get("a"), "1");
  EXPECT_THAT(inner_->levels, ElementsAre(Consistency::strong, Consistency::eventual));
  EXPECT_TRUE(misses("a"));
}

TEST_F(NearCacheTest, ClosingWaitsForAWatchThatIsBeingAskedFor) {
  inner_->holds_watch = true;
  get("a");
  ASSERT_TRUE(inner_->held_watch);
  bool closed = false;
  ToldStore* const inner = inner_;
  start(store_->close({}), [&closed](const Status& status) { closed = status.has_value(); });
  EXPECT_FALSE(closed);
  std::exchange(inner->held_watch, nullptr).resume();
  EXPECT_TRUE(closed);
  inner->holds_watch = false;
}

TEST(NearCacheAdmission, AStoreHasToWatchAndToServeStrongReadings) {
  Capabilities can;
  can.reads = Capabilities::always_strong();
  EXPECT_EQ(admits_near_cache(can).error().code, Errc::unsupported);
  can.watch = true;
  EXPECT_TRUE(admits_near_cache(can));
  can.reads[static_cast<std::size_t>(Consistency::strong)] = Consistency::unspecified;
  EXPECT_EQ(admits_near_cache(can).error().code, Errc::unsupported);
}

}  // namespace
}  // namespace holdfast::state
