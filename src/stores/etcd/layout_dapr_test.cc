// Data that Dapr wrote is read and continued, and what we write lies where Dapr looks for it: as raw keys of etcd.
#include <gtest/gtest.h>

#include <thread>

#include "stores/etcd/layout.h"
#include "stores/etcd/store_testing.h"
#include "support/workers.h"

namespace holdfast::stores::etcd {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;
using test::save;
using test::Stores;

class EtcdLayouts : public testing::Test {
 protected:
  void SetUp() override { HOLDFAST_NEEDS_ETCD(test::EtcdVersion::v3_5); }
  static test::EtcdServer& server() {
    static test::EtcdServer made;
    return made;
  }
  static std::unique_ptr<Stores> stores(const state::StoreType& type, std::string prefix) {
    return std::make_unique<Stores>(core_of(type, {{"endpoints", server().address()}, {"keyPrefixPath", prefix}}));
  }
  static std::optional<state::Record> record(Stores& stores, std::string_view key) {
    auto got = stores.ask([=](state::StateStore& store) { return store.get({}, {.key = key, .want_fields = true}); });
    if (!got) throw std::runtime_error(got.error().message);
    return std::move(*got);
  }
};

TEST_F(EtcdLayouts, ValuesOfV1AreAsTheyAreUnderTheirKeys) {
  const auto store = stores(kEtcdV1Type, "/v1");
  ASSERT_TRUE(store->set(save("app||k", R"({"a":1})")));
  const auto raw = server().client().get("/v1/app||k");
  ASSERT_TRUE(raw);
  EXPECT_EQ(raw->value, R"({"a":1})");
  EXPECT_EQ(raw->lease, 0);
  EXPECT_EQ(record(*store, "app||k")->etag, std::to_string(raw->mod_revision));
}

TEST_F(EtcdLayouts, NothingOfOursIsAmongTheKeysOfRecords) {
  for (const state::StoreType* type : {&kEtcdV1Type, &kEtcdV2Type}) {
    const std::string prefix = "/only-" + std::string(type->version);
    const auto store = stores(*type, prefix);
    ASSERT_TRUE(store->set(save("app||k", "1")));
    ASSERT_TRUE(store->set(save("app||k", "2")));
    EXPECT_EQ(server().client().get_prefix(prefix + "/").size(), 1u);
    const auto erased = store->ask([](state::StateStore& one) { return one.erase({}, {.key = "app||k", .when = {}}); });
    ASSERT_TRUE(erased);
    EXPECT_TRUE(server().client().get_prefix(prefix).empty()) << "a deletion leaves nothing behind";
  }
}

TEST_F(EtcdLayouts, DaprsRecordsOfV1AreReadAndContinued) {
  const std::int64_t lease = server().client().grant(100);
  const std::int64_t revision = server().client().put("/of-dapr/app||k", "from Dapr", lease);
  const auto store = stores(kEtcdV1Type, "/of-dapr");
  const auto found = record(*store, "app||k");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->value, "from Dapr");
  EXPECT_EQ(found->etag, std::to_string(revision));
  EXPECT_FALSE(found->fields) << "nobody knows them";
  // Dapr does not report it.
  ASSERT_TRUE(found->expires_at);
  EXPECT_NEAR(static_cast<double>(found->expires_at->ms()), static_cast<double>(Clock::system().wall().ms() + 100'000),
              10'000);
  const std::string_view etag = found->etag;
  ASSERT_TRUE(store->set(save("app||k", "ours", state::Precondition::one_of({&etag, 1}))));
  const auto raw = server().client().get("/of-dapr/app||k");
  EXPECT_EQ(raw->value, "ours");
  EXPECT_EQ(raw->lease, 0) << "a save without a time to live ends the earlier one";
}

TEST_F(EtcdLayouts, WhatDaprHasWrittenAnewHasNoFieldsOfOurs) {
  for (const state::StoreType* type : {&kEtcdV1Type, &kEtcdV2Type}) {
    const std::string prefix = "/anew-" + std::string(type->version);
    const auto store = stores(*type, prefix);
    ASSERT_TRUE(store->set(save("k", "ours")));
    ASSERT_TRUE(record(*store, "k")->fields);
    const std::string value = type == &kEtcdV1Type ? "Dapr's"
                                                   : "\x0a\x06"
                                                     "Dapr's"
                                                     "\x12\x06\x08\x80\xe2\xcf\xaa\x06\x1a\x00"s;
    server().client().put(prefix + "/k", value);
    const auto found = record(*store, "k");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->value, "Dapr's");
    EXPECT_FALSE(found->fields);
    EXPECT_FALSE(found->expires_at) << "Dapr's own reader says that it expired when it was written";
  }
}

TEST_F(EtcdLayouts, ValuesOfV2AreDaprsMessage) {
  const auto store = stores(kEtcdV2Type, "/v2");
  ASSERT_TRUE(store->set(save("app||k", "value")));
  const auto raw = server().client().get("/v2/app||k");
  ASSERT_TRUE(raw);
  EXPECT_TRUE(raw->value.starts_with("\x0a\x05value\x12"sv));
  const auto message = read_message(raw->value);
  ASSERT_TRUE(message);
  EXPECT_FALSE(message->expires);
  state::SetRequest timed = save("app||timed", "value");
  timed.ttl = Milliseconds(100'000);
  ASSERT_TRUE(store->set(timed));
  const auto with_time = server().client().get("/v2/app||timed");
  const auto timed_message = read_message(with_time->value);
  ASSERT_TRUE(timed_message && timed_message->expires);
  EXPECT_EQ(timed_message->expires->us - timed_message->written.us, 100'000'000);
  EXPECT_NE(with_time->lease, 0);
}

TEST_F(EtcdLayouts, AValueOfTheOtherLayoutIsAnErrorThatSaysSo) {
  server().client().put("/mixed/k", "\xff plain text");
  const auto store = stores(kEtcdV2Type, "/mixed");
  const auto got = store->get("k");
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().message.find("v2"), std::string::npos) << got.error().message;
}

// ---- Leases

TEST_F(EtcdLayouts, LeasesWithoutRecordsAreGivenBack) {
  const std::size_t before = server().client().leases().size();
  {
    const auto store = stores(kEtcdV2Type, "/given-back");
    state::SetRequest timed = save("k", "v");
    timed.ttl = Milliseconds(1'000'000);
    ASSERT_TRUE(store->set(timed));
    EXPECT_GT(server().client().leases().size(), before);
    ASSERT_TRUE(store->set(save("k", "v")));
  }
  EXPECT_EQ(server().client().leases().size(), before);
}

TEST_F(EtcdLayouts, ALeaseThatSomebodyRevokedIsReplaced) {
  const auto store = stores(kEtcdV1Type, "/revoked");
  state::SetRequest timed = save("k", "v");
  timed.ttl = Milliseconds(1'000'000);
  ASSERT_TRUE(store->set(timed));
  server().client().revoke(server().client().get("/revoked/k")->lease);
  EXPECT_FALSE(record(*store, "k"));
  ASSERT_TRUE(store->set(timed));
  EXPECT_TRUE(record(*store, "k"));
}

// ---- Listing: what Dapr's loses

TEST_F(EtcdLayouts, KeysOfOneTransactionAreAllListedPageByPage) {
  const auto store = stores(kEtcdV1Type, "/together");
  std::vector<std::string> names;
  std::vector<state::Operation> operations;
  for (int i = 0; i < 6; ++i) names.push_back("k" + std::to_string(i));
  for (const std::string& name : names) operations.emplace_back(save(name, "v"));
  ASSERT_TRUE(store->ask([&](state::StateStore& one) { return one.transact({}, operations); }));
  std::vector<std::string> seen;
  std::string cursor;
  do {
    state::LikeRequest request{.pattern = "k%", .cursor = cursor, .limit = 2};
    const auto page = store->ask([&](state::StateStore& one) { return one.keys_like({}, request); });
    ASSERT_TRUE(page);
    seen.insert(seen.end(), page->keys.begin(), page->keys.end());
    cursor = page->cursor;
  } while (!cursor.empty());
  EXPECT_EQ(seen, names);
}

TEST_F(EtcdLayouts, AListingGoesOnBehindACompaction) {
  const auto store = stores(kEtcdV1Type, "/compacted");
  for (const char* key : {"a", "b", "c"}) ASSERT_TRUE(store->set(save(key, "v")));
  state::ListRequest request;
  request.prefix = "";
  request.limit = 1;
  const auto first = store->ask([&](state::StateStore& one) { return one.list({}, request); });
  ASSERT_TRUE(first);
  ASSERT_TRUE(store->set(save("b2", "v")));
  server().client().compact(server().client().revision());
  request.cursor = first->cursor;
  request.limit = 10;
  const auto second = store->ask([&](state::StateStore& one) { return one.list({}, request); });
  ASSERT_TRUE(second) << second.error().message;
  std::vector<std::string> keys;
  for (const auto& item : second->items) keys.push_back(item.key);
  EXPECT_EQ(keys, (std::vector<std::string>{"b", "b2", "c"}));
}

// ---- Watching

TEST_F(EtcdLayouts, AWatchThatWasCompactedAwaySaysThatEventsMayBeMissing) {
  const auto store = stores(kEtcdV2Type, "/watched");
  ASSERT_TRUE(store->set(save("k", "1")));
  const std::int64_t revision = server().client().get("/watched/k")->mod_revision;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(store->set(save("k", "2")));
  server().client().compact(server().client().revision());
  const std::string resume = std::to_string(revision);
  auto watcher = store->ask([&](state::StateStore& one) { return one.watch({}, {.prefix = "", .resume = resume}); });
  ASSERT_TRUE(watcher) << watcher.error().message;
  const auto event = store->ask([&](state::StateStore&) { return (*watcher)->next(); });
  ASSERT_TRUE(event && *event);
  EXPECT_EQ((**event).kind, state::WatchEvent::Kind::resync);
  store->ask([&](state::StateStore&) -> Task<bool> {
    watcher->reset();
    return ready(true);
  });
}

}  // namespace
}  // namespace holdfast::stores::etcd
