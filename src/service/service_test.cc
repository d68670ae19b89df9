#include "service/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/runtime.h"
#include "support/test_loop.h"

namespace holdfast::service {
namespace {

using state::Capabilities;
using state::Consistency;
using testing::ElementsAre;
using testing::Pair;

struct PrefixCase {
  const char* name;
  const char* strategy;  // null: the field is not there
  const char* app_id;
  const char* name_space;
  const char* prefix;
};

Result<std::string> prefix_of(const PrefixCase& c) {
  state::Component component;
  component.name = "cart";
  if (c.strategy != nullptr) component.properties.emplace_back("KeyPrefix", c.strategy);
  return key_prefix_of(component, c.app_id, c.name_space);
}

class KeyPrefix : public testing::TestWithParam<PrefixCase> {};

TEST_P(KeyPrefix, IsPutInFrontOfEveryKey) {
  const auto prefix = prefix_of(GetParam());
  ASSERT_TRUE(prefix);
  EXPECT_EQ(*prefix, GetParam().prefix);
}

INSTANTIATE_TEST_SUITE_P(
    Strategies, KeyPrefix,
    testing::Values(PrefixCase{"Default", nullptr, "app", "", "app||"}, PrefixCase{"Empty", "", "app", "", "app||"},
                    PrefixCase{"AppId", "AppID", "app", "", "app||"}, PrefixCase{"Name", "name", "app", "", "cart||"},
                    PrefixCase{"Namespace", "namespace", "app", "prod", "prod.app||"},
                    PrefixCase{"NoNamespace", "namespace", "app", "", "app||"},
                    PrefixCase{"None", "none", "app", "", ""}, PrefixCase{"OfOnesOwn", "MyTeam", "app", "", "myteam||"},
                    PrefixCase{"NoAppId", nullptr, "", "", ""},
                    PrefixCase{"NamespaceNoAppId", "namespace", "", "n", ""}),
    [](const auto& info) { return info.param.name; });

TEST(KeyPrefix, ThatHoldsASeparatorIsRefused) {
  const auto prefix = prefix_of({"", "a||b", "app", "", ""});
  ASSERT_FALSE(prefix);
  EXPECT_EQ(prefix.error().code, Errc::invalid_argument);
  EXPECT_EQ(prefix.error().message, "failed to save lock keyprefix: input key/keyPrefix 'a||b' can't contain '||'");
}

TEST(UserKey, StandsBetweenTheFirstAndTheSecondSeparator) {
  EXPECT_EQ(Service::user_key("app||k"), "k");
  EXPECT_EQ(Service::user_key("app||type||id||k"), "type");
  EXPECT_EQ(Service::user_key("plain"), "plain");
  EXPECT_EQ(Service::user_key("app||"), "");
  EXPECT_EQ(Service::user_key("app|||k"), "|k");
}

TEST(UserKey, MayHoldSinglePipesOnly) {
  EXPECT_TRUE(Service::check_key("a|b|"));
  EXPECT_TRUE(Service::check_key(""));
  const auto checked = Service::check_key("a||b");
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().message, "input key/keyPrefix 'a||b' can't contain '||'");
}

// A store that can do what a test says, and is asked nothing else.
class FakeStore final : public state::StateStore {
 public:
  explicit FakeStore(Capabilities can) : can_(can) {}
  const Capabilities& capabilities() const override { return can_; }
  Task<Result<std::optional<state::Record>>> get(state::CallContext, state::GetRequest request) override {
    keys.emplace_back(request.key);
    co_return std::nullopt;
  }
  Task<Result<state::Written>> set(state::CallContext, state::SetRequest request) override {
    keys.emplace_back(request.key);
    co_return state::Written{};
  }
  Task<Result<state::Deleted>> erase(state::CallContext, state::DeleteRequest request) override {
    keys.emplace_back(request.key);
    co_return state::Deleted{};
  }
  Task<Status> ping(state::CallContext) override { co_return Status{}; }
  Task<Status> close(state::CallContext) override { co_return Status{}; }

  std::vector<std::string> keys;

 private:
  Capabilities can_;
};

class ServiceTest : public testing::Test {
 protected:
  FakeStore& open(Capabilities can) {
    auto store = std::make_unique<FakeStore>(can);
    FakeStore& fake = *store;
    auto entry = std::make_unique<StoreEntry>();
    entry->name = "s";
    entry->key_prefix = "app||";
    entry->store = std::move(store);
    table_.put(std::move(entry));
    return fake;
  }
  StoreEntry& entry() { return *table_.find("s"); }

  // The fake store never waits, so a task is done when it has been started.
  template <class T>
  static T result_of(Task<T> task) {
    std::optional<T> result;
    start(std::move(task), [&result](T value) { result = std::move(value); });
    return std::move(*result);
  }

