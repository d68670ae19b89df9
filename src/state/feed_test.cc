#include "state/feed.h"

#include <gtest/gtest.h>

#include "support/test_loop.h"

namespace holdfast::state {
namespace {

using Kind = WatchEvent::Kind;

class FeedTest : public ::testing::Test {
 protected:
  void open(FeedLimits limits = {}) {
    feed_ = std::make_unique<Feed>(limits);
    listener_ = std::make_shared<Listener>(*feed_, loop_);
  }
  void TearDown() override { listener_->close(); }

  std::unique_ptr<FeedWatcher> watch(std::string_view prefix, std::string_view resume = "", bool values = true) {
    WatchRequest request;
    request.prefix = prefix;
    request.resume = resume;
    request.want_values = values;
    return listener_->watch(request, [] {});
  }
  bool put(std::string_view key, std::string value = "v") {
    if (!feed_->wants(key)) return false;
    const bool whole = feed_->wants_values();
    Record record;
    record.etag = "e";
    if (whole) record.value = std::move(value);
    feed_->publish({.kind = Kind::put, .key = std::string(key), .record = std::move(record), .has_value = whole});
    return true;
  }
  // What a watcher is told next: a key, or the name of a mark.
  std::string next(FeedWatcher& watcher) {
    const auto event = loop_.run(watcher.next());
    if (!event || !*event) return "<end>";
    token_ = (*event)->resume;
    if ((*event)->kind == Kind::ready) return "<ready>";
    if ((*event)->kind == Kind::resync) return "<resync>";
    return (*event)->key;
  }

  test::TestLoop loop_;
  std::unique_ptr<Feed> feed_;
  std::shared_ptr<Listener> listener_;
  std::string token_;
};

TEST_F(FeedTest, KeysThatNobodyWatchesAreNotWanted) {
  open();
  EXPECT_FALSE(put("a/1"));
  const auto watcher = watch("a/");
  EXPECT_TRUE(put("a/1"));
  EXPECT_FALSE(put("b/1"));
  EXPECT_FALSE(put("a"));
}

TEST_F(FeedTest, EveryPrefixOfAKeyIsTold) {
  open();
  std::vector<std::unique_ptr<FeedWatcher>> watchers;
  for (const char* prefix : {"", "a", "ab", "abc", "abd", "b", "abcdef", "aa"}) watchers.push_back(watch(prefix));
  ASSERT_TRUE(put("abcd"));
  ASSERT_TRUE(put("last"));  // which only the empty prefix has
  for (const auto& watcher : watchers) EXPECT_EQ(next(*watcher), "<ready>");
  EXPECT_EQ(next(*watchers[0]), "abcd");  // by then all have been told
  EXPECT_EQ(next(*watchers[0]), "last");
  std::string told;
  for (const auto& watcher : watchers) {
    const auto event = watcher->poll();
    told += event ? event->key + " " : "- ";
  }
  EXPECT_EQ(told, "- abcd abcd abcd - - - - ");
}

TEST_F(FeedTest, WhoComesBackGoesOnThoughNobodyWatchedMeanwhile) {
  open();
  {
    const auto watcher = watch("a/");
    EXPECT_EQ(next(*watcher), "<ready>");
  }
  ASSERT_TRUE(put("a/1"));
  const auto again = watch("a/", token_);
  EXPECT_EQ(next(*again), "<ready>");
  EXPECT_EQ(next(*again), "a/1");
}

TEST_F(FeedTest, ATokenFromBeforeThePrefixWasWatchedIsNotContinued) {
  open();
  const auto other = watch("b/");
  EXPECT_EQ(next(*other), "<ready>");
  ASSERT_TRUE(put("b/1"));
  const std::string token = token_;
  EXPECT_EQ(next(*other), "b/1");
  EXPECT_FALSE(put("a/1"));  // lost to whoever watches a/ later
  const auto late = watch("a/", token);
  EXPECT_EQ(next(*late), "<resync>");
}

TEST_F(FeedTest, APrefixIsForgottenWhenTheRingHasTurnedOver) {
  open({.ring_events_max = 4});
  watch("a/");
  const auto other = watch("b/");
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(put("b/1"));
  EXPECT_FALSE(put("a/1"));
}

TEST_F(FeedTest, NoMorePrefixesAreKeptThanAllowed) {
  open({.kept_prefixes_max = 2});
  for (const char* prefix : {"a/", "b/", "c/", "a/"}) watch(prefix);
  EXPECT_TRUE(put("a/1"));
  EXPECT_FALSE(put("b/1"));
  EXPECT_TRUE(put("c/1"));
}

TEST_F(FeedTest, WhoWantsValuesIsNotContinuedWithEventsThatLackThem) {
  open();
  const auto brief = watch("a/", "", false);
  EXPECT_EQ(next(*brief), "<ready>");
  const std::string token = token_;
  ASSERT_TRUE(put("a/1"));
  const auto whole = watch("a/", token, true);
  EXPECT_EQ(next(*whole), "<resync>");
  ASSERT_TRUE(put("a/2"));
  EXPECT_EQ(next(*whole), "a/2");
}

TEST_F(FeedTest, ASlowWatcherHoldsNoEventThatTheRingLetGo) {
  open({.ring_events_max = 4});
  const auto slow = watch("a/");
  const auto quick = watch("a/");
  EXPECT_EQ(next(*slow), "<ready>");
  EXPECT_EQ(next(*quick), "<ready>");
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(put("a/" + std::to_string(i)));
    EXPECT_EQ(next(*quick), "a/" + std::to_string(i));
  }
  EXPECT_EQ(next(*slow), "<resync>");
  ASSERT_TRUE(put("a/new"));
  EXPECT_EQ(next(*slow), "a/new");
}

TEST_F(FeedTest, ALossIsToldToEverybodyAndToWhoComesBack) {
  open();
  const auto watcher = watch("a/");
  EXPECT_EQ(next(*watcher), "<ready>");
  const std::string token = token_;
  feed_->publish_loss();
  ASSERT_TRUE(put("a/1"));
  const auto again = watch("a/", token);
  EXPECT_EQ(next(*watcher), "<resync>");
  EXPECT_EQ(next(*watcher), "a/1");
  EXPECT_EQ(next(*again), "<ready>");
  EXPECT_EQ(next(*again), "<resync>");
  EXPECT_EQ(next(*again), "a/1");
}

TEST_F(FeedTest, AnEngineWithALogContinuesWhatTheRingCannot) {
  open();
  const auto watcher = watch("a/", "nobody's token");
  ASSERT_TRUE(watcher->is_lost());
  auto missed = std::make_shared<FeedEvent>();
  missed->kind = Kind::erase;
  missed->key = "a/0";
  watcher->continue_with({missed});
  ASSERT_TRUE(put("a/1"));
  EXPECT_EQ(next(*watcher), "<ready>");
  EXPECT_EQ(next(*watcher), "a/0");
  EXPECT_EQ(next(*watcher), "a/1");
}

TEST_F(FeedTest, ManyWatchersAreWokenInTurns) {
  open();
  std::vector<std::unique_ptr<FeedWatcher>> watchers;
  std::size_t told = 0;
  for (int i = 0; i < 1000; ++i) {
    watchers.push_back(watch("a/"));
    watchers.back()->poll();
    start(watchers.back()->next(),
          [&told](const Result<std::optional<WatchEvent>>& event) { told += event && *event; });
  }
  ASSERT_TRUE(put("a/1"));
  loop_.run_until([&told] { return told == 1000; });
}

// A loop that counts what it is asked for.
class CountingLoop final : public Scheduler {
 public:
  void post(Work work) override {
    ++posted;
    loop.post(std::move(work));
  }
  void soon(Work work) override {
    ++soons;
    loop.post(std::move(work));
  }
  TimerId after(std::chrono::milliseconds delay, Work work) override { return loop.after(delay, std::move(work)); }
  void cancel(TimerId timer) override { loop.cancel(timer); }
  bool is_current() const override { return is_here && loop.is_current(); }

