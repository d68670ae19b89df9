#include <gtest/gtest.h>

#include "config/configuration.h"

namespace holdfast::config {
namespace {

constexpr const char* kGet = "v1.0/state/{storeName}/{key}";

ApiAccess access(std::vector<ApiRule> allowed, std::vector<ApiRule> denied = {}) {
  return {std::move(allowed), std::move(denied)};
}
std::string grpc(const std::string& method) { return "/dapr.proto.runtime.v1.Dapr/" + method; }

TEST(HttpAccess, WithoutRulesEverythingIsOpen) {
  EXPECT_TRUE(http_route_allowed({}, "v1.0/state", kGet));
  EXPECT_TRUE(http_route_allowed({}, "v2/state", "v2/state/{store}/{key}"));
}

TEST(HttpAccess, AnAllowListClosesWhatItDoesNotName) {
  const ApiAccess rules = access({{"state", "v1", "http"}});
  EXPECT_TRUE(http_route_allowed(rules, "v1.0/state", kGet));
  EXPECT_FALSE(http_route_allowed(rules, "v1.0-alpha1/state", "v1.0-alpha1/state/{storeName}/query"));
  EXPECT_FALSE(http_route_allowed(rules, "v1.0/metadata", "v1.0/metadata"));
  EXPECT_FALSE(http_route_allowed(rules, "v1.0/secrets", "v1.0/secrets/{secretStoreName}/bulk"));
  EXPECT_FALSE(http_route_allowed(rules, "v2/state", "v2/state/{store}/{key}"));
}

TEST(HttpAccess, VersionsAreNamedInEitherForm) {
  for (const char* version : {"v1alpha1", "v1.0-alpha1"})
    EXPECT_TRUE(http_route_allowed(access({{"state", version, "http"}}), "v1.0-alpha1/state",
                                   "v1.0-alpha1/state/{storeName}/query"))
        << version;
  EXPECT_TRUE(http_route_allowed(access({{"state", "v1.0", "HTTP"}}), "v1.0/state", kGet));
  EXPECT_TRUE(http_route_allowed(access({{"state", "v2", "http"}}), "v2/state", "v2/state/{store}/{key}"));
  EXPECT_TRUE(
      http_route_allowed(access({{"workflows", "v1beta1", "http"}}), "v1.0-beta1/workflows", "v1.0-beta1/workflows"));
}

TEST(HttpAccess, AnOlderRuleIsABeginningOfTheRoute) {
  const ApiAccess rules = access({}, {{"state/{storeName}/bulk", "v1.0", "http"}});
  EXPECT_FALSE(http_route_allowed(rules, "v1.0/state", "v1.0/state/{storeName}/bulk"));
  EXPECT_TRUE(http_route_allowed(rules, "v1.0/state", kGet));
}

TEST(HttpAccess, DeniedComesFirst) {
  const ApiAccess rules = access({{"state", "v1", "http"}}, {{"state", "v1", "http"}});
  EXPECT_FALSE(http_route_allowed(rules, "v1.0/state", kGet));
}

TEST(HttpAccess, HealthIsAlwaysOpen) {
  const ApiAccess rules = access({{"state", "v1", "http"}}, {{"healthz", "v1", "http"}});
  EXPECT_TRUE(http_route_allowed(rules, "v1.0/healthz", "v1.0/healthz"));
  EXPECT_TRUE(http_route_allowed(rules, "v1.0/healthz", "v1.0/healthz/outbound"));
  EXPECT_TRUE(http_route_allowed(rules, "v2/health", "v2/health"));
}

TEST(ApiAccess, ListsAreOfOneProtocol) {
  const ApiAccess rules = access({{"state", "v1", "http"}}, {{"metadata", "v1", "grpc"}});
  EXPECT_TRUE(grpc_method_allowed(rules, grpc("GetSecret"))) << "no allow list for gRPC";
  EXPECT_FALSE(grpc_method_allowed(rules, grpc("GetMetadata")));
  EXPECT_FALSE(http_route_allowed(rules, "v1.0/metadata", "v1.0/metadata")) << "by the allow list alone";
  EXPECT_TRUE(http_route_allowed(access({}, rules.denied), "v1.0/metadata", "v1.0/metadata"));
}

TEST(GrpcAccess, StateHasSixMethodsAndTheQueryIsItsAlpha) {
  const ApiAccess rules = access({{"state", "v1", "grpc"}});
  for (const char* method :
       {"GetState", "GetBulkState", "SaveState", "DeleteState", "DeleteBulkState", "ExecuteStateTransaction"})
    EXPECT_TRUE(grpc_method_allowed(rules, grpc(method))) << method;
  EXPECT_FALSE(grpc_method_allowed(rules, grpc("QueryStateAlpha1")));
  EXPECT_TRUE(grpc_method_allowed(access({{"state", "v1alpha1", "grpc"}}), grpc("QueryStateAlpha1")));
}

TEST(GrpcAccess, GroupsAreThoseOfDapr) {
  const std::vector<std::pair<ApiRule, const char*>> cases{
      {{"secrets", "v1", "grpc"}, "GetBulkSecret"},    {{"metadata", "v1", "grpc"}, "SetMetadata"},
      {{"shutdown", "v1", "grpc"}, "Shutdown"},        {{"publish", "v1", "grpc"}, "PublishEvent"},
      {{"lock", "v1alpha1", "grpc"}, "TryLockAlpha1"}, {{"actors", "v1", "grpc"}, "GetActorState"}};
  for (const auto& [rule, method] : cases) {
    EXPECT_FALSE(grpc_method_allowed(access({}, {rule}), grpc(method))) << method;
    EXPECT_TRUE(grpc_method_allowed(access({}, {rule}), grpc("GetState"))) << method;
  }
}

TEST(GrpcAccess, TheProtocolAndVersionAreMatchedExactly) {
  EXPECT_TRUE(grpc_method_allowed(access({}, {{"state", "v1", "GRPC"}}), grpc("GetState")));
  EXPECT_TRUE(grpc_method_allowed(access({}, {{"state", "v1.0", "grpc"}}), grpc("GetState")));
}

TEST(GrpcAccess, AnAllowListClosesMethodsOfNoGroup) {
  EXPECT_FALSE(grpc_method_allowed(access({{"state", "v1", "grpc"}}), grpc("NoSuchMethod")));
  EXPECT_TRUE(grpc_method_allowed(access({}, {{"state", "v1", "grpc"}}), grpc("NoSuchMethod")));
}

TEST(GrpcAccess, OurServiceIsStateV2AndOtherServicesAreOpen) {
  const ApiAccess rules = access({{"state", "v1", "grpc"}});
  EXPECT_FALSE(grpc_method_allowed(rules, "/holdfast.v2.State/Get"));
  EXPECT_TRUE(grpc_method_allowed(access({{"state", "v2", "grpc"}}), "/holdfast.v2.State/Get"));
  EXPECT_TRUE(grpc_method_allowed(rules, "/grpc.health.v1.Health/Check"));
}

TEST(SecretScopes, AStoreWithoutAScopeIsOpen) {
  const std::vector<SecretScope> scopes{{"other", true, {}, {}}};
  EXPECT_TRUE(secret_allowed(scopes, "vault", "key"));
  EXPECT_FALSE(secret_allowed(scopes, "other", "key"));
}

TEST(SecretScopes, AnAllowListIsAllThereIs) {
  const std::vector<SecretScope> scopes{{"vault", false, {"a", "b"}, {"a"}}};
  EXPECT_TRUE(secret_allowed(scopes, "vault", "a")) << "denied secrets do not matter then";
  EXPECT_FALSE(secret_allowed(scopes, "vault", "c"));
}

TEST(SecretScopes, OtherwiseTheDenyListAndThenTheDefault) {
  const std::vector<SecretScope> scopes{{"open", false, {}, {"x"}}, {"closed", true, {}, {"x"}}};
  EXPECT_FALSE(secret_allowed(scopes, "open", "x"));
  EXPECT_TRUE(secret_allowed(scopes, "open", "y"));
  EXPECT_FALSE(secret_allowed(scopes, "closed", "x"));
  EXPECT_FALSE(secret_allowed(scopes, "closed", "y"));
}

TEST(DeniedComponents, ATypeOrATypeWithItsVersionIsDenied) {
  Configuration configuration;
  configuration.denied_components = {"state.redis", "state.etcd/v1"};
  EXPECT_TRUE(component_denied(configuration, "state.redis", "v1"));
  EXPECT_TRUE(component_denied(configuration, "state.etcd", "v1"));
  EXPECT_FALSE(component_denied(configuration, "state.etcd", "v2"));
  EXPECT_FALSE(component_denied(configuration, "state.Redis", "v1")) << "exactly";
  EXPECT_FALSE(component_denied(configuration, "state.sqlite", "v1"));
}

TEST(DeniedComponents, AListAlsoDeniesComponentsWithoutVersion) {
  Configuration configuration;
  EXPECT_FALSE(component_denied(configuration, "state.sqlite", ""));
  configuration.denied_components = {"state.redis"};
  EXPECT_TRUE(component_denied(configuration, "state.sqlite", ""));
  EXPECT_TRUE(component_denied(configuration, "", "v1"));
}

}  // namespace
}  // namespace holdfast::config
