#include "secrets/flatten.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::secrets {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

Secrets single(std::string_view json, std::string_view separator = ":") {
  const auto secrets = flatten(json, {.separator = separator});
  if (!secrets) ADD_FAILURE() << secrets.error().message;
  return secrets.value_or(Secrets());
}
Secrets multi(std::string_view json) { return flatten(json, {.multi_valued = true}).value(); }
std::string error(std::string_view json) {
  const auto secrets = flatten(json, {});
  return secrets ? "no error" : secrets.error().message;
}

TEST(Flatten, ANestedLeafIsCalledAfterItsPath) {
  EXPECT_THAT(single(R"({"plain":"p","nested":{"a":"1","b":{"c":"2"}}})"),
              ElementsAre(Pair("nested:a", ElementsAre(Pair("nested:a", "1"))),
                          Pair("nested:b:c", ElementsAre(Pair("nested:b:c", "2"))),
                          Pair("plain", ElementsAre(Pair("plain", "p")))));
  EXPECT_THAT(single(R"({"a":{"b":"1"}})", "__"), ElementsAre(Pair("a__b", ElementsAre(Pair("a__b", "1")))));
}

TEST(Flatten, ItemsOfAnArrayAreCalledByTheirIndex) {
  EXPECT_THAT(single(R"({"a":["x",["y"],{"b":"z"}]})"),
              ElementsAre(Pair("a:0", ElementsAre(Pair("a:0", "x"))), Pair("a:1:0", ElementsAre(Pair("a:1:0", "y"))),
                          Pair("a:2:b", ElementsAre(Pair("a:2:b", "z")))));
}

TEST(Flatten, LeavesThatAreNoStringsAreWrittenAsInJson) {
  EXPECT_THAT(single(R"({"a":5,"b":true,"c":null,"d":2.5,"e":12345678901234567})"),
              ElementsAre(Pair("a", ElementsAre(Pair("a", "5"))), Pair("b", ElementsAre(Pair("b", "true"))),
                          Pair("c", ElementsAre(Pair("c", ""))), Pair("d", ElementsAre(Pair("d", "2.5"))),
                          Pair("e", ElementsAre(Pair("e", "12345678901234567")))));
}

TEST(Flatten, MultiValuedMembersAreSecretsOfSeveralValues) {
  EXPECT_THAT(multi(R"({"redis":"r","sql":{"user":"u","pass":{"old":"o"}},"list":["x"],"port":1,"none":{}})"),
              ElementsAre(Pair("list", ElementsAre(Pair("0", "x"))), Pair("none", IsEmpty()),
                          Pair("port", ElementsAre(Pair("port", "1"))), Pair("redis", ElementsAre(Pair("redis", "r"))),
                          Pair("sql", ElementsAre(Pair("pass:old", "o"), Pair("user", "u")))));
}

TEST(Flatten, EmptyContainersHoldNothing) {
  EXPECT_THAT(single(R"({"a":{},"b":[]})"), IsEmpty());
  EXPECT_THAT(single("{}"), IsEmpty());
  EXPECT_THAT(single("null"), IsEmpty());
}

TEST(Flatten, EmptyNamesKeepTheirSeparators) {
  EXPECT_THAT(single(R"({"":{"a":"1"}})"), ElementsAre(Pair(":a", ElementsAre(Pair(":a", "1")))));
}

TEST(Flatten, ANameGivenTwiceHasItsLastValue) {
  EXPECT_THAT(single(R"({"a":"1","a":"2"})"), ElementsAre(Pair("a", ElementsAre(Pair("a", "2")))));
}

TEST(Flatten, WhatIsNoObjectIsRefusedWithoutItsValues) {
  EXPECT_THAT(error(""), HasSubstr("it is not JSON"));
  EXPECT_THAT(error(R"({"a":"s3cret")"), HasSubstr("it is not JSON"));
  EXPECT_THAT(error(R"({"a":"s3cret"} x)"), HasSubstr("it is not JSON"));
  EXPECT_EQ(error(R"(["s3cret"])"), "it holds an array where an object of names and values belongs");
  EXPECT_EQ(error(R"("s3cret")"), "it holds a string where an object of names and values belongs");
  EXPECT_THAT(error(R"({"a":{"b":"s3cret"},"a:b":"s3cret"})"),
              AllOf(HasSubstr("two of its values are called \"a:b\""), Not(HasSubstr("s3cret"))));
}

TEST(Flatten, DepthIsBounded) {
  const auto nested = [](std::size_t levels) {
    std::string json;
    for (std::size_t i = 0; i < levels; ++i) json += R"({"a":)";
    return json + "1" + std::string(levels, '}');
  };
  EXPECT_EQ(error(nested(kSecretDepthMax)), "no error");
  EXPECT_EQ(error(nested(kSecretDepthMax + 1)), "it is nested deeper than 64 levels");
}

TEST(Flatten, TheLengthOfNamesIsBounded) {
  // A long name with many members below it, though all of them empty.
  std::string json = R"({")" + std::string(1 << 18, 'n') + R"(":{"a":1)";
  for (int i = 0; i < 100; ++i) json += fmt::format(R"(,"{}":{{}})", i);
  EXPECT_EQ(error(json + "}}"), "the names of its secrets have more than 16777216 bytes together");
}

}  // namespace
}  // namespace holdfast::secrets
