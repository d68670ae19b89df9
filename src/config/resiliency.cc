#include "config/resiliency.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <limits>

#include "base/encoding.h"
#include "base/number.h"
#include "config/document.h"
#include "config/fields.h"

namespace holdfast::config {
namespace {

// The kinds of component whose default policies apply to a state store's calls, nearest first.
constexpr std::array<std::string_view, 4> kDefaultLevels{"StatestoreComponentOutbound", "ComponentOutbound",
                                                         "Component", ""};

// Retries that Dapr has by name, for targets to refer to. Resources may change all but the last.
constexpr std::string_view kProtectedRetry = "DaprBuiltInActorNotFoundRetries";
constexpr std::int64_t kBuiltInRetriesMin = 3;
std::map<std::string, state::RetryPolicy, std::less<>> built_in_retries() {
  const state::RetryPolicy three{.interval = Milliseconds(1000), .retries_max = 3};
  state::RetryPolicy five = three;
  five.retries_max = 5;
  // Dapr leaves the count at 0 here: no retry.
  const state::RetryPolicy reminders{.exponential = true, .retries_max = 0};
  const state::RetryPolicy initialization{.exponential = true,
                                          .interval = Milliseconds(2000),
                                          .interval_max = Milliseconds(1000),
                                          .elapsed_max = Milliseconds(10'000),
                                          .retries_max = 3};
  return {{"DaprBuiltInServiceRetries", three},
          {"DaprBuiltInActorRetries", three},
          {"DaprBuiltInActorReminderRetries", reminders},
          {"DaprBuiltInInitializationRetries", initialization},
          {std::string(kProtectedRetry), five}};
}

// The policy of the first default name that there is. `what` is "RetryPolicy", ...
template <class Policy>
std::optional<Policy> default_of(const std::map<std::string, Policy, std::less<>>& policies, std::string_view what) {
  for (const std::string_view level : kDefaultLevels)
    if (const auto found = policies.find(fmt::format("Default{}{}", level, what)); found != policies.end())
      return found->second;
  return std::nullopt;
}

template <class Policy>
std::optional<Policy> named(const std::map<std::string, Policy, std::less<>>& policies, const std::string& name) {
  const auto found = policies.find(name);
  if (found == policies.end()) return std::nullopt;
  return found->second;
}

// "consecutiveFailures > N" or ">= N" as the number of failures in a row that do not trip yet. Nothing for any other
// expression.
std::optional<std::uint32_t> failures_before_trip(std::string_view expression) {
  constexpr std::string_view kCount = "consecutiveFailures";
  std::string_view rest = trim(expression);
  if (!rest.starts_with(kCount)) return std::nullopt;
  rest = trim(rest.substr(kCount.size()));
  if (!rest.starts_with('>')) return std::nullopt;
  const bool or_equal = rest.starts_with(">=");
  rest = trim(rest.substr(or_equal ? 2 : 1));
  std::uint32_t bound = 0;
  if (!read_number(rest, bound)) return std::nullopt;
  // The expression is looked at after a failure, so ">= 0" and "> 0" both trip at the first.
  return or_equal && bound > 0 ? bound - 1 : bound;
}

}  // namespace

// Reads documents one after the other into one Resiliency.
class ResiliencyReader {
 public:
  explicit ResiliencyReader(std::string_view app_id) : app_id_(app_id) { result_.retries_ = built_in_retries(); }

  void read(const ResourceDocument& document) {
    const auto root = parse_yaml(document.yaml());
    if (!root || !root->is_mapping() || to_text((*root)["kind"]) != "Resiliency") return;
    Findings findings{document.file, {}, {}};
    if (!document.is_first) {
      findings.warn(*root, "a Resiliency is read only as the first document of its file; move it to a file of its own");
    } else {
      read_resource(*root, findings);
    }
    std::ranges::move(findings.warnings, std::back_inserter(warnings_));
  }

  LoadedResiliency finish() && {
    for (const auto& [name, target] : result_.components_) check(name, target);
    return {std::move(result_), std::move(warnings_)};
  }

