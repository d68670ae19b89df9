#include "config/resiliency.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast::config {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

// Files f0.yaml, f1.yaml, ... with these documents, each the first of its file.
LoadedResiliency load(const std::vector<std::string>& texts, const std::string& app_id = "app1") {
  ResourceFiles files;
  for (std::size_t i = 0; i < texts.size(); ++i)
    files.documents.push_back({"f" + std::to_string(i) + ".yaml", texts[i], 1, true});
  return load_resiliency(files, app_id);
}

// A resource with these lines under `spec:`, which is line 3.
std::string resource(const std::string& spec, const std::string& name = "mine") {
  return "kind: Resiliency\nmetadata: {name: " + name + "}\nspec:\n" + spec;
}

// The policy of "orders" whose target names the one policy of that kind, "p", with these fields.
state::ResiliencyPolicy with_policy(const std::string& kind, const std::string& field, const std::string& fields) {
  const auto loaded = load({resource("  policies: {" + kind + ": {p: " + fields +
                                     "}}\n  targets: {components: {orders: " + "{outbound: {" + field + ": p}}}}\n")});
  EXPECT_THAT(loaded.warnings, IsEmpty()) << fields;
  return loaded.resiliency.policy_for("orders");
}

std::string warning_of(const std::string& spec) {
  const auto loaded = load({resource(spec)});
  EXPECT_EQ(loaded.warnings.size(), 1u) << spec;
  return loaded.warnings.empty() ? "" : loaded.warnings[0];
}

TEST(LoadResiliency, ReadsPoliciesAndTargets) {
  const auto loaded =
      load({resource("  policies:\n    timeouts: {short: 250ms, number: 1500}\n"
                     "    retries:\n      often: {policy: constant, duration: 1s, maxRetries: 10}\n"
                     "    circuitBreakers:\n      careful:\n        maxRequests: 2\n        interval: 8s\n"
                     "        timeout: 45s\n        trip: consecutiveFailures >= 8\n"
                     "  targets:\n    apps: {other: {retry: often}}\n    actors: {a: {retry: often}}\n"
                     "    components:\n      orders:\n        inbound: {retry: often}\n"
                     "        outbound: {timeout: short, retry: often, circuitBreaker: careful}\n"
                     "      carts: {outbound: {timeout: number}}\n")});
  EXPECT_THAT(loaded.warnings, IsEmpty());
  EXPECT_THAT(loaded.resiliency.names(), ElementsAre("mine"));
  const auto orders = loaded.resiliency.policy_for("orders");
  EXPECT_EQ(orders.timeout, Milliseconds(250));
  EXPECT_EQ(orders.retry, (state::RetryPolicy{.interval = seconds(1), .retries_max = 10}));
  EXPECT_EQ(orders.breaker,
            (state::BreakerPolicy{
                .consecutive_failures_max = 7, .half_open_max = 2, .interval = seconds(8), .open_time = seconds(45)}));
  const auto carts = loaded.resiliency.policy_for("carts");
  EXPECT_EQ(carts, (state::ResiliencyPolicy{Milliseconds(1500), std::nullopt, std::nullopt}));
  EXPECT_EQ(loaded.resiliency.policy_for("else"), state::ResiliencyPolicy());
}

TEST(LoadResiliency, RetriesHaveDaprsDefaults) {
  const auto constant = with_policy("retries", "retry", "{}").retry;
  ASSERT_TRUE(constant);
  EXPECT_FALSE(constant->exponential);
  EXPECT_EQ(constant->interval, seconds(5));
  EXPECT_EQ(constant->retries_max, -1) << "forever";
  const auto exponential = with_policy("retries", "retry", "{policy: Exponential, duration: 9s}").retry;
  ASSERT_TRUE(exponential);
  EXPECT_TRUE(exponential->exponential);
  EXPECT_EQ(exponential->initial, Milliseconds(500));
  EXPECT_EQ(exponential->interval_max, seconds(60));
  EXPECT_EQ(exponential->elapsed_max, minutes(15));
  EXPECT_EQ(with_policy("retries", "retry", "{policy: exponential, maxInterval: 15s}").retry->interval_max,
            seconds(15));
}

