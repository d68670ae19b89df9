// Service::update against a store whose other writers are the test's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <thread>

#include "service/service.h"
#include "support/test_loop.h"

namespace holdfast::service {
namespace {

using state::Precondition;
using testing::ElementsAre;
using testing::Pair;

// One record, whose etag counts up. A write may be made to wait until the test lets it go on.
class OneRecord final : public state::StateStore {
 public:
  OneRecord() {
    can_.etag = true;
    can_.ttl = true;
    can_.reads = can_.writes = state::Capabilities::always_strong();
  }
  const state::Capabilities& capabilities() const override { return can_; }
  Task<Result<std::optional<state::Record>>> get(state::CallContext context, state::GetRequest) override {
    read_at = context.consistency;
    if (!value) co_return std::nullopt;
    state::Record record;
    record.value = *value;
    record.etag = std::to_string(version);
    record.expires_at = expires_at;
    record.fields.emplace().tags = tags;
    co_return record;
  }
  Task<Result<state::Written>> set(state::CallContext, state::SetRequest request) override {
    if (parks_writes) co_await Park{waiting};
    if (others > 0) {
      --others;
      ++version;
    }
    const std::string etag = std::to_string(version);
    const std::string_view view = etag;
    if (!request.when.holds(value ? &view : nullptr)) co_return fail(Errc::precondition_failed, "another came first");
    last = request;
    last_tags.assign(request.tags.begin(), request.tags.end());
    value = request.value;
    state::Written written;
    written.etag = std::to_string(++version);
    co_return written;
  }
  Task<Result<state::Deleted>> erase(state::CallContext, state::DeleteRequest) override { co_return state::Deleted{}; }
  Task<Status> ping(state::CallContext) override { co_return Status{}; }
  Task<Status> close(state::CallContext) override { co_return Status{}; }

  struct Park {
    std::deque<std::coroutine_handle<>>& waiting;
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> waiter) { waiting.push_back(waiter); }
    void await_resume() const {}
  };

  std::optional<std::string> value;
  int version = 1;
  int others = 0;  // writes of others between a read and the next write
  std::optional<WallTime> expires_at;
  state::Pairs tags;
  bool parks_writes = false;
  std::deque<std::coroutine_handle<>> waiting;
  state::SetRequest last;
  state::Pairs last_tags;
  state::Consistency read_at = state::Consistency::unspecified;
  state::Capabilities can_;
};

class UpdateTest : public testing::Test {
 protected:
  UpdateTest() {
    auto store = std::make_unique<OneRecord>();
    store_ = store.get();
    auto entry = std::make_shared<StoreEntry>();
    entry->name = "s";
    entry->store = std::move(store);
    table_.put(std::move(entry));
  }
  StoreEntry& entry() { return *table_.find("s"); }

  // One more "x" behind the value.
  static Result<Change> grow(const state::Record* now) {
    return Change{(now != nullptr ? now->value : "") + "x", state::Shape::bytes, "t"};
  }
  Task<Result<Updated>> update(UpdateRequest request = {}) {
    request.key = "k";
    return service_.update(Call{entry(), {}}, request, grow_);
  }
  Result<Updated> result_of(Task<Result<Updated>> task) {
    std::optional<Result<Updated>> result;
    start(std::move(task), [&result](Result<Updated> value) { result = std::move(value); });
    return std::move(*result);
  }

