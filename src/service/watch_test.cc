// Watching through the service: whose keys are told, under which names, and until when.
#include "service/watch.h"

#include <gtest/gtest.h>

#include "service/service.h"
#include "stores/memory/store.h"
#include "support/test_loop.h"

namespace holdfast::service {
namespace {

using Kind = state::WatchEvent::Kind;

class WatchTest : public ::testing::Test {
 protected:
  WatchTest() { place(Isolation::optional); }
  void TearDown() override {
    if (entry_) loop_.run(entry_->store->close({}));
  }

  void place(Isolation isolation) {
    entry_ = std::make_shared<StoreEntry>();
    entry_->name = "things";
    entry_->key_prefix = "app||";
    entry_->isolation = isolation;
    entry_->store = std::move(*loop_.run(core_.open(loop_)));
    table_.put(entry_);
  }
  CallContext as(const Grant* grant, std::optional<std::string_view> isolation = std::nullopt) {
    CallContext context;
    context.grant = grant;
    context.isolation = isolation;
    return context;
  }
  void put(std::string_view key, std::optional<std::string_view> isolation = std::nullopt) {
    state::SetRequest request;
    request.key = key;
    request.value = "v";
    ASSERT_TRUE(loop_.run(service_.set({*entry_, as(nullptr, isolation)}, request)));
  }
  Result<std::unique_ptr<Watch>> watch(CallContext context, WatchWhat what = {}) {
    auto watch = loop_.run(service_.watch(entry_, context, what));
    if (watch) {
      const auto first = event_of(**watch);
      EXPECT_TRUE(first && first->kind == Kind::ready && first->key.empty());
    }
    return watch;
  }
  std::optional<state::WatchEvent> event_of(Watch& watch) {
    if (!loop_.run(watch.wait())) return std::nullopt;
    state::WatchEvent event;
    return watch.take(event) ? std::optional(event) : std::nullopt;
  }
  std::string next(Watch& watch) {
    const auto event = event_of(watch);
    return event ? event->key : "<end>";
  }

  test::ManualClock clock_;
  test::TestLoop loop_;
  stores::memory::MemoryCore core_{clock_, {.component = "things", .bytes_max = 0, .feed = {}}};
  StoreTable table_;
  KeyTurns turns_;
  Service service_{table_, clock_, loop_, turns_};
  StoreRef entry_;
};

TEST_F(WatchTest, KeysAreTheCallersAndOthersAreNotShown) {
  const auto plain = watch(as(nullptr));
  const auto tenant = watch(as(nullptr, "K"));
  ASSERT_TRUE(plain && tenant);
  put("secret", "L");
  put("mine", "K");
  put("a");
  EXPECT_EQ(next(**plain), "a");
  EXPECT_EQ(next(**tenant), "mine");
  state::WatchEvent event;
  EXPECT_FALSE((*plain)->take(event));
  EXPECT_FALSE((*tenant)->take(event));
}

TEST_F(WatchTest, AnExactKeyHasNoNeighbours) {
  const auto one = watch(as(nullptr), {.prefix = {}, .key = "a", .resume = {}, .want_values = true});
  ASSERT_TRUE(one);
  put("ab");
  put("a");
  const auto event = event_of(**one);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->key, "a");
  EXPECT_EQ(event->record->value, "v");
}

TEST_F(WatchTest, ATokenWithAPrefixSeesItsKeysOnly) {
  const Grant grant{.prefix = "mine/"};
  const auto all = watch(as(&grant));
  ASSERT_TRUE(all);
  put("other/1");
  put("mine/1");
  EXPECT_EQ(next(**all), "mine/1");
  EXPECT_EQ(watch(as(&grant), {.prefix = "other/"}).error().code, Errc::denied);
  EXPECT_EQ(watch(as(&grant), {.prefix = {}, .key = "other/1"}).error().code, Errc::denied);
}

TEST_F(WatchTest, ATokenNeedsTheRightAndForValuesThatToReadThem) {
  const Grant reads{.rights = {Right::get, Right::list}};
  EXPECT_EQ(watch(as(&reads)).error().code, Errc::denied);
  const Grant watches{.rights = Right::watch};
  EXPECT_TRUE(watch(as(&watches)));
  EXPECT_EQ(watch(as(&watches), {.prefix = {}, .key = {}, .resume = {}, .want_values = true}).error().code,
            Errc::denied);
  const Grant elsewhere{.stores = {"others"}};
  EXPECT_EQ(watch(as(&elsewhere)).error().code, Errc::denied);
}

TEST_F(WatchTest, AStoreThatIsReplacedEndsItsWatchesAndOneThatIsRemovedToo) {
  const auto first = watch(as(nullptr));
  ASSERT_TRUE(first);
  const StoreRef old = entry_;
  place(Isolation::optional);
  EXPECT_EQ(next(**first), "<end>");
  const auto second = watch(as(nullptr));
  ASSERT_TRUE(second);
  table_.remove("things");
  EXPECT_EQ(next(**second), "<end>");
  ASSERT_TRUE(loop_.run(old->store->close({})));
}

}  // namespace
}  // namespace holdfast::service