TEST(LoadResiliency, ZeroMeansNoRetryAndNoTimeout) {
  EXPECT_EQ(with_policy("retries", "retry", "{maxRetries: 0}").retry, std::nullopt);
  EXPECT_EQ(with_policy("timeouts", "timeout", "0s").timeout, std::nullopt);
  EXPECT_EQ(with_policy("timeouts", "timeout", "-1s").timeout, std::nullopt);
}

TEST(LoadResiliency, ConditionsOnStatusCodesDoNotConcernAStore) {
  EXPECT_TRUE(with_policy("retries", "retry", "{matching: {httpStatusCodes: '500', gRPCStatusCodes: '1-4'}}").retry);
}

TEST(LoadResiliency, BreakersHaveDaprsDefaults) {
  const auto breaker = with_policy("circuitBreakers", "circuitBreaker", "{}").breaker;
  EXPECT_EQ(breaker, state::BreakerPolicy());
  EXPECT_EQ(breaker->consecutive_failures_max, 5u);
  EXPECT_EQ(breaker->open_time, seconds(60));
  EXPECT_EQ(with_policy("circuitBreakers", "circuitBreaker", "{timeout: 0, interval: -5s, maxRequests: 0}").breaker,
            breaker);
}

TEST(LoadResiliency, TripsThatCountFailuresAreSupported) {
  const std::vector<std::pair<std::string, std::uint32_t>> cases{
      {"consecutiveFailures > 3", 3},        {"consecutiveFailures>3", 3},
      {"  consecutiveFailures  >   3  ", 3}, {"consecutiveFailures >= 3", 2},
      {"consecutiveFailures>=1", 0},         {"consecutiveFailures >= 0", 0},
      {"consecutiveFailures > 0", 0},        {" ", 5}};
  for (const auto& [trip, failures] : cases)
    EXPECT_EQ(
        with_policy("circuitBreakers", "circuitBreaker", "{trip: '" + trip + "'}").breaker->consecutive_failures_max,
        failures)
        << trip;
}

TEST(LoadResiliency, OtherTripsAreRefusedWithWhatIsSupported) {
  for (const char* trip :
       {"requests > 5", "consecutiveFailures", "consecutiveFailures < 5", "consecutiveFailures > x",
        "consecutiveFailures > 5 && requests > 1", "consecutiveFailures > -1", "5 < consecutiveFailures",
        "consecutiveFailures > 99999999999", "consecutiveFailures = > 5", "consecutiveFailures > 1.5"})
    EXPECT_EQ(warning_of("  policies: {circuitBreakers: {p: {trip: '" + std::string(trip) + "'}}}\n"),
              "f0.yaml:4: spec.policies.circuitBreakers.p.trip: only \"consecutiveFailures > N\" and "
              "\"consecutiveFailures >= N\" are supported, N an integer; the Resiliency \"mine\" is not used")
        << trip;
}

TEST(LoadResiliency, DefaultsApplyFromTheNearestNameToTheFarthest) {
  const std::vector<std::string> levels{"Default", "DefaultComponent", "DefaultComponentOutbound",
                                        "DefaultStatestoreComponentOutbound"};
  std::string timeouts, retries, breakers;
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const std::string n = std::to_string(i + 1);
    timeouts += levels[i] + "TimeoutPolicy: " + n + "s, ";
    retries += levels[i] + "RetryPolicy: {maxRetries: " + n + "}, ";
    breakers += levels[i] + "CircuitBreakerPolicy: {maxRequests: " + n + "}, ";
    const auto policy = load({resource("  policies:\n    timeouts: {" + timeouts + "}\n    retries: {" + retries +
                                       "}\n    circuitBreakers: {" + breakers + "}\n")})
                            .resiliency.policy_for("orders");
    EXPECT_EQ(policy.timeout, seconds(i + 1)) << levels[i];
    EXPECT_EQ(policy.retry->retries_max, static_cast<std::int64_t>(i + 1)) << levels[i];
    EXPECT_EQ(policy.breaker->half_open_max, i + 1) << levels[i];
  }
}

