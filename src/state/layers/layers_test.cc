#include "state/layers/layers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/faulty_store.h"
#include "support/map_store.h"
#include "support/test_loop.h"

namespace holdfast::state {
namespace {

using test::Fault;
using testing::ElementsAre;

constexpr Milliseconds kSoon{1};

SetRequest put(std::string_view key, std::string_view value) {
  SetRequest request;
  request.key = key;
  request.value = value;
  return request;
}

class LayersTest : public ::testing::Test {
 protected:
  LayersTest() {
    auto faulty = std::make_unique<test::FaultyStore>(std::make_unique<test::MapStore>(), loop_);
    faulty_ = faulty.get();
    store_ = std::move(faulty);
  }

  void protect(ResiliencyPolicy policy) { store_ = with_resiliency(std::move(store_), std::make_shared<SharedResiliency>(policy), loop_, clock_);  }
  Result<std::optional<Record>> get(std::string_view key, CallContext context = {}) {
    return loop_.run(store_->get(context, {.key = key}));
  }
  // The code of an answer; nothing when it succeeded.
  std::optional<Errc> get_code(CallContext context = {}) {
    const auto found = get("a", context);
    return found ? std::nullopt : std::optional(found.error().code);
  }
  std::size_t calls() const { return faulty_->calls().size(); }

  test::ManualClock clock_;
  test::TestLoop loop_;
  test::FaultyStore* faulty_ = nullptr;
  std::unique_ptr<StateStore> store_;
};

// Metrics.

class MetricsTest : public LayersTest {
 protected:
  MetricsTest() { store_ = with_metrics(std::move(store_), metrics_, clock_); }
  std::uint64_t count(OperationKind kind, bool success) const { return metrics_->series(kind, success).count(); }