 private:
  void read_resource(const YamlNode& root, Findings& findings) {
    Fields fields(root, "", findings);
    std::string name;
    Fields metadata = fields.section("metadata");
    metadata.read("name", name);
    std::vector<std::string> scopes;
    fields.read("scopes", scopes);
    if (!scopes.empty() && std::ranges::find(scopes, app_id_) == scopes.end()) return;
    // On a copy: a resource with a fault changes nothing.
    Resiliency read = result_;
    Fields spec = fields.section("spec");
    read_policies(spec.section("policies"), read, findings);
    read_targets(spec.section("targets"), read, findings);
    spec.warn_of_unknown();
    if (findings.error) {
      findings.warnings.push_back(fmt::format("{}; the Resiliency \"{}\" is not used", *findings.error, name));
      return;
    }
    result_ = std::move(read);
    result_.names_.push_back(std::move(name));
  }

  // Calls each(name, Fields&) for the members of a mapping of mappings.
  template <class Each>
  static void each_member(Fields fields, Findings& findings, Each each) {
    for (std::size_t i = 0; i < fields.node().names.size(); ++i) {
      const std::string& name = fields.node().names[i];
      Fields member(fields.node().items[i], fields.path_of(name), findings);
      each(name, member);
      member.warn_of_unknown();
    }
  }

  static void read_policies(Fields policies, Resiliency& out, Findings& findings) {
    const Fields timeouts = policies.section("timeouts");
    for (std::size_t i = 0; i < timeouts.node().names.size(); ++i) read_timeout(timeouts, i, out, findings);
    each_member(policies.section("retries"), findings, [&](const std::string& name, Fields& fields) {
      if (auto retry = read_retry(name, fields, findings)) out.retries_.insert_or_assign(name, *retry);
    });
    each_member(policies.section("circuitBreakers"), findings, [&](const std::string& name, Fields& fields) {
      out.breakers_.insert_or_assign(name, read_breaker(fields, findings));
    });
    policies.warn_of_unknown();
  }

  static void read_timeout(const Fields& timeouts, std::size_t i, Resiliency& out, Findings& findings) {
    const std::string& name = timeouts.node().names[i];
    const YamlNode& node = timeouts.node().items[i];
    const auto timeout = read_duration(to_text(node));
    if (timeout) {
      out.timeouts_.insert_or_assign(name, *timeout);
    } else {
      findings.refuse(node, fmt::format("{}: {}", timeouts.path_of(name), timeout.error().message));
    }
  }

  // Nothing for the one that may not be changed.
  static std::optional<state::RetryPolicy> read_retry(const std::string& name, Fields& fields, Findings& findings) {
    state::RetryPolicy retry;
    std::string policy = "constant";
    fields.read("policy", policy);
    fields.read("duration", retry.interval);
    fields.read("maxInterval", retry.interval_max);
    fields.read("maxRetries", retry.retries_max);
    fields.find("matching");  // status codes of invocations: a state store has none
    retry.exponential = iequals(policy, "exponential");
    if (!retry.exponential && !iequals(policy, "constant"))
      findings.refuse(fields.node(), fmt::format("{} is \"{}\", which is neither constant nor exponential",
                                                 fields.path_of("policy"), policy));
    retry.interval = std::max(retry.interval, Milliseconds(0));
    if (retry.interval_max <= Milliseconds(0)) retry.interval_max = state::RetryPolicy().interval_max;
    if (name == kProtectedRetry) {
      findings.warn(fields.node(), fmt::format("{} cannot be changed; the built-in policy stays", name));
      return std::nullopt;
    }
    if (name.starts_with("DaprBuiltIn") && built_in_retries().contains(name) &&
        retry.retries_max < kBuiltInRetriesMin) {
      findings.warn(fields.node(), fmt::format("{} has to retry at least {} times; it does so {} times", name,
                                               kBuiltInRetriesMin, kBuiltInRetriesMin));
      retry.retries_max = kBuiltInRetriesMin;
    }
    return retry;
  }

