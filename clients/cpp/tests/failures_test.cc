// Lost connections, restarts, closed clients, sessions: in both forms. TEST_GATE is the sidecar behind a gate that
// loses connections when it is asked to.
#include <fstream>
#include <future>
#include <iterator>

#include "support.h"

// c-ares, by which gRPC resolves names, keeps what it has read of the machine's configuration.
extern "C" const char* __lsan_default_suppressions() { return "leak:libcares"; }

namespace holdfast::test {
namespace {

using namespace std::chrono_literals;

template <class Form>
class Failures : public testing::Test {
 protected:
  typename Form::Client through{variable("TEST_GATE")};
  typename Form::Store store = through.store(variable("TEST_STORE"));
  const std::string key = own_key();
};
TYPED_TEST_SUITE(Failures, Forms);

TYPED_TEST(Failures, AReadSurvivesALostConnection) {
  now(this->store.put(this->key, std::string(100, 'v')));
  for (const char* lost : {"request", "answer"}) {
    ask(std::string("cut ") + lost);
    EXPECT_EQ(now(this->store.get(this->key))->value, std::string(100, 'v'));
    ask("is cut");
  }
}

TYPED_TEST(Failures, AWriteIsNotRepeatedWhenItsConnectionIsLost) {
  auto& store = this->store;
  for (const std::string lost : {"request", "answer"}) {
    const std::string key = this->key + lost;
    now(store.get(key));
    ask("cut " + lost);
    EXPECT_THROW(now(store.increment(key, 1, {.want_record = true})), OutcomeUnknown);
    ask("is cut");
    const auto record = now(store.get(key));
    if (lost == "answer")
      EXPECT_EQ(record->integer(), 1) << "once, not twice";
    else
      EXPECT_EQ(record, std::nullopt);
  }
}

TYPED_TEST(Failures, AGuardedWriteIsRepeatedAndItsOutcomeKnownWhereItCanBe) {
  auto& store = this->store;
  const auto& key = this->key;
  const Written first = now(store.put(key, "1"));
  ask("cut request");
  const Written second = now(store.put(key, "2", {.etag = first.etag, .want_record = true}));
  ask("is cut");
  EXPECT_EQ(now(store.get(key))->etag, second.etag);
  ask("cut answer");
  try {
    now(store.put(key, "3", {.etag = second.etag, .want_record = true}));
    FAIL() << "nobody can know";
  } catch (const OutcomeUnknown& unknown) {
    const Record there = now(store.get(key)).value();
    EXPECT_EQ(there.value, "3");
    EXPECT_EQ(unknown.current_etag(), there.etag);
    EXPECT_NE(dynamic_cast<const PreconditionFailed*>(unknown.cause().get()), nullptr);
  }
  ask("is cut");
}

TYPED_TEST(Failures, NobodyThereIsUnavailableOnceTheAttemptsAreUsedUp) {
  typename TypeParam::Client lost("127.0.0.1:1", {.retry = {.attempts = 2, .first_delay = 1ms}});
  EXPECT_THROW(now(lost.store("mem").get("k")), Unavailable);
  EXPECT_THROW(now(lost.store("mem").put("k", 1)), Unavailable);
}

TYPED_TEST(Failures, AClosedClientEndsItsCallsAndConnectsAgain) {
  typename TypeParam::Client lost("127.0.0.1:1", {.timeout = 1min, .retry = {.attempts = 1000, .max_delay = 30s}});
  auto store = lost.store("mem");
  auto read = std::async(std::launch::async, [&store] { return now(store.get("k")); });
  // It waits between two attempts, or is about to.
  while (read.wait_for(1ms) != std::future_status::ready) lost.close();
  EXPECT_THROW(read.get(), Error);

  now(this->store.put(this->key, 1));
  this->through.close();
  EXPECT_EQ(now(this->store.get(this->key))->integer(), 1);
}

// On its own sidecar, which the test restarts.
template <class Form>
class Restarts : public testing::Test {};
TYPED_TEST_SUITE(Restarts, Forms);

TYPED_TEST(Restarts, ASidecarThatStartsAgainIsFound) {
  typename TypeParam::Client client(variable("TEST_MORTAL"),
                                    {.timeout = 30s, .retry = {.attempts = 1000, .max_delay = 200ms}});
  auto store = client.store("lite");
  now(store.put("k", "before"));
  ask("restart soon");
  EXPECT_EQ(now(store.get("k"))->value, "before") << "a read waits for it";
  ask("is ready");
  ask("restart soon");
  try {
    now(store.put("k", "after"));    // refused connections sent nothing
  } catch (const OutcomeUnknown&) {  // the old connection was not known to be dead yet
    now(store.put("k", "after"));
  }
  ask("is ready");
  EXPECT_EQ(now(store.get("k"))->value, "after");
}

TEST(Places, SocketsAndTlsAreReached) {
  Client by_socket("unix:" + variable("TEST_SOCKET"));
  by_socket.store("mem").put("k", "v");
  EXPECT_EQ(by_socket.store("mem").get("k")->value, "v");

  std::ifstream file(variable("TEST_CA"));
  const std::string ca{std::istreambuf_iterator<char>(file), {}};
  Client by_tls(variable("TEST_TLS"), {.tls = Tls{.ca = ca}});
  by_tls.store("mem").put("k", "v");
  EXPECT_EQ(by_tls.store("mem").get("k")->value, "v");
  Client distrustful(variable("TEST_TLS"), {.retry = {.attempts = 1}});
  EXPECT_THROW(distrustful.store("mem").get("k"), Unavailable);
}

// Two sidecars before one Redis whose replica is behind.
template <class Form>
class Sessions : public testing::Test {};
TYPED_TEST_SUITE(Sessions, Forms);

TYPED_TEST(Sessions, GoOnAtTheOtherSidecar) {
  typename TypeParam::Client first(variable("TEST_FIRST")), second(variable("TEST_SECOND"));
  const std::string key = own_key();
  auto mine = first.session();
  now(mine.store("red").put(key, "old"));
  ask("replica stands still");
  now(mine.store("red").put(key, "new"));
  EXPECT_FALSE(mine.session_token().empty());
  auto there = second.session(mine.session_token());
  for (int i = 0; i < 20; ++i) {
    const Record read = now(there.store("red").get(key)).value();
    EXPECT_EQ(read.value, "new");
    EXPECT_TRUE(read.consistency.has_value());
  }
  EXPECT_FALSE(there.session_token().empty());
  EXPECT_THROW(now(second.session("none of ours").store("red").get(key)), InvalidArgument) << "it was not sent";
  EXPECT_TRUE(second.session_token().empty()) << "a session's position is its own";
  ask("replica follows");
}

TYPED_TEST(Sessions, RememberWhatConcurrentCallsHaveWritten) {
  aio::Client first(variable("TEST_FIRST"));
  typename TypeParam::Client second(variable("TEST_SECOND"));
  auto store = first.store("red");
  const std::string key = own_key();
  for (int i = 0; i < 16; ++i) now(store.put(key + std::to_string(i), "old"));
  ask("replica stands still");
  std::vector<aio::Pending<Written>> under_way;
  for (int i = 0; i < 16; ++i) under_way.push_back(store.put(key + std::to_string(i), "new"));
  for (auto& put : under_way) put.get();
  auto there = second.session(first.session_token());
  for (int i = 0; i < 16; ++i) EXPECT_EQ(now(there.store("red").get(key + std::to_string(i)))->value, "new");
  ask("replica follows");
}

}  // namespace
}  // namespace holdfast::test
