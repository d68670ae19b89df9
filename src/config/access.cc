// What a Configuration permits: calls, secrets, component types. Pure.
#include "config/access.h"

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "config/configuration.h"

namespace holdfast::config {
namespace {

constexpr std::string_view kDapr = "/dapr.proto.runtime.v1.Dapr/";
constexpr std::string_view kHoldfast = "/holdfast.v2.State/";

struct GrpcGroup {
  std::string_view name;
  std::string_view version;
  std::span<const std::string_view> methods;  // of Dapr's service
};

template <std::size_t N>
using Methods = std::array<std::string_view, N>;

constexpr Methods<1> kInvoke{"InvokeService"};
constexpr Methods<6> kState{"GetState",    "GetBulkState",    "SaveState",
                            "DeleteState", "DeleteBulkState", "ExecuteStateTransaction"};
constexpr Methods<1> kStateAlpha{"QueryStateAlpha1"};
constexpr Methods<2> kPublish{"PublishEvent", "BulkPublishEvent"};
constexpr Methods<1> kPublishAlpha{"BulkPublishEventAlpha1"};
constexpr Methods<1> kBindings{"InvokeBinding"};
constexpr Methods<2> kSecrets{"GetSecret", "GetBulkSecret"};
constexpr Methods<10> kActors{"RegisterActorTimer", "UnregisterActorTimer",    "RegisterActorReminder",
                              "GetActorReminder",   "UnregisterActorReminder", "UnregisterActorRemindersByType",
                              "ListActorReminders", "GetActorState",           "ExecuteActorStateTransaction",
                              "InvokeActor"};
constexpr Methods<1> kActorsAlpha{"SubscribeActorEventsAlpha1"};
constexpr Methods<2> kMetadata{"GetMetadata", "SetMetadata"};
constexpr Methods<3> kConfigurationAlpha{"GetConfigurationAlpha1", "SubscribeConfigurationAlpha1",
                                         "UnsubscribeConfigurationAlpha1"};
constexpr Methods<3> kConfiguration{"GetConfiguration", "SubscribeConfiguration", "UnsubscribeConfiguration"};
constexpr Methods<1> kLock{"TryLockAlpha1"};
constexpr Methods<1> kUnlock{"UnlockAlpha1"};
constexpr Methods<7> kSubtleCrypto{"SubtleGetKeyAlpha1",   "SubtleEncryptAlpha1", "SubtleDecryptAlpha1",
                                   "SubtleSignAlpha1",     "SubtleVerifyAlpha1",  "SubtleWrapKeyAlpha1",
                                   "SubtleUnwrapKeyAlpha1"};
constexpr Methods<2> kCrypto{"EncryptAlpha1", "DecryptAlpha1"};
constexpr Methods<7> kWorkflowsAlpha{"StartWorkflowAlpha1",     "GetWorkflowAlpha1",   "TerminateWorkflowAlpha1",
                                     "PurgeWorkflowAlpha1",     "PauseWorkflowAlpha1", "ResumeWorkflowAlpha1",
                                     "RaiseEventWorkflowAlpha1"};
constexpr Methods<7> kWorkflowsBeta{"StartWorkflowBeta1",     "GetWorkflowBeta1",   "TerminateWorkflowBeta1",
                                    "PurgeWorkflowBeta1",     "PauseWorkflowBeta1", "ResumeWorkflowBeta1",
                                    "RaiseEventWorkflowBeta1"};
constexpr Methods<5> kJobsAlpha{"ScheduleJobAlpha1", "DeleteJobAlpha1", "GetJobAlpha1", "DeleteJobsByPrefixAlpha1",
                                "ListJobsAlpha1"};
constexpr Methods<5> kJobs{"ScheduleJob", "DeleteJob", "GetJob", "DeleteJobsByPrefix", "ListJobs"};
constexpr Methods<1> kShutdown{"Shutdown"};
constexpr Methods<1> kSubscribe{"SubscribeTopicEventsAlpha1"};
constexpr Methods<1> kConverse1{"ConverseAlpha1"};
constexpr Methods<1> kConverse2{"ConverseAlpha2"};

// Dapr's groups, and the methods of each.
constexpr GrpcGroup kGroups[] = {
    {"invoke", "v1", kInvoke},
    {"state", "v1", kState},
    {"state", "v1alpha1", kStateAlpha},
    {"publish", "v1", kPublish},
    {"publish", "v1alpha1", kPublishAlpha},
    {"bindings", "v1", kBindings},
    {"secrets", "v1", kSecrets},
    {"actors", "v1", kActors},
    {"actors", "v1alpha1", kActorsAlpha},
    {"metadata", "v1", kMetadata},
    {"configuration", "v1alpha1", kConfigurationAlpha},
    {"configuration", "v1", kConfiguration},
    {"lock", "v1alpha1", kLock},
    {"unlock", "v1alpha1", kUnlock},
    {"subtlecrypto", "v1alpha1", kSubtleCrypto},
    {"crypto", "v1alpha1", kCrypto},
    {"workflows", "v1alpha1", kWorkflowsAlpha},
    {"workflows", "v1beta1", kWorkflowsBeta},
    {"jobs", "v1alpha1", kJobsAlpha},
    {"jobs", "v1", kJobs},
    {"shutdown", "v1", kShutdown},
    {"subscribe", "v1alpha1", kSubscribe},
    {"conversation", "v1alpha1", kConverse1},
    {"conversation", "v1alpha2", kConverse2},
    // Every method of our own service; see grpc_group_of.
    {"state", "v2", {}},
};

// The group of a method that rules apply to; null when it belongs to none, so that an allow list closes it.
const GrpcGroup* grpc_group_of(std::string_view full_method) {
  if (full_method.starts_with(kHoldfast)) return &kGroups[std::size(kGroups) - 1];
  const std::string_view method = full_method.substr(kDapr.size());
  const auto* group = std::ranges::find_if(
      kGroups, [method](const GrpcGroup& one) { return std::ranges::find(one.methods, method) != one.methods.end(); });
  return group == std::end(kGroups) ? nullptr : group;
}

// Denied first; a list of allowed ones that is not empty has to match. `applies` says whether a rule is of the call's
// protocol, `matches` whether it names the call.
template <class Applies, class Matches>
bool is_allowed(const ApiAccess& access, Applies applies, Matches matches) {
  const auto names_call = [&](const ApiRule& rule) { return applies(rule) && matches(rule); };
  if (std::ranges::any_of(access.denied, names_call)) return false;
  return std::ranges::none_of(access.allowed, applies) || std::ranges::any_of(access.allowed, names_call);
}

// "v1.0-alpha1/state" as rules spell it: "v1alpha1/state".
std::string canonical_group(std::string_view group) {
  constexpr std::pair<std::string_view, std::string_view> kVersions[] = {
      {"v1.0/", "v1/"}, {"v1.0-alpha1/", "v1alpha1/"}, {"v1.0-alpha2/", "v1alpha2/"}, {"v1.0-beta1/", "v1beta1/"}};
  for (const auto& [in_path, in_rule] : kVersions)
    if (group.starts_with(in_path)) return std::string(in_rule).append(group.substr(in_path.size()));
  return std::string(group);
}

}  // namespace

bool is_grpc_group(std::string_view name, std::string_view version) {
  return std::ranges::any_of(kGroups,
                             [&](const GrpcGroup& group) { return group.name == name && group.version == version; });
}

bool http_route_allowed(const ApiAccess& access, std::string_view group, std::string_view route) {
  if (group == "v1.0/healthz" || group == "v2/health") return true;
  const std::string canonical = canonical_group(group);
  return is_allowed(
      access, [](const ApiRule& rule) { return iequals(rule.protocol, "http"); },
      [&](const ApiRule& rule) {
        const std::string named = rule.version + "/" + rule.name;
        return named == canonical || route.starts_with(named);
      });
}

bool grpc_method_allowed(const ApiAccess& access, std::string_view full_method) {
  if (!full_method.starts_with(kDapr) && !full_method.starts_with(kHoldfast)) return true;
  const GrpcGroup* group = grpc_group_of(full_method);
  return is_allowed(
      access, [](const ApiRule& rule) { return rule.protocol == "grpc"; },
      [group](const ApiRule& rule) {
        return group != nullptr && group->name == rule.name && group->version == rule.version;
      });
}

bool secret_allowed(std::span<const SecretScope> scopes, std::string_view store, std::string_view key) {
  const auto scope = std::ranges::find(scopes, store, &SecretScope::store);
  if (scope == scopes.end()) return true;
  if (!scope->allowed.empty()) return std::ranges::binary_search(scope->allowed, key);
  return !scope->denies_by_default && !std::ranges::binary_search(scope->denied, key);
}

bool secret_allowed(const Configuration& configuration, std::string_view store, std::string_view key) {
  return secret_allowed(configuration.secret_scopes, store, key);
}

bool component_denied(const Configuration& configuration, std::string_view type, std::string_view version) {
  const auto& denied = configuration.denied_components;
  if (denied.empty()) return false;
  if (type.empty() || version.empty()) return true;
  const std::string with_version = std::string(type).append("/").append(version);
  return std::ranges::any_of(denied, [&](const std::string& one) { return one == type || one == with_version; });
}

}  // namespace holdfast::config