  const Changing grow_ = grow;
  OneRecord* store_ = nullptr;
  StoreTable table_;
  test::TestLoop loop_;
  KeyTurns turns_;
  Service service_{table_, Clock::system(), loop_, turns_};
};

TEST_F(UpdateTest, BeginsWithNothingAndGoesOnFromThere) {
  EXPECT_EQ(result_of(update())->written.etag, "2");
  EXPECT_EQ(store_->last.when.kind, Precondition::Kind::absent);
  EXPECT_EQ(result_of(update())->change.value, "xx");
  EXPECT_EQ(store_->last.when.kind, Precondition::Kind::one_of);
  EXPECT_EQ(store_->read_at, state::Consistency::strong) << "a replica's etag would never fit";
}

TEST_F(UpdateTest, KeepsExpiryTagsAndWhatItIsTold) {
  store_->value = "a";
  store_->tags = {{"c", "red"}};
  ASSERT_TRUE(result_of(update()));
  EXPECT_FALSE(store_->last.keep_expiry) << "there is none to keep";
  store_->expires_at = WallTime{1};
  ASSERT_TRUE(result_of(update()));
  EXPECT_TRUE(store_->last.keep_expiry);
  EXPECT_THAT(store_->last_tags, ElementsAre(Pair("c", "red")));
  UpdateRequest request;
  request.ttl = Milliseconds(5);
  ASSERT_TRUE(result_of(update(request)));
  EXPECT_FALSE(store_->last.keep_expiry);
  EXPECT_EQ(store_->last.ttl, Milliseconds(5));
}

TEST_F(UpdateTest, GoesRoundAgainWhenAnotherCameFirstAndGivesUpAtLast) {
  store_->value = "";
  store_->others = Service::kUpdateRounds - 1;
  EXPECT_EQ(result_of(update())->change.value, "x");
  store_->others = Service::kUpdateRounds;
  EXPECT_EQ(result_of(update()).error().code, Errc::conflict);
  EXPECT_EQ(store_->value, "x");
}

TEST_F(UpdateTest, AConditionIsJudgedOnWhatWasRead) {
  UpdateRequest request;
  request.when = Precondition::present();
  EXPECT_EQ(result_of(update(request)).error().code, Errc::precondition_failed);
  store_->value = "a";
  const std::string_view stale = "0";
  request.when = Precondition::one_of({&stale, 1});
  const auto refused = result_of(update(request));
  EXPECT_EQ(refused.error().code, Errc::precondition_failed);
  EXPECT_EQ(refused.error().current_etag, "1");
  EXPECT_EQ(store_->value, "a");
}

TEST_F(UpdateTest, AChangeThatIsRefusedWritesNothing) {
  store_->value = "a";
  const Changing refuse = [](const state::Record*) -> Result<Change> { return fail(Errc::invalid_argument, "no"); };
  UpdateRequest request;
  request.key = "k";
  EXPECT_EQ(result_of(service_.update(Call{entry(), {}}, request, refuse)).error().code, Errc::invalid_argument);
  EXPECT_EQ(store_->version, 1);
}

TEST_F(UpdateTest, NeedsEtags) {
  store_->can_.etag = false;
  EXPECT_EQ(result_of(update()).error().code, Errc::unsupported);
}

// Without turns, of a hundred that read the same etag ninety-nine would go round again, and the last of them give up.
TEST_F(UpdateTest, ThoseOfOneProcessTakeTurns) {
  store_->parks_writes = true;
  int done = 0;
  for (int i = 0; i < 100; ++i) start(update(), [&done](const Result<Updated>& result) { done += result ? 1 : 0; });
  std::size_t most_at_once = 0;
  while (done < 100) {
    loop_.run_until([this] { return !store_->waiting.empty(); });
    most_at_once = std::max(most_at_once, store_->waiting.size());
    const auto next = store_->waiting.front();
    store_->waiting.pop_front();
    next.resume();
  }
  EXPECT_EQ(most_at_once, 1u);
  EXPECT_EQ(store_->value, std::string(100, 'x'));
}

class KeyTurnsTest : public testing::Test {
 protected:
  Task<void> hold(std::optional<KeyTurns::Turn>& turn) { turn.emplace(co_await turns_.of("k", loop_)); }
  Task<void> take(std::vector<int>& order, int number) {
    const KeyTurns::Turn turn = co_await turns_.of("k", loop_);
    order.push_back(number);
  }

  test::TestLoop loop_;
  KeyTurns turns_;
};

TEST_F(KeyTurnsTest, WaitersGoOnInTheirOrderAndNeedNoDeepStack) {
  constexpr int kMany = 100'000;
  std::vector<int> order;
  std::optional<KeyTurns::Turn> first;
  start(hold(first));
  for (int i = 0; i < kMany; ++i) start(take(order, i));
  EXPECT_TRUE(order.empty());
  first.reset();
  loop_.run_until([&] { return order.size() == kMany; });
  EXPECT_TRUE(std::ranges::is_sorted(order));
  EXPECT_TRUE(turns_.empty());
}

TEST_F(KeyTurnsTest, KeysDoNotWaitForEachOther) {
  std::optional<KeyTurns::Turn> first;
  start(hold(first));
  bool done = false;
  const auto other = [](KeyTurns& turns, Scheduler& loop) -> Task<void> { co_await turns.of("other", loop); };
  start(other(turns_, loop_), [&done] { done = true; });
  EXPECT_TRUE(done);
}

// Each loop's thread counts alone where it has the turn; nothing else guards the counter.
TEST_F(KeyTurnsTest, LoopsTakeTurns) {
  constexpr int kLoops = 4;
  constexpr int kEach = 2'000;
  int counter = 0;
  const auto count = [](KeyTurns& turns, Scheduler& loop, int& counter) -> Task<void> {
    for (int i = 0; i < kEach; ++i) {
      const KeyTurns::Turn turn = co_await turns.of("k", loop);
      ++counter;
    }
  };
  std::vector<std::jthread> threads;
  for (int i = 0; i < kLoops; ++i)
    threads.emplace_back([&] {
      test::TestLoop loop;
      loop.run(count(turns_, loop, counter));
    });
  threads.clear();
  EXPECT_EQ(counter, kLoops * kEach);
}

}  // namespace
}  // namespace holdfast::service
