#include "secrets/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "secrets/testing.h"

namespace holdfast::secrets {
namespace {

using service::SecretFailure;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

constexpr const char* kEnv = "secretstores.local.env";

class Table : public testing::Test {
 protected:
  void open(const std::string& name, const std::string& prefix = "") {
    const auto opened = table_.open(component_of(kEnv, {{"prefix", prefix}}, name));
    ASSERT_TRUE(opened) << opened.error().message;
  }
  SecretFailure::Kind failure(const std::string& store, const std::string& key = "A") {
    const auto secret = table_.get(store, key);
    EXPECT_FALSE(secret);
    return secret ? SecretFailure::Kind::store_failed : secret.error().kind;
  }

  SecretTable table_{Variables{{"A", "1"}, {"B", "2"}, {"X_A", "3"}}};
};

TEST_F(Table, WithoutStoresNothingIsConfigured) {
  EXPECT_FALSE(table_.configured());
  EXPECT_EQ(failure("vault"), SecretFailure::Kind::no_stores);
  EXPECT_EQ(table_.get_all("vault").error().kind, SecretFailure::Kind::no_stores);
}

TEST_F(Table, StoresAreFoundByTheirName) {
  open("vault");
  EXPECT_TRUE(table_.configured());
  EXPECT_TRUE(table_.has_store("vault"));
  EXPECT_FALSE(table_.has_store("other"));
  EXPECT_THAT(table_.get("vault", "A").value(), ElementsAre(Pair("A", "1")));
  EXPECT_EQ(failure("other"), SecretFailure::Kind::no_such_store);
  EXPECT_EQ(table_.get_all("other").error().kind, SecretFailure::Kind::no_such_store);
  EXPECT_THAT(table_.capabilities("vault"), IsEmpty());
  EXPECT_THAT(table_.capabilities("other"), IsEmpty());
}

TEST_F(Table, ScopesHoldForTheApiAndNotForComponents) {
  open("vault");
  table_.set_scopes({{"vault", false, {}, {"A"}}});
  EXPECT_EQ(failure("vault"), SecretFailure::Kind::denied);
  EXPECT_THAT(table_.get_all("vault").value(),
              ElementsAre(Pair("B", ElementsAre(Pair("B", "2"))), Pair("X_A", ElementsAre(Pair("X_A", "3")))));
  EXPECT_EQ(table_.fetch({"property", "vault", "A", "A"}).value(), "1");
}

TEST_F(Table, AComponentGetsOneValueOfASecret) {
  open("vault");
  EXPECT_EQ(table_.fetch({"property", "vault", "A", "B"}).error().message, "secret A has no key B");
  EXPECT_EQ(table_.fetch({"property", "other", "A", "A"}).error().message, "secret store other is not loaded");
}

TEST_F(Table, AStoreOfTheSameNameTakesTheOldOnesPlace) {
  open("vault");
  open("vault", "X_");
  EXPECT_THAT(table_.get("vault", "A").value(), ElementsAre(Pair("A", "3")));
  EXPECT_FALSE(table_.open(component_of("secretstores.local.file")));
  EXPECT_THAT(table_.get("vault", "A").value(), ElementsAre(Pair("A", "3")))
      << "what cannot be opened replaces nothing";
}

TEST_F(Table, ARemovedStoreIsGone) {
  open("vault");
  table_.remove("other");
  EXPECT_TRUE(table_.has_store("vault"));
  table_.remove("vault");
  EXPECT_FALSE(table_.configured());
}

TEST_F(Table, FailuresAreToldInDaprsWords) {
  EXPECT_EQ(
      table_.open(component_of("secretstores.hashicorp.vault")).error().message,
      "process component vault error: [CREATE_COMPONENT_FAILURE]: creation error occurred for vault "
      "(secretstores.hashicorp.vault/v1): couldn't find secret store secretstores.hashicorp.vault/v1; this version "
      "has secretstores.local.file, secretstores.local.env");
  EXPECT_THAT(
      table_.open(component_of("secretstores.local.file")).error().message,
      HasSubstr("process component vault error: [INIT_COMPONENT_FAILURE]: initialization error occurred for vault "
                "(secretstores.local.file/v1): component \"vault\""));
}

TEST_F(Table, ReadersAreSafeWhileStoresAreReplaced) {
  open("vault");
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::thread reader([&] {
    while (!stop) {
      const auto secret = table_.get("vault", "A");
      if (secret && secret->at("A") != "1" && secret->at("A") != "3") ++wrong;
      static_cast<void>(table_.get_all("vault"));
    }
  });
  for (int i = 0; i < 200; ++i) {
    open("vault", i % 2 == 0 ? "X_" : "");
    if (i % 10 == 0) table_.remove("vault");
    table_.set_scopes({{"vault", i % 3 == 0, {}, {}}});
  }
  stop = true;
  reader.join();
  EXPECT_EQ(wrong, 0);
}

TEST(SecretTypes, AreFoundInAnyCaseAndByTheFirstVersions) {
  for (const char* version : {"", "v0", "V1"})
    EXPECT_NE(find_type("secretstores.LOCAL.file", version), nullptr) << version;
  EXPECT_EQ(find_type("secretstores.local.file", "v2"), nullptr);
  EXPECT_EQ(find_type("secretstores.none", "v1"), nullptr);
}

TEST(SecretTypes, EveryFieldIsExplained) {
  for (const SecretStoreType* type : types()) {
    EXPECT_FALSE(type->summary.empty()) << type->type;
    for (const state::Setting& setting : type->settings) EXPECT_FALSE(setting.help.empty()) << setting.name;
  }
}

}  // namespace
}  // namespace holdfast::secrets
