// Addresses, session tokens, values: what is pure.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "session_tokens.h"
#include "target.h"

namespace holdfast::detail {
namespace {

using Variables = std::map<std::string, std::string>;

Target target(std::string_view address, const Variables& variables = {}, std::optional<Tls> tls = {}) {
  return target_of(address, std::move(tls), [&variables](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? std::string() : found->second;
  });
}

TEST(Target, IsTheArgumentThenTheEnvironmentThenTheUsualPort) {
  EXPECT_EQ(target("").address, "127.0.0.1:50001");
  EXPECT_EQ(target("", {{"DAPR_GRPC_PORT", "4"}}).address, "127.0.0.1:4");
  EXPECT_EQ(target("", {{"DAPR_GRPC_PORT", "4"}, {"DAPR_RUNTIME_HOST", "pod"}}).address, "pod:4");
  EXPECT_EQ(target("", {{"DAPR_GRPC_PORT", "4"}, {"DAPR_GRPC_ENDPOINT", "far:5"}}).address, "far:5");
  EXPECT_EQ(target("", {{"DAPR_GRPC_ENDPOINT", "far:5"}, {"HOLDFAST_GRPC", "unix:/s"}}).address, "unix:/s");
  EXPECT_EQ(target("here:1", {{"HOLDFAST_GRPC", "unix:/s"}}).address, "here:1");
}

TEST(Target, TakesPortsSocketsAndUrls) {
  EXPECT_EQ(target("3").address, "127.0.0.1:3");
  EXPECT_EQ(target("http://h:1/").address, "h:1");
  EXPECT_FALSE(target("http://h:1").tls);
  EXPECT_EQ(target("https://h:1//").address, "h:1");
  EXPECT_TRUE(target("https://h:1").tls);
  EXPECT_EQ(target("https://h:1", {}, Tls{.ca = "PEM"}).tls->ca, "PEM");
  EXPECT_EQ(target("http://3").address, "127.0.0.1:3");
  EXPECT_TRUE(target("h:1", {}, Tls{}).tls);
  EXPECT_FALSE(target("unix:/run/x").tls);
}

TEST(SessionTokens, AnAnswerStandsForWhatItsCallHadSent) {
  SessionTokens tokens;
  EXPECT_EQ(tokens.all(), "");
  tokens.answered("", "a");
  EXPECT_EQ(tokens.all(), "a");
  tokens.answered("a", "b");
  EXPECT_EQ(tokens.all(), "b");
  tokens.answered("b", "");
  EXPECT_EQ(tokens.all(), "b");
}

TEST(SessionTokens, ThoseOfConcurrentCallsAreAllKept) {
  SessionTokens tokens("a");
  const std::string sent = tokens.all();
  tokens.answered(sent, "b");
  tokens.answered(sent, "c");
  EXPECT_EQ(tokens.all(), "b,c");
  tokens.answered("b,c", "d");
  EXPECT_EQ(tokens.all(), "d");
  tokens.answered("b", "d");
  EXPECT_EQ(tokens.all(), "d");
}

TEST(SessionTokens, ContinueSeveral) { EXPECT_EQ(SessionTokens(" a, b ,,a").all(), "a,b"); }

TEST(SessionTokens, AreBounded) {
  SessionTokens tokens;
  for (int i = 0; i < 100; ++i) tokens.answered("", "token" + std::to_string(i));
  const std::string all = tokens.all();
  EXPECT_EQ(std::ranges::count(all, ',') + 1, static_cast<long>(SessionTokens::kTokensMax));
  EXPECT_TRUE(all.ends_with(",token99"));
  for (char c = 'a'; c < 'k'; ++c) tokens.answered("", std::string(2048, c));
  EXPECT_LE(tokens.all().size(), SessionTokens::kBytesMax);
  EXPECT_TRUE(tokens.all().ends_with('j'));
}

TEST(Levels, HaveTheNamesOfTheApi) {
  EXPECT_EQ(name_of(ConsistencyLevel::bounded_staleness), "bounded-staleness");
  EXPECT_EQ(level_named("consistent-prefix"), ConsistencyLevel::consistent_prefix);
  EXPECT_EQ(level_named("caboa"), ConsistencyLevel::quorum);
  EXPECT_EQ(level_named(""), std::nullopt);
}

TEST(Values, KeepTheirKind) {
  EXPECT_EQ(Value("text").kind(), Value::Kind::text);
  EXPECT_EQ(Value(std::vector<std::byte>{std::byte{0}}).data(), std::string(1, '\0'));
  EXPECT_EQ(Value::bytes("x").kind(), Value::Kind::bytes);
  EXPECT_EQ(Value(true).data(), "true");
  EXPECT_EQ(Value(std::numeric_limits<std::uint64_t>::max()).data(), "18446744073709551615");
  EXPECT_EQ(Value(0.1).data(), "0.1");
  EXPECT_EQ(Value(0.1).kind(), Value::Kind::json);
  EXPECT_EQ(Number::decimal("1.10").text(), "1.10");
  const double infinite = std::numeric_limits<double>::infinity();
  EXPECT_THROW(Number{infinite}, std::invalid_argument);
}

TEST(Values, AreReadAsNumbers) {
  EXPECT_EQ(ValueRead{"-12"}.integer(), -12);
  EXPECT_EQ(ValueRead{"1.5"}.number(), 1.5);
  EXPECT_THROW(ValueRead{"1.5"}.integer(), std::invalid_argument);
  EXPECT_THROW(ValueRead{""}.integer(), std::invalid_argument);
  EXPECT_THROW(ValueRead{"inf"}.number(), std::invalid_argument);
}

}  // namespace
}  // namespace holdfast::detail