TEST(LoadResiliency, EachKindOfDefaultIsFoundByItself) {
  const auto policy = load({resource("  policies:\n    timeouts: {DefaultTimeoutPolicy: 1s}\n"
                                     "    retries: {DefaultPubsubComponentOutboundRetryPolicy: {}}\n")})
                          .resiliency.policy_for("orders");
  EXPECT_EQ(policy, (state::ResiliencyPolicy{seconds(1), std::nullopt, std::nullopt}));
}

TEST(LoadResiliency, AnyEntryForAStoreTurnsTheDefaultsOff) {
  const std::string policies = "  policies:\n    timeouts: {DefaultTimeoutPolicy: 1s}\n";
  for (const char* entry : {"{inbound: {}}", "{outbound: {}}", "{}"}) {
    const auto resiliency =
        load({resource(policies + "  targets: {components: {orders: " + entry + "}}\n")}).resiliency;
    EXPECT_EQ(resiliency.policy_for("orders"), state::ResiliencyPolicy()) << entry;
    EXPECT_EQ(resiliency.policy_for("carts").timeout, seconds(1));
  }
}

TEST(LoadResiliency, ResourcesAreMergedByNameAndLaterOnesWin) {
  const auto loaded = load({resource("  policies: {timeouts: {a: 1s, b: 1s}}\n  targets: {components: {s: {outbound: "
                                     "{timeout: a}}, t: {outbound: {timeout: c}}}}\n",
                                     "one"),
                            resource("  policies: {timeouts: {b: 2s, c: 3s}}\n  targets: {components: {s: {outbound: "
                                     "{timeout: b}}}}\n",
                                     "two")});
  EXPECT_THAT(loaded.warnings, IsEmpty());
  EXPECT_THAT(loaded.resiliency.names(), ElementsAre("one", "two"));
  EXPECT_EQ(loaded.resiliency.policy_for("s").timeout, seconds(2));
  EXPECT_EQ(loaded.resiliency.policy_for("t").timeout, seconds(3)) << "a policy of the other resource";
}

TEST(LoadResiliency, ABrokenResourceIsLeftOutAsAWhole) {
  const auto loaded = load({resource("  policies: {timeouts: {a: 1s}}\n", "good"),
                            resource("  policies: {timeouts: {a: 2s, b: soon}}\n", "bad")});
  EXPECT_THAT(loaded.resiliency.names(), ElementsAre("good"));
  EXPECT_THAT(loaded.warnings, ElementsAre(AllOf(HasSubstr("f1.yaml:4: spec.policies.timeouts.b: "),
                                                 EndsWith("the Resiliency \"bad\" is not used"))));
  EXPECT_EQ(loaded.resiliency, load({resource("  policies: {timeouts: {a: 1s}}\n", "good")}).resiliency);
}

TEST(LoadResiliency, WhatIsWrongIsNamedWithItsPlace) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"  policies: []\n", "f0.yaml:4: spec.policies is not a mapping"},
      {"  policies: {timeouts: {a: {}}}\n", "f0.yaml:4: spec.policies.timeouts.a: "},
      {"  policies: {retries: {a: often}}\n", "f0.yaml:4: spec.policies.retries.a is not a mapping"},
      {"  policies: {retries: {a: {policy: linear}}}\n", "is \"linear\", which is neither constant nor exponential"},
      {"  policies: {retries: {a: {duration: 1 s}}}\n", "spec.policies.retries.a.duration is neither a duration"},
      {"  policies: {retries: {a: {maxRetries: many}}}\n", "spec.policies.retries.a.maxRetries is not an integer"},
      {"  policies: {circuitBreakers: {a: {maxRequests: -1}}}\n", "a.maxRequests is out of range"},
      {"  policies: {circuitBreakers: {a: {trip: [1]}}}\n", "a.trip is not a text"},
      {"  targets: {components: {a: {outbound: {retry: {}}}}}\n", "a.outbound.retry is not a text"},
      {"  targets: {components: {a: {outbound: fast}}}\n", "a.outbound is not a mapping"}};
  for (const auto& [spec, text] : cases) {
    EXPECT_THAT(warning_of(spec), HasSubstr(text));
    EXPECT_THAT(load({resource(spec)}).resiliency.names(), IsEmpty()) << spec;
  }
  EXPECT_THAT(load({"kind: Resiliency\nscopes: app1\n"}).warnings,
              ElementsAre(HasSubstr("f0.yaml:2: scopes is not a list")));
}

