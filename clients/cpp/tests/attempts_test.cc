// What is sent again and what is not, without a server and without a clock.
#include "attempts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

#include "verbs.h"
#include "wire.pb.h"

namespace holdfast::detail {
namespace {

using testing::HasSubstr;
using testing::Values;
using namespace std::chrono_literals;

// Told by the sidecar, with an ErrorInfo.
ErrorPtr told(Code code, const char* reason, std::map<std::string, std::string> metadata = {},
              const char* message = "said so") {
  cpp::wire::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain("holdfast");
  info.mutable_metadata()->insert(metadata.begin(), metadata.end());
  cpp::wire::Status status;
  auto& detail = *status.add_details();
  detail.set_type_url("type.googleapis.com/google.rpc.ErrorInfo");
  detail.set_value(info.SerializeAsString());
  return error_of_status(code, message, status.SerializeAsString());
}

// By gRPC itself.
ErrorPtr bare(Code code, const char* message) { return error_of_status(code, message, {}); }

const ErrorPtr kBusy = told(Code::unavailable, "OVERLOADED");
const ErrorPtr kDown = told(Code::unavailable, "UNAVAILABLE");
const ErrorPtr kUnknown = told(Code::unavailable, "OUTCOME_UNKNOWN");
const ErrorPtr kShort = told(Code::unavailable, "REPLICATION_SHORTFALL");
const ErrorPtr kMismatch = told(Code::failed_precondition, "PRECONDITION_FAILED", {{"current_etag", "\"7\""}});
const ErrorPtr kBroken = bare(Code::unavailable, "Socket closed");
const ErrorPtr kReset = bare(Code::internal, "Received RST_STREAM with error code 2");
const ErrorPtr kRemoved = bare(Code::unknown, "Stream removed");
const ErrorPtr kNotThere = bare(Code::unavailable, "failed to connect to all addresses; last error: refused");
const ErrorPtr kNoRoom = bare(Code::unavailable, "too many bytes in flight; try again later");

template <class Kind>
bool is(const ErrorPtr& error) {
  const Error* found = error.get();
  return found != nullptr && typeid(*found) == typeid(Kind);
}

// A call whose time passes by pauses only.
struct Sendings {
  explicit Sendings(Nature nature, Timeout timeout = 10s, Retry retry = {}) : attempts(nature, timeout, retry, now) {}

  // The error that the call ends with after these failures; null: it is sent once more.
  ErrorPtr after(const std::vector<ErrorPtr>& failures) {
    for (const ErrorPtr& failure : failures) {
      sent.push_back(attempts.begin(now));
      const auto next = attempts.failed(failure, now, 0.0);
      if (next.error) return next.error;
      pauses.push_back(next.pause);
      now += next.pause;
    }
    return nullptr;
  }