  StoreTable table_;
  test::TestLoop loop_;
  KeyTurns turns_;
  Service service_{table_, Clock::system(), loop_, turns_};
};

TEST_F(ServiceTest, KeysReachTheStoreWithTheirPrefix) {
  FakeStore& store = open({});
  state::GetRequest get;
  get.key = "a";
  EXPECT_TRUE(result_of(service_.get(Call{entry(), {}}, get)));
  state::SetRequest set;
  set.key = "b";
  EXPECT_TRUE(result_of(service_.set(Call{entry(), {}}, set)));
  EXPECT_TRUE(result_of(service_.erase(Call{entry(), {}}, {"c", {}})));
  EXPECT_THAT(store.keys, ElementsAre("app||a", "app||b", "app||c"));
}

TEST_F(ServiceTest, WhatTheStoreDoesNotDeclareIsRefusedBeforeItIsAsked) {
  FakeStore& store = open({});
  state::SetRequest conditional;
  conditional.key = "k";
  conditional.when = state::Precondition::absent();
  EXPECT_EQ(result_of(service_.set(Call{entry(), {}}, conditional)).error().code, Errc::unsupported);
  state::SetRequest expiring;
  expiring.key = "k";
  expiring.ttl = Milliseconds(1);
  EXPECT_EQ(result_of(service_.set(Call{entry(), {}}, expiring)).error().code, Errc::unsupported);
  const state::Operation operation = expiring;
  EXPECT_EQ(result_of(service_.transact(Call{entry(), {}}, {&operation, 1})).error().code, Errc::unsupported);
  EXPECT_TRUE(store.keys.empty());
}

TEST_F(ServiceTest, LimitsCountTheStoredKeyAndTheValue) {
  Capabilities can;
  can.key_bytes_max = 7;
  can.value_bytes_max = 2;
  open(can);
  state::SetRequest set;
  set.key = "kk";
  set.value = "vv";
  EXPECT_TRUE(result_of(service_.set(Call{entry(), {}}, set)));
  set.key = "kkk";
  EXPECT_EQ(result_of(service_.set(Call{entry(), {}}, set)).error().message,
            "the key is 8 bytes; state store s takes at most 7");
  set.key = "kk";
  set.value = "vvv";
  EXPECT_EQ(result_of(service_.set(Call{entry(), {}}, set)).error().message,
            "the value is 3 bytes; state store s takes at most 2");
}

TEST_F(ServiceTest, AnItemOfABulkWriteThatIsNotAdmittedFailsAlone) {
  Capabilities can;
  can.value_bytes_max = 2;
  FakeStore& store = open(can);
  std::vector<state::SetRequest> requests(3);
  requests[0].key = "a";
  requests[1].key = "b";
  requests[1].value = "too long";
  requests[2].key = "c";
  const auto results = result_of(service_.set_many(Call{entry(), {}}, requests));
  ASSERT_EQ(results.size(), 3u);
  EXPECT_TRUE(results[0]);
  EXPECT_EQ(results[1].error().code, Errc::invalid_argument);
  EXPECT_TRUE(results[2]);
  EXPECT_THAT(store.keys, ElementsAre("app||a", "app||c"));
}

TEST_F(ServiceTest, ACallWhoseCallerHasGoneDoesNotReachTheStore) {
  FakeStore& store = open({});
  Cancellation cancel;
  cancel.requested = true;
  CallContext context;
  context.cancel = &cancel;
  state::GetRequest get;
  get.key = "k";
  EXPECT_EQ(result_of(service_.get(Call{entry(), context}, get)).error().code, Errc::deadline_exceeded);
  EXPECT_TRUE(store.keys.empty());
}

TEST_F(ServiceTest, ALevelIsServedAtTheOneTheStoreNamesOrRefused) {
  Capabilities can;
  can.reads[static_cast<std::size_t>(Consistency::eventual)] = Consistency::session;
  can.writes[static_cast<std::size_t>(Consistency::eventual)] = Consistency::strong;
  open(can);
  EXPECT_EQ(Service::served_level(entry(), Consistency::eventual, false), Consistency::session);
  EXPECT_EQ(Service::served_level(entry(), Consistency::eventual, true), Consistency::strong);
  const auto refused = Service::served_level(entry(), Consistency::strong, false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::unsupported);
  EXPECT_EQ(refused.error().message, "state store s cannot keep consistency strong");
}

TEST_F(ServiceTest, NotAskingForALevelIsTheComponentsLevel) {
  Capabilities can;
  can.reads[static_cast<std::size_t>(Consistency::quorum)] = Consistency::strong;
  open(can);
  EXPECT_EQ(Service::served_level(entry(), Consistency::unspecified, false), Consistency::unspecified);
  entry().consistency = Consistency::quorum;
  EXPECT_EQ(Service::served_level(entry(), Consistency::unspecified, false), Consistency::strong);
}

TEST(StoreTableTest, AnEntryOfTheSameNameReplacesTheOldOne) {
  StoreTable table;
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(table.find("s"), nullptr);
  for (const char* type : {"state.a", "state.b"}) {
    auto entry = std::make_unique<StoreEntry>();
    entry->name = "s";
    entry->type = type;
    table.put(std::move(entry));
  }
  EXPECT_EQ(table.entries().size(), 1u);
  EXPECT_EQ(table.find("s")->type, "state.b");
}

TEST(RuntimeTest, ExtendedMetadataAlwaysNamesTheVersion) {
  Runtime runtime;
  runtime.version = "1.2.3";
  runtime.set_extended("cliPID", "7");
  runtime.set_extended("daprRuntimeVersion", "mine");
  EXPECT_THAT(runtime.extended(), ElementsAre(Pair("cliPID", "7"), Pair("daprRuntimeVersion", "1.2.3")));
}

}  // namespace
}  // namespace holdfast::service