TEST(LoadResiliency, WhatIsUnknownIsNamedAndTheRestUsed) {
  EXPECT_EQ(warning_of("  policies: {timeouts: {a: 1s}, hedges: {}}\n"),
            "f0.yaml:4: spec.policies.hedges is no field that this version knows; it is ignored");
  const std::string spec = "  targets: {components: {orders: {outbound: {retry: none}}}}\n";
  EXPECT_EQ(warning_of(spec),
            "f0.yaml:4: spec.targets.components.orders.outbound.retry names the policy \"none\", which no Resiliency "
            "defines; calls go without it");
  EXPECT_EQ(load({resource(spec)}).resiliency.policy_for("orders"), state::ResiliencyPolicy());
}

TEST(LoadResiliency, BuiltInRetriesCanBeNamedAndChangedWithinLimits) {
  const std::string target = "  targets: {components: {orders: {outbound: {retry: DaprBuiltInServiceRetries}}}}\n";
  EXPECT_EQ(load({resource(target)}).resiliency.policy_for("orders").retry,
            (state::RetryPolicy{.interval = seconds(1), .retries_max = 3}));
  const auto changed =
      load({resource("  policies: {retries: {DaprBuiltInServiceRetries: {maxRetries: 1}, "
                     "DaprBuiltInActorNotFoundRetries: {maxRetries: 9}}}\n" +
                     target)});
  EXPECT_EQ(changed.resiliency.policy_for("orders").retry->retries_max, 3);
  EXPECT_THAT(changed.warnings,
              ElementsAre(HasSubstr("has to retry at least 3 times"), HasSubstr("cannot be changed")));
}

TEST(LoadResiliency, ScopesAreObeyed) {
  const std::string text = "kind: Resiliency\nmetadata: {name: mine}\nscopes: [app2, app3]\n";
  EXPECT_THAT(load({text}).resiliency.names(), IsEmpty());
  EXPECT_THAT(load({text}, "app3").resiliency.names(), ElementsAre("mine"));
}

TEST(LoadResiliency, OnlyTheFirstDocumentOfAFileIsRead) {
  ResourceFiles files;
  files.documents.push_back({"f.yaml", "kind: Component\n", 1, true});
  files.documents.push_back({"f.yaml", resource(""), 3, false});
  const auto loaded = load_resiliency(files, "app1");
  EXPECT_THAT(loaded.resiliency.names(), IsEmpty());
  EXPECT_THAT(loaded.warnings, ElementsAre(HasSubstr("f.yaml:3: a Resiliency is read only as the first document")));
}

TEST(LoadResiliency, OtherDocumentsAreNotItsBusiness) {
  for (const char* text : {"", "# nothing\n", "kind: Component\n", "text", "kind: [Resiliency", "[kind, Resiliency]"}) {
    const auto loaded = load({text});
    EXPECT_THAT(loaded.warnings, IsEmpty()) << text;
    EXPECT_THAT(loaded.resiliency.names(), IsEmpty()) << text;
  }
}

TEST(Resiliency, IsEqualExactlyWhenNothingChanged) {
  const std::string spec = "  policies: {timeouts: {a: 1s}, retries: {r: {}}, circuitBreakers: {b: {}}}\n";
  const Resiliency before = load({resource(spec)}).resiliency;
  EXPECT_EQ(before, load({"# a comment\n" + resource(spec)}).resiliency);
  for (const char* other :
       {"  policies: {timeouts: {a: 2s}, retries: {r: {}}, circuitBreakers: {b: {}}}\n",
        "  policies: {timeouts: {a: 1s}, retries: {r: {maxRetries: 1}}, circuitBreakers: {b: {}}}\n",
        "  policies: {timeouts: {a: 1s}, retries: {r: {}}, circuitBreakers: {b: {trip: consecutiveFailures > 1}}}\n",
        "  policies: {timeouts: {a: 1s}, retries: {r: {}}, circuitBreakers: {b: {}}}\n  targets: {components: {s: "
        "{}}}\n"})
    EXPECT_NE(before, load({resource(other)}).resiliency) << other;
  EXPECT_NE(before, load({resource(spec, "renamed")}).resiliency);
}

}  // namespace
}  // namespace holdfast::config