  Clock::time_point now{100s};
  Attempts attempts;
  std::vector<Timeout> sent;
  std::vector<milliseconds> pauses;
};

class Nothing : public testing::TestWithParam<ErrorPtr> {};
INSTANTIATE_TEST_SUITE_P(Applied, Nothing, Values(kBusy, kDown, kNotThere, kNoRoom));

TEST_P(Nothing, AppliedIsSentAgainWhateverItIs) {
  for (const Nature nature : {Nature::read, Nature::guarded, Nature::write}) {
    Sendings run(nature);
    EXPECT_EQ(run.after({GetParam(), GetParam()}), nullptr);
    EXPECT_EQ(run.pauses, (std::vector<milliseconds>{50ms, 100ms}));
    EXPECT_FALSE(run.attempts.is_lost());
  }
}

class Lost : public testing::TestWithParam<ErrorPtr> {};
INSTANTIATE_TEST_SUITE_P(Connection, Lost, Values(kBroken, kReset, kRemoved));

TEST_P(Lost, OfAReadIsSentAgain) { EXPECT_EQ(Sendings(Nature::read).after({GetParam()}), nullptr); }

TEST_P(Lost, OfAGuardedWriteIsSentAgainAndRemembered) {
  Sendings run(Nature::guarded);
  EXPECT_EQ(run.after({GetParam(), kBusy}), nullptr);
  EXPECT_TRUE(run.attempts.is_lost());
}

TEST_P(Lost, OfAnyOtherWriteIsAnUnknownOutcome) {
  Sendings run(Nature::write);
  const ErrorPtr error = run.after({GetParam()});
  EXPECT_TRUE(is<OutcomeUnknown>(error));
  EXPECT_EQ(error->reason(), "OUTCOME_UNKNOWN");
  EXPECT_EQ(error->cause(), GetParam());
  EXPECT_THAT(error->what(), HasSubstr(GetParam()->message()));
  EXPECT_TRUE(is<OutcomeUnknown>(Sendings(Nature::write).after({kBusy, GetParam()})));
}

TEST(Judged, IsNeverSentAgain) {
  for (const Nature nature : {Nature::read, Nature::guarded, Nature::write}) {
    EXPECT_TRUE(is<OutcomeUnknown>(Sendings(nature).after({kUnknown})));
    EXPECT_TRUE(is<ReplicationShortfall>(Sendings(nature).after({kShort})));
    EXPECT_TRUE(is<PreconditionFailed>(Sendings(nature).after({kMismatch})));
    EXPECT_TRUE(is<Conflict>(Sendings(nature).after({told(Code::aborted, "CONFLICT")})));
    EXPECT_TRUE(is<InvalidArgument>(Sendings(nature).after({told(Code::invalid_argument, "INVALID_ARGUMENT")})));
    EXPECT_TRUE(is<NotFound>(Sendings(nature).after({told(Code::not_found, "NOT_FOUND")})));
    EXPECT_TRUE(is<DeadlineExceeded>(Sendings(nature).after({bare(Code::deadline_exceeded, "Deadline Exceeded")})));
  }
}

TEST(GuardedWrite, AMismatchAfterALostConnectionMayBeTheFirstOnesSuccess) {
  const ErrorPtr error = Sendings(Nature::guarded).after({kBroken, kMismatch});
  EXPECT_TRUE(is<OutcomeUnknown>(error));
  EXPECT_EQ(error->current_etag(), "\"7\"");
  EXPECT_TRUE(is<PreconditionFailed>(error->cause()));
}

TEST(GuardedWrite, NothingThatFollowsMakesALostOneCertain) {
  const ErrorPtr error = Sendings(Nature::guarded).after({kBroken, kBusy, kBusy, kBusy, kBusy, kBusy});
  EXPECT_TRUE(is<OutcomeUnknown>(error));
  EXPECT_TRUE(is<Overloaded>(error->cause()));
}

TEST(Attempts, EndWithTheirNumber) {
  Sendings run(Nature::read, 10s, {.attempts = 3});
  EXPECT_TRUE(is<Unavailable>(run.after({kDown, kDown, kDown})));
  EXPECT_TRUE(is<Unavailable>(Sendings(Nature::read, 10s, {.attempts = 1}).after({kDown})));
}

TEST(Attempts, EndBeforeTheTimeIsOver) {
  Sendings run(Nature::read, 120ms);
  EXPECT_TRUE(is<Unavailable>(run.after({kDown, kDown})));
  EXPECT_EQ(run.sent, (std::vector<Timeout>{120ms, 70ms}));
  Sendings endless(Nature::read, std::nullopt);
  EXPECT_EQ(endless.after({kDown}), nullptr);
  EXPECT_EQ(endless.sent, (std::vector<Timeout>{std::nullopt}));
}

TEST(Attempts, EndWhenTheClientWasClosed) {
  EXPECT_TRUE(is<Cancelled>(Sendings(Nature::read).after({bare(Code::cancelled, "CANCELLED")})));
  EXPECT_TRUE(is<OutcomeUnknown>(Sendings(Nature::write).after({bare(Code::cancelled, "CANCELLED")})));
}

TEST(Pauses, GrowToTheLongestAndAreShorterByChance) {
  const Retry retry;
  EXPECT_EQ(delay_after(retry, 1, 0.0), 50ms);
  EXPECT_EQ(delay_after(retry, 4, 0.0), 400ms);
  EXPECT_EQ(delay_after(retry, 1000, 0.0), 1000ms);
  EXPECT_EQ(delay_after(retry, 1000, 1.0), 500ms);
}

TEST(Nature, IsDecidedByWhatASecondSendingWouldDo) {
  EXPECT_EQ(get("s", "k", {}).nature, Nature::read);
  EXPECT_EQ(put("s", "k", 1, {}).nature, Nature::write);
  EXPECT_EQ(put("s", "k", 1, {.if_present = true}).nature, Nature::write);
  EXPECT_EQ(put("s", "k", 1, {.etag = "\"1\""}).nature, Nature::guarded);
  EXPECT_EQ(put("s", "k", 1, {.if_absent = true}).nature, Nature::guarded);
  EXPECT_EQ(put("s", "k", 1, {.concurrency = ConcurrencyMode::first_write}).nature, Nature::guarded);
  EXPECT_EQ(put("s", "k", 1, {.etag = "\"1\"", .concurrency = ConcurrencyMode::last_write}).nature, Nature::write);
  EXPECT_EQ(erase("s", "k", {}).nature, Nature::write);
  EXPECT_EQ(erase("s", "k", {.etag = "\"1\""}).nature, Nature::guarded);
  EXPECT_EQ(increment("s", "k", 1, {}).nature, Nature::write);
  EXPECT_EQ(increment("s", "k", 1, {.etag = "\"1\""}).nature, Nature::guarded);
  EXPECT_EQ(erase_prefix("s", "k", {}).nature, Nature::write);
  const Put guarded{.key = "a", .value = 1, .if_absent = true}, plain{.key = "b", .value = 1};
  EXPECT_EQ(batch_write("s", {guarded, plain}, {}).nature, Nature::write);
  EXPECT_EQ(batch_write("s", {guarded, Delete{.key = "c", .etag = "\"1\""}}, {}).nature, Nature::guarded);
  EXPECT_EQ(batch_write("s", {}, {}).nature, Nature::write);
  EXPECT_EQ(transact("s", {guarded, plain}, {}).nature, Nature::guarded);
  EXPECT_EQ(transact("s", {Check{.key = "a", .etag = "\"1\""}, plain}, {}).nature, Nature::write);
}

TEST(Arguments, ThatContradictThemselvesAreNotSent) {
  EXPECT_THROW(put("s", "k", 1, {.etag = "\"1\"", .if_absent = true}), std::invalid_argument);
  EXPECT_THROW(put("s", "k", 1, {.if_absent = true, .if_present = true}), std::invalid_argument);
  EXPECT_THROW(put("s", "k", 1, {.etag = ""}), std::invalid_argument);
  EXPECT_THROW(put("s", "k", 1, {.etag = std::vector<std::string>()}), std::invalid_argument);
  EXPECT_THROW(put("s", "k", 1, {.ttl = -1ms}), std::invalid_argument);
  EXPECT_THROW(put("s", "k", 1, {.content_type = "text/plain"}), std::invalid_argument);
  EXPECT_THROW(erase("s", "k", {.concurrency = ConcurrencyMode::first_write}), std::invalid_argument);
  EXPECT_THROW(transact("s", {Check{.key = "k"}}, {}), std::invalid_argument);
  EXPECT_THROW(merge("s", "k", Json{"{}"}, {.if_absent = true}), std::invalid_argument);
  EXPECT_THROW(watch("s", {.prefix = "p", .key = "k"}), std::invalid_argument);
}

TEST(Errors, AreNamedByTheSidecarsReasonOrByTheStatus) {
  EXPECT_TRUE(is<PermissionDenied>(told(Code::permission_denied, "DENIED")));
  EXPECT_TRUE(is<EtagInvalid>(told(Code::failed_precondition, "ETAG_INVALID")));
  EXPECT_TRUE(is<CursorExpired>(told(Code::not_found, "NOT_FOUND", {}, "cursor-expired")));
  EXPECT_TRUE(is<StoreNotFound>(told(Code::not_found, "NOT_FOUND", {}, "there is no state store \"x\"")));
  EXPECT_TRUE(is<Overloaded>(kNoRoom));
  EXPECT_TRUE(is<Unauthenticated>(bare(Code::unauthenticated, "no token")));
  EXPECT_TRUE(is<TooLarge>(bare(Code::resource_exhausted, "too large")));
  EXPECT_TRUE(is<Error>(bare(Code::data_loss, "lost")));
  const ErrorPtr failed = told(Code::failed_precondition, "PRECONDITION_FAILED", {{"operation", "3"}});
  EXPECT_EQ(failed->operation(), 3);
  EXPECT_EQ(failed->current_etag(), std::nullopt);
  EXPECT_EQ(failed->status(), 412);
  EXPECT_THROW(failed->raise(), PreconditionFailed);
  EXPECT_THROW(told(Code::failed_precondition, "ETAG_INVALID")->raise(), PreconditionFailed);
  EXPECT_STREQ(failed->what(), "PRECONDITION_FAILED: said so");
}

TEST(Batches, AFailedConditionOfARepeatedOneIsAnUnknownOutcome) {
  const auto call = batch_write("s", {Put{.key = "k", .value = 1, .if_absent = true}}, {});
  const auto result_of = [&call](bool is_repeated) {
    pb::BatchWriteResponse answer;
    auto& failure = *answer.add_items()->mutable_failure();
    failure.set_code(static_cast<int>(Code::failed_precondition));
    failure.set_reason("PRECONDITION_FAILED");
    failure.set_current_etag("\"7\"");
    return call.read(answer, {.is_repeated = is_repeated}).front();
  };
  EXPECT_TRUE(is<PreconditionFailed>(result_of(false).error));
  EXPECT_TRUE(is<OutcomeUnknown>(result_of(true).error));
  EXPECT_EQ(result_of(true).error->current_etag(), "\"7\"");
}

}  // namespace
}  // namespace holdfast::detail