  test::TestLoop loop;
  bool is_here = true;
  int posted = 0;
  int soons = 0;
};

TEST(FeedWaking, EventsThatComeOneByOneAreNotWaitedForAndThoseOfOneTurnComeTogether) {
  CountingLoop counting;
  Feed feed({});
  const auto listener = std::make_shared<Listener>(feed, counting);
  WatchRequest request;
  request.prefix = "a/";
  const auto watcher = listener->watch(request, [] {});
  const auto publish = [&feed] { feed.publish({.kind = Kind::put, .key = "a/1", .record = Record()}); };
  int told = 0;
  WatchEvent event;
  const auto drain = [&](int events) {
    told = 0;
    counting.loop.run_until([&] {
      while (watcher->take(event)) told += event.kind == Kind::put ? 1 : 0;
      return told == events;
    });
  };
  const auto alone = [&] {
    publish();
    drain(1);
  };
  alone();
  EXPECT_EQ(counting.posted, 1) << "nothing is known yet";
  for (int i = 0; i < 16; ++i) alone();
  EXPECT_EQ(counting.soons, 16);
  EXPECT_EQ(counting.posted, 1);
  publish();
  publish();
  drain(2);
  EXPECT_EQ(counting.posted, 2) << "looks again whether they come together";
  alone();
  EXPECT_EQ(counting.posted, 3) << "they did";
  alone();
  EXPECT_EQ(counting.soons, 17);
  counting.is_here = false;
  alone();
  EXPECT_EQ(counting.posted, 4) << "another thread can only post";
  listener->close();
}

TEST_F(FeedTest, AWatcherAfterTheLastOneHasLeftMissesNothing) {
  open();
  {
    const auto watcher = watch("a/");
    EXPECT_EQ(next(*watcher), "<ready>");
    ASSERT_TRUE(put("a/1"));
  }
  ASSERT_TRUE(put("a/2"));
  const auto again = watch("a/", token_);
  EXPECT_EQ(next(*again), "<ready>");
  EXPECT_EQ(next(*again), "a/1");
  EXPECT_EQ(next(*again), "a/2");
  ASSERT_TRUE(put("a/3"));
  EXPECT_EQ(next(*again), "a/3");
}

}  // namespace
}  // namespace holdfast::state