  std::shared_ptr<StoreMetrics> metrics_ = std::make_shared<StoreMetrics>();
};

TEST_F(MetricsTest, CallsAreCountedByOperationAndSuccess) {
  faulty_->script({Fault::none(), Fault::none(), Fault::fails(Errc::precondition_failed)});
  ASSERT_TRUE(loop_.run(store_->set({}, put("a", "1"))));
  ASSERT_TRUE(get("a"));
  EXPECT_FALSE(get("a"));
  EXPECT_EQ(count(OperationKind::set, true), 1u);
  EXPECT_EQ(count(OperationKind::get, true), 1u);
  EXPECT_EQ(count(OperationKind::get, false), 1u);
  EXPECT_EQ(count(OperationKind::erase, true), 0u);
}

TEST_F(MetricsTest, ABulkCallCountsOnceAndABulkSaveIsASet) {
  const SetRequest sets[] = {put("a", "1"), put("b", "2")};
  loop_.run(store_->set_many({}, sets));
  EXPECT_EQ(count(OperationKind::set, true), 1u);
  faulty_->script({Fault::fails_items(Errc::unavailable, {1})});
  loop_.run(store_->set_many({}, sets));
  EXPECT_EQ(count(OperationKind::set, false), 1u);
  const GetRequest gets[] = {{.key = "a"}, {.key = "b"}};
  loop_.run(store_->get_many({}, gets));
  EXPECT_EQ(count(OperationKind::bulk_get, true), 1u);
  const DeleteRequest deletes[] = {{"a", {}}, {"b", {}}};
  loop_.run(store_->erase_many({}, deletes));
  EXPECT_EQ(count(OperationKind::bulk_delete, true), 1u);
}

TEST_F(MetricsTest, RefusalOfAnUndeclaredAbilityPassesThroughAndCounts) {
  EXPECT_EQ(loop_.run(store_->transact({}, {})).error().code, Errc::unsupported);
  EXPECT_EQ(loop_.run(store_->erase_with_dapr_prefix({}, "a")).error().code, Errc::unsupported);
  EXPECT_EQ(count(OperationKind::transaction, false), 1u);
  EXPECT_EQ(count(OperationKind::delete_prefix, false), 1u);
}

TEST(StoreMetrics, LatenciesFallIntoDaprsBuckets) {
  const auto bounds = latency_bounds_ms();
  ASSERT_EQ(bounds.size() + 1, Histogram::kBuckets);
  EXPECT_EQ(bounds.front(), 1);
  EXPECT_EQ(bounds.back(), 100000);
  StoreMetrics metrics;
  metrics.record(OperationKind::get, true, 0);
  metrics.record(OperationKind::get, true, 1'000'000);  // 1 ms, the bound itself
  metrics.record(OperationKind::get, true, 1'000'001);
  metrics.record(OperationKind::get, true, 7'000'000);        // between 6 and 8
  metrics.record(OperationKind::get, true, 200'000'000'000);  // beyond all
  const auto& series = metrics.series(OperationKind::get, true);
  EXPECT_EQ(series.bucket(0), 2u);
  EXPECT_EQ(series.bucket(1), 1u);
  EXPECT_EQ(series.bucket(6), 1u);
  EXPECT_EQ(series.bucket(Histogram::kBuckets - 1), 1u);
  EXPECT_EQ(series.count(), 5u);
  EXPECT_DOUBLE_EQ(series.sum(), 200'009.000001);
}

TEST(OperationNames, AreDaprs) {
  EXPECT_EQ(name_of(OperationKind::erase), "delete");
  EXPECT_EQ(name_of(OperationKind::bulk_get), "bulk_get");
  EXPECT_EQ(name_of(OperationKind::transaction), "transaction");
}

// Tracing.

class RecordingHook final : public TraceHook {
 public:
  std::uint64_t begin(OperationKind kind, const CallContext& context) override {
    log.push_back(std::string("begin ").append(name_of(kind)).append(" ").append(context.trace));
    return ++last;
  }
  void end(std::uint64_t token, const Error* error) override {
    log.push_back("end " + std::to_string(token) + (error != nullptr ? " " + std::string(name_of(error->code)) : ""));
  }
  std::uint64_t last = 0;
  std::vector<std::string> log;
};

TEST_F(LayersTest, EveryCallIsASpanThatKnowsItsError) {
  RecordingHook hook;
  store_ = with_tracing(std::move(store_), hook);
  faulty_->script({Fault::fails(Errc::unavailable)});
  CallContext context;
  context.trace = "parent";
  ASSERT_FALSE(get("a", context));
  ASSERT_TRUE(loop_.run(store_->set(context, put("a", "1"))));
  EXPECT_THAT(hook.log, ElementsAre("begin get parent", "end 1 " + std::string(name_of(Errc::unavailable)),
                                    "begin set parent", "end 2"));
}

TEST_F(LayersTest, ASpanBeginsWhenTheCallDoesAndNotWhenItsTaskIsMade) {
  RecordingHook hook;
  store_ = with_tracing(std::move(store_), hook);
  auto task = store_->get({}, {.key = "a"});
  EXPECT_TRUE(hook.log.empty());
  ASSERT_TRUE(loop_.run(std::move(task)));
  EXPECT_EQ(hook.log.size(), 2u);
}

// Timeout.

TEST_F(LayersTest, TimeoutShortensTheDeadlineAndNeverLengthensIt) {
  protect({.timeout = Milliseconds(100), .retry = {}, .breaker = {}});
  ASSERT_TRUE(get("a"));
  CallContext context;
  context.deadline = clock_.steady() + Milliseconds(10);
  ASSERT_TRUE(get("a", context));
  EXPECT_EQ(faulty_->calls()[0].deadline, clock_.steady() + Milliseconds(100));
  EXPECT_EQ(faulty_->calls()[1].deadline, clock_.steady() + Milliseconds(10));
}

TEST_F(LayersTest, APolicyThatSaysNothingAddsNothing) {
  StateStore* before = store_.get();
  protect({});
  EXPECT_EQ(store_.get(), before);
}

// Retry.

RetryPolicy constant(std::int64_t retries_max) {
  RetryPolicy policy;
  policy.interval = kSoon;
  policy.retries_max = retries_max;
  return policy;
}

TEST_F(LayersTest, WhatMayPassIsTriedAgainUntilItSucceeds) {
  protect({.timeout = {}, .retry = constant(5), .breaker = {}});
  for (const Errc code : {Errc::unavailable, Errc::overloaded, Errc::conflict, Errc::deadline_exceeded, Errc::internal})
    faulty_->script({Fault::fails(code)});
  EXPECT_TRUE(get("a"));
  EXPECT_EQ(calls(), 6u);
}

TEST_F(LayersTest, WhatCannotPassOrMayHaveHappenedIsNotTriedAgain) {
  protect({.timeout = {}, .retry = constant(5), .breaker = {}});
  for (const Errc code : {Errc::precondition_failed, Errc::etag_invalid, Errc::invalid_argument, Errc::unsupported,
                          Errc::denied, Errc::not_found, Errc::outcome_unknown, Errc::replication_shortfall}) {
    const std::size_t before = calls();
    faulty_->script({Fault::fails(code)});
    EXPECT_EQ(get_code(), code);
    EXPECT_EQ(calls(), before + 1) << name_of(code);
  }
}

TEST_F(LayersTest, AWriteWhoseAnswerWasLostIsNotSentAgain) {
  protect({.timeout = {}, .retry = constant(5), .breaker = {}});
  faulty_->script({Fault::loses_answer()});
  EXPECT_EQ(loop_.run(store_->set({}, put("a", "1"))).error().code, Errc::outcome_unknown);
  EXPECT_EQ(calls(), 1u);
  EXPECT_EQ(get("a")->value().value, "1");
}

TEST_F(LayersTest, RetriesEndAtTheirNumberWithTheLastError) {
  protect({.timeout = {}, .retry = constant(2), .breaker = {}});
  faulty_->script({Fault::fails(Errc::unavailable), Fault::fails(Errc::unavailable),
                   Fault::fails(Errc::overloaded, "the last"), Fault::fails(Errc::unavailable)});
  const auto found = get("a");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message, "the last");
  EXPECT_EQ(calls(), 3u);
}

TEST_F(LayersTest, NoRetriesMeansNone) {
  protect({.timeout = {}, .retry = constant(0), .breaker = {}});
  faulty_->script({Fault::fails(Errc::unavailable)});
  EXPECT_EQ(get_code(), Errc::unavailable);
  EXPECT_EQ(calls(), 1u);
}

TEST_F(LayersTest, NobodyWaitsForAnAttemptThatWouldComeAfterTheDeadline) {
  RetryPolicy policy;  // every five seconds, for ever
  protect({.timeout = {}, .retry = policy, .breaker = {}});
  faulty_->script({Fault::fails(Errc::unavailable)});
  CallContext context;
  context.deadline = clock_.steady() + Milliseconds(4999);
  EXPECT_EQ(get_code(context), Errc::unavailable);
  EXPECT_EQ(calls(), 1u);
}

TEST_F(LayersTest, CancellationEndsTheRetries) {
  RetryPolicy policy;
  policy.interval = Milliseconds(3600 * 1000);
  protect({.timeout = {}, .retry = policy, .breaker = {}});
  faulty_->script({Fault::fails(Errc::unavailable)});
  Cancellation cancel;
  CallContext context;
  context.cancel = &cancel;
  std::optional<Result<std::optional<Record>>> answer;
  start(store_->get(context, {.key = "a"}),
        [&answer](Result<std::optional<Record>> found) { answer.emplace(std::move(found)); });
  EXPECT_FALSE(answer);
  cancel.requested = true;
  loop_.run_until([&answer] { return answer.has_value(); });
  EXPECT_EQ(answer->error().code, Errc::unavailable);
  EXPECT_EQ(calls(), 1u);
}

TEST_F(LayersTest, ExponentialRetriesEndWhenTheirTimeIsUp) {
  RetryPolicy policy;
  policy.exponential = true;
  policy.initial = Milliseconds(2);
  policy.interval_max = Milliseconds(2);
  policy.elapsed_max = Milliseconds(10);
  protect({.timeout = {}, .retry = policy, .breaker = {}});
  faulty_->script(std::vector<Fault>(100, Fault::fails(Errc::unavailable)));
  bool done = false;
  start(store_->get({}, {.key = "a"}), [&done](const Result<std::optional<Record>>& found) { done = !found; });
  loop_.run_until([this, &done] {
    clock_.advance(Milliseconds(1));
    return done;
  });
  EXPECT_GE(calls(), 2u);
  EXPECT_LT(calls(), 100u);
}

TEST_F(LayersTest, ABulkCallRetriesOnlyTheItemsThatMayPass) {
  protect({.timeout = {}, .retry = constant(5), .breaker = {}});
  const GetRequest gets[] = {{.key = "a"}, {.key = "b"}, {.key = "c"}, {.key = "d"}};
  const SetRequest sets[] = {put("a", "1"), put("b", "2"), put("c", "3"), put("d", "4")};
  for (const auto& written : loop_.run(store_->set_many({}, sets))) ASSERT_TRUE(written);
  // First b and d fail; of these two, tried again, the second (d) fails once more.
  faulty_->script({Fault::fails_items(Errc::unavailable, {1, 3}), Fault::fails_items(Errc::unavailable, {1})});
  const auto records = loop_.run(store_->get_many({}, gets));
  ASSERT_EQ(records.size(), 4u);
  std::string values;
  for (const auto& record : records) {
    ASSERT_TRUE(record && *record);
    values += (**record).value;
  }
  EXPECT_EQ(values, "1234");
  EXPECT_EQ(calls(), 4u);
}

TEST_F(LayersTest, ABulkCallLeavesRefusedItemsAsTheyAre) {
  protect({.timeout = {}, .retry = constant(5), .breaker = {}});
  const GetRequest gets[] = {{.key = "a"}, {.key = "b"}};
  Fault mixed = Fault::fails_items(Errc::precondition_failed, {0});
  faulty_->script({mixed});
  const auto records = loop_.run(store_->get_many({}, gets));
  ASSERT_FALSE(records[0]);
  EXPECT_EQ(records[0].error().code, Errc::precondition_failed);
  EXPECT_TRUE(records[1]);
  EXPECT_EQ(calls(), 1u);
}

TEST_F(LayersTest, EachAttemptHasItsOwnTimeout) {
  protect({.timeout = Milliseconds(100), .retry = constant(1), .breaker = {}});
  faulty_->script({Fault::fails(Errc::deadline_exceeded)});
  bool done = false;
  start(store_->get({}, {.key = "a"}), [&done](const Result<std::optional<Record>>&) { done = true; });
  clock_.advance(Milliseconds(50));
  loop_.run_until([&done] { return done; });
  ASSERT_EQ(calls(), 2u);
  EXPECT_EQ(faulty_->calls()[1].deadline - faulty_->calls()[0].deadline, Milliseconds(50));
}

// Breaker.

class BreakerTest : public LayersTest {
 protected:
  void protect_with(BreakerPolicy breaker, std::optional<RetryPolicy> retry = std::nullopt) {
    protect({.timeout = {}, .retry = retry, .breaker = breaker});
  }
  void fail_times(std::size_t times) {
    faulty_->script(std::vector<Fault>(times, Fault::fails(Errc::unavailable, "down")));
    for (std::size_t i = 0; i < times; ++i) get_code();
  }
  bool is_open() {
    const std::size_t before = calls();
    const auto found = get("a");
    if (found || found.error().message != "circuit breaker is open") return false;
    EXPECT_EQ(found.error().code, Errc::unavailable);
    EXPECT_EQ(calls(), before);
    return true;
  }
};

TEST_F(BreakerTest, OpensAfterMoreThanTheAllowedFailuresInARow) {
  protect_with({.consecutive_failures_max = 2});
  fail_times(2);
  EXPECT_FALSE(is_open());  // and this success begins a new row
  fail_times(2);
  EXPECT_FALSE(is_open());
  fail_times(3);
  EXPECT_TRUE(is_open());
}

TEST_F(BreakerTest, EveryErrorIsAFailureAlsoARefusedEtag) {
  protect_with({.consecutive_failures_max = 1});
  faulty_->script({Fault::fails(Errc::precondition_failed), Fault::fails(Errc::invalid_argument)});
  get_code();
  get_code();
  EXPECT_TRUE(is_open());
}

TEST_F(BreakerTest, ClosesAgainAfterASuccessWhenItsTimeIsUp) {
  protect_with({.consecutive_failures_max = 0, .half_open_max = 1, .interval = {}, .open_time = Milliseconds(1000)});
  fail_times(1);
  clock_.advance(Milliseconds(999));
  EXPECT_TRUE(is_open());
  clock_.advance(Milliseconds(1));
  EXPECT_TRUE(get("a"));
  EXPECT_FALSE(is_open());
}

TEST_F(BreakerTest, AFailureWhileHalfOpenOpensItForAnotherTime) {
  protect_with({.consecutive_failures_max = 3, .half_open_max = 1, .interval = {}, .open_time = Milliseconds(1000)});
  fail_times(4);
  clock_.advance(Milliseconds(1000));
  fail_times(1);
  EXPECT_TRUE(is_open());
  clock_.advance(Milliseconds(999));
  EXPECT_TRUE(is_open());
  clock_.advance(Milliseconds(1));
  EXPECT_FALSE(is_open());
}

TEST_F(BreakerTest, HalfOpenLetsOnlyAsManyCallsTryAsItMay) {
  protect_with({.consecutive_failures_max = 0, .half_open_max = 2, .interval = {}, .open_time = Milliseconds(1000)});
  fail_times(1);
  clock_.advance(Milliseconds(1000));
  faulty_->script({Fault::takes(kSoon), Fault::takes(kSoon)});
  int ended = 0;
  const auto count = [&ended](const Result<std::optional<Record>>& found) { ended += found ? 1 : 0; };
  start(store_->get({}, {.key = "a"}), count);
  start(store_->get({}, {.key = "a"}), count);
  EXPECT_EQ(get("a").error().message, "too many requests");
  loop_.run_until([&ended] { return ended == 2; });
  EXPECT_FALSE(is_open());
}

TEST_F(BreakerTest, ACallThatBeganBeforeItOpenedDoesNotCloseIt) {
  protect_with({.consecutive_failures_max = 0, .half_open_max = 1, .interval = {}, .open_time = Milliseconds(1000)});
  faulty_->script({Fault::takes(kSoon)});
  bool done = false;
  start(store_->get({}, {.key = "slow"}), [&done](const Result<std::optional<Record>>&) { done = true; });
  fail_times(1);
  loop_.run_until([&done] { return done; });
  EXPECT_TRUE(is_open());
}

TEST_F(BreakerTest, CountsAreForgottenAtTheInterval) {
  protect_with({.consecutive_failures_max = 1,
                .half_open_max = 1,
                .interval = Milliseconds(100),
                .open_time = Milliseconds(1000)});
  fail_times(1);
  clock_.advance(Milliseconds(100));
  fail_times(1);
  EXPECT_FALSE(is_open());
}

TEST_F(BreakerTest, AnOpenBreakerEndsTheRetries) {
  protect_with({.consecutive_failures_max = 0}, constant(5));
  faulty_->script({Fault::fails(Errc::unavailable, "down"), Fault::fails(Errc::unavailable, "down")});
  const auto found = get("a");
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().message, "circuit breaker is open");
  EXPECT_EQ(calls(), 1u);
}

TEST_F(BreakerTest, AnOpenBreakerRefusesEveryItemOfABulkCall) {
  protect_with({.consecutive_failures_max = 0});
  fail_times(1);
  const GetRequest gets[] = {{.key = "a"}, {.key = "b"}};
  const auto records = loop_.run(store_->get_many({}, gets));
  ASSERT_EQ(records.size(), 2u);
  for (const auto& record : records) {
    ASSERT_FALSE(record);
    EXPECT_EQ(record.error().message, "circuit breaker is open");
  }
}

TEST_F(BreakerTest, PingLooksAtTheStoreItself) {
  protect_with({.consecutive_failures_max = 0});
  fail_times(1);
  EXPECT_TRUE(loop_.run(store_->ping({})));
}

}  // namespace
}  // namespace holdfast::state
