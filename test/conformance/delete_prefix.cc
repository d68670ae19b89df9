// Deletion by prefix, and Dapr's form of it.
#include "conformance/conformance.h"

namespace holdfast::conformance {
namespace {

Result<std::uint64_t> erase_prefix(Handle& store, const std::string& prefix, std::size_t own_bytes = 0) {
  return store.run(store.store().erase_prefix({}, {.prefix = prefix, .own_bytes = own_bytes}));
}
Result<std::uint64_t> erase_dapr(Handle& store, const std::string& prefix) {
  return store.run(store.store().erase_with_dapr_prefix({}, prefix));
}

TEST_P(DeletePrefixConformance, DeletesAndCountsTheKeysUnderThePrefixAndNoOthers) {
  HOLDFAST_NEEDS(delete_prefix);
  for (const char* name : {"a1", "a2", "a", "b", "A1"}) ASSERT_TRUE(store().set(put(key(name), "v")));
  EXPECT_EQ(erase_prefix(store(), key("a")), 3u);
  for (const char* name : {"a1", "a2", "a"}) EXPECT_FALSE(store().exists(key(name))) << name;
  for (const char* name : {"b", "A1"}) EXPECT_TRUE(store().exists(key(name))) << name;
  EXPECT_EQ(erase_prefix(store(), key("a")), 0u);
}

TEST_P(DeletePrefixConformance, WildcardsInAPrefixStandForThemselves) {
  HOLDFAST_NEEDS(delete_prefix);
  for (const char* name : {"%x", "_x", "\\x", "*x", "ax"}) ASSERT_TRUE(store().set(put(key(name), "v")));
  for (const char* name : {"%", "_", "\\", "*"}) EXPECT_EQ(erase_prefix(store(), key(name)), 1u) << name;
  EXPECT_TRUE(store().exists(key("ax")));
}

TEST_P(DeletePrefixConformance, KeysOfActorsOfOtherAppsAndOfTheOutboxStay) {
  HOLDFAST_NEEDS(delete_prefix);
  if (!GetParam().raw_keys) GTEST_SKIP() << "this store is reached through keys that hold no separator";
  const std::string own = base() + "app||";
  for (const char* name : {"mine", "type||id||key", "outbox-1"}) ASSERT_TRUE(store().set(put(own + name, "v")));
  EXPECT_EQ(erase_prefix(store(), own, own.size()), 1u);
  EXPECT_FALSE(store().exists(own + "mine"));
  EXPECT_TRUE(store().exists(own + "type||id||key"));
  EXPECT_TRUE(store().exists(own + "outbox-1"));
}

TEST_P(DeletePrefixConformance, ManyKeysAreDeletedCompletely) {
  HOLDFAST_NEEDS(delete_prefix);
  std::vector<std::string> names;
  for (int i = 0; i < 1500; ++i) names.push_back(key("k" + std::to_string(i)));
  std::vector<state::SetRequest> sets;
  for (const std::string& name : names) sets.push_back(put(name, "v"));
  for (const auto& written : store().run(store().store().set_many({}, sets))) ASSERT_TRUE(written);
  EXPECT_EQ(erase_prefix(store(), base()), 1500u);
  EXPECT_FALSE(store().exists(names.front()));
  EXPECT_FALSE(store().exists(names.back()));
}

TEST_P(DeletePrefixConformance, DaprsFormAddsTheSeparatorAndKeepsDeeperKeys) {
  HOLDFAST_NEEDS(delete_prefix);
  if (!GetParam().raw_keys) GTEST_SKIP() << "this store is reached through keys that hold no separator";
  for (const std::string suffix : {"", "||"}) {
    SCOPED_TRACE(suffix);
    for (const char* name : {"p||key1", "p||key2", "p||deeper||key3", "px", "p"})
      ASSERT_TRUE(store().set(put(key(name), "v")));
    EXPECT_EQ(erase_dapr(store(), key("p") + suffix), 2u);
    EXPECT_FALSE(store().exists(key("p||key1")));
    EXPECT_TRUE(store().exists(key("p||deeper||key3")));
    EXPECT_TRUE(store().exists(key("px")));
    EXPECT_TRUE(store().exists(key("p")));
  }
}

TEST_P(DeletePrefixConformance, DaprsFormRefusesAnEmptyPrefix) {
  HOLDFAST_NEEDS(delete_prefix);
  ASSERT_TRUE(store().set(put(key("a"), "v")));
  for (const char* prefix : {"", "||"}) {
    const auto refused = erase_dapr(store(), prefix);
    EXPECT_TRUE(failed_with(refused, {Errc::invalid_argument}));
    if (!refused) {
      EXPECT_NE(refused.error().message.find("prefix is required"), std::string::npos);
    }
  }
  EXPECT_TRUE(store().exists(key("a")));
}

TEST_P(DeletePrefixConformance, WithoutItBothFormsAreUnsupportedAndDeleteNothing) {
  HOLDFAST_LACKS(delete_prefix);
  ASSERT_TRUE(store().set(put(key("a"), "v")));
  EXPECT_TRUE(is_unsupported(erase_prefix(store(), base())));
  EXPECT_TRUE(is_unsupported(erase_dapr(store(), base())));
  EXPECT_TRUE(store().exists(key("a")));
}

TEST_P(DeletePrefixConformance, RecordsOfIsolationKeysStayWhenAsked) {
  HOLDFAST_NEEDS(delete_prefix);
  if (!GetParam().raw_keys) GTEST_SKIP() << "through an API nobody asks a store for this: isolation does";
  const std::string own = base() + "app||";
  for (const char* name : {"mine", "isolation::K::state::mine"}) ASSERT_TRUE(store().set(put(own + name, "v")));
  state::DeletePrefixRequest request;
  request.prefix = own;
  request.own_bytes = own.size();
  request.hides_isolated = true;
  EXPECT_EQ(store().run(store().store().erase_prefix({}, request)), 1u);
  EXPECT_FALSE(store().exists(own + "mine"));
  EXPECT_TRUE(store().exists(own + "isolation::K::state::mine"));
}

}  // namespace
}  // namespace holdfast::conformance