  static state::BreakerPolicy read_breaker(Fields& fields, Findings& findings) {
    state::BreakerPolicy breaker;
    std::int64_t requests = 0;
    std::string trip;
    fields.read("maxRequests", requests);
    fields.read("interval", breaker.interval);
    fields.read("timeout", breaker.open_time);
    fields.read("trip", trip);
    if (requests < 0 || requests > std::numeric_limits<std::uint32_t>::max())
      findings.refuse(fields.node(), fmt::format("{} is out of range", fields.path_of("maxRequests")));
    if (requests > 0) breaker.half_open_max = static_cast<std::uint32_t>(requests);
    breaker.interval = std::max(breaker.interval, Milliseconds(0));
    if (breaker.open_time <= Milliseconds(0)) breaker.open_time = state::BreakerPolicy().open_time;
    if (trim(trip).empty()) return breaker;
    if (const auto failures = failures_before_trip(trip)) {
      breaker.consecutive_failures_max = *failures;
    } else {
      findings.refuse(
          *fields.find("trip"),
          fmt::format("{}: only \"consecutiveFailures > N\" and \"consecutiveFailures >= N\" are supported, "
                      "N an integer",
                      fields.path_of("trip")));
    }
    return breaker;
  }

  void read_targets(Fields targets, Resiliency& out, Findings& findings) {
    // Of other building blocks.
    targets.find("apps");
    targets.find("actors");
    each_member(targets.section("components"), findings, [&](const std::string& name, Fields& fields) {
      fields.find("inbound");
      Fields outbound = fields.section("outbound");
      Resiliency::Target target;
      outbound.read("timeout", target.timeout);
      outbound.read("retry", target.retry);
      outbound.read("circuitBreaker", target.breaker);
      outbound.warn_of_unknown();
      out.components_.insert_or_assign(name, std::move(target));
      places_.insert_or_assign(name, Place{findings.file, fields.node().line});
    });
    targets.warn_of_unknown();
  }

  // Once all is read: a policy may be another resource's.
  void check(const std::string& component, const Resiliency::Target& target) {
    const auto require = [&](std::string_view field, const std::string& policy, bool is_defined) {
      if (policy.empty() || is_defined) return;
      warnings_.push_back(
          fmt::format("{}: spec.targets.components.{}.outbound.{} names the policy \"{}\", which no "
                      "Resiliency defines; calls go without it",
                      at(places_[component]), component, field, policy));
    };
    require("timeout", target.timeout, result_.timeouts_.contains(target.timeout));
    require("retry", target.retry, result_.retries_.contains(target.retry));
    require("circuitBreaker", target.breaker, result_.breakers_.contains(target.breaker));
  }

  std::string_view app_id_;
  Resiliency result_;
  std::vector<std::string> warnings_;
  std::map<std::string, Place> places_;  // of the entries of targets.components
};

state::ResiliencyPolicy Resiliency::policy_for(std::string_view store) const {
  state::ResiliencyPolicy policy;
  if (const auto target = components_.find(store); target != components_.end()) {
    policy.timeout = named(timeouts_, target->second.timeout);
    policy.retry = named(retries_, target->second.retry);
    policy.breaker = named(breakers_, target->second.breaker);
  } else {
    policy.timeout = default_of(timeouts_, "TimeoutPolicy");
    policy.retry = default_of(retries_, "RetryPolicy");
    policy.breaker = default_of(breakers_, "CircuitBreakerPolicy");
  }
  // Dapr's word for "no timeout", and for "no retry".
  if (policy.timeout && *policy.timeout <= Milliseconds(0)) policy.timeout.reset();
  if (policy.retry && policy.retry->retries_max == 0) policy.retry.reset();
  return policy;
}

LoadedResiliency load_resiliency(const ResourceFiles& files, std::string_view app_id) {
  ResiliencyReader reader(app_id);
  for (const ResourceDocument& document : files.documents) reader.read(document);
  return std::move(reader).finish();
}

}  // namespace holdfast::config
