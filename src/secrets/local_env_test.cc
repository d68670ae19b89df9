#include "secrets/local_env.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "secrets/testing.h"

namespace holdfast::secrets {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

const Variables kVariables{{"APP_API_TOKEN", "t1"}, {"DAPR_API_TOKEN", "t2"}, {"DB_PASS", "p"}, {"DB_", "short"},
                           {"USER", "u"},           {"dapr_x", "t3"}};

std::unique_ptr<SecretStore> open(std::string prefix = "") {
  return kLocalEnv.open(component_of("secretstores.local.env", {{"prefix", std::move(prefix)}}), kVariables).value();
}

TEST(LocalEnvStore, GivesVariables) {
  EXPECT_THAT(open()->get("USER").value(), ElementsAre(Pair("USER", "u")));
  EXPECT_THAT(open()->capabilities(), IsEmpty());
}

TEST(LocalEnvStore, WhatIsNotSetIsEmpty) { EXPECT_THAT(open()->get("NONE").value(), ElementsAre(Pair("NONE", ""))); }

TEST(LocalEnvStore, TokensAreEmptyAndNotListed) {
  for (const char* name : {"APP_API_TOKEN", "DAPR_API_TOKEN", "dapr_x"})
    EXPECT_THAT(open()->get(name).value(), ElementsAre(Pair(name, ""))) << name;
  EXPECT_THAT(open()->all().value(), ElementsAre(Pair("DB_", ElementsAre(Pair("DB_", "short"))),
                                                 Pair("DB_PASS", ElementsAre(Pair("DB_PASS", "p"))),
                                                 Pair("USER", ElementsAre(Pair("USER", "u")))));
}

TEST(LocalEnvStore, APrefixIsPutBeforeNames) {
  EXPECT_THAT(open("DB_")->get("PASS").value(), ElementsAre(Pair("PASS", "p")));
  EXPECT_THAT(open("DB_")->get("USER").value(), ElementsAre(Pair("USER", "")));
  EXPECT_THAT(open("DB_")->all().value(), ElementsAre(Pair("PASS", ElementsAre(Pair("PASS", "p")))));
}

TEST(LocalEnvStore, APrefixDoesNotUnblockTokens) {
  EXPECT_THAT(open("DAPR_API_")->get("TOKEN").value(), ElementsAre(Pair("TOKEN", "")));
  EXPECT_THAT(open("APP_API_")->all().value(), IsEmpty());
}

TEST(ProcessVariables, AreThoseOfTheProcess) {
  ASSERT_EQ(::setenv("HOLDFAST_SECRETS_TEST", "a=b", 1), 0);
  const Variables variables = process_variables();
  ASSERT_TRUE(variables.contains("HOLDFAST_SECRETS_TEST"));
  EXPECT_EQ(variables.find("HOLDFAST_SECRETS_TEST")->second, "a=b");
}

}  // namespace
}  // namespace holdfast::secrets
