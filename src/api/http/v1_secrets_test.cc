#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/http/v1_routes.h"
#include "api/secrets_testing.h"

namespace holdfast::api {
namespace {

using http::Method;
using service::SecretFailure;
using testing::HasSubstr;

class SecretsRoute : public testing::Test {
 protected:
  SecretsRoute() { runtime_.secrets = &secrets_; }

  std::optional<http::Response> ask(const std::string& path, Method method = Method::get) {
    const std::string clean = clean_path(path);
    return secrets_route(runtime_, method, Segments(clean));
  }
  // Status and body of a request that is the route's.
  std::string answer(const std::string& path) {
    const auto response = ask(path);
    if (!response) return "not a secrets route";
    return std::to_string(response->status) + " " + response->body;
  }

  FakeSecrets secrets_{{{"bulk", {{"bulk", "b"}}},
                        {"db/pass word", {{"db/pass word", "slash"}}},
                        {"sql", {{"user", "<u>"}, {"pass", "\"p\""}}}}};
  service::Runtime runtime_;
};

TEST_F(SecretsRoute, AnswersASecretAsGoPrintsIt) {
  const auto response = ask("/v1.0/secrets/vault/sql");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->content_type, "application/json");
  EXPECT_EQ(response->body, "{\"pass\":\"\\\"p\\\"\",\"user\":\"\\u003cu\\u003e\"}\n");
}

TEST_F(SecretsRoute, AnswersAllSecrets) {
  EXPECT_EQ(answer("/v1.0/secrets/vault/bulk"),
            "200 {\"bulk\":{\"bulk\":\"b\"},\"db/pass word\":{\"db/pass word\":\"slash\"},"
            "\"sql\":{\"pass\":\"\\\"p\\\"\",\"user\":\"\\u003cu\\u003e\"}}\n");
}

TEST_F(SecretsRoute, KeysAreDecodedOnceWithPlusAsSpace) {
  EXPECT_EQ(answer("/v1.0/secrets/vault/db%2Fpass+word"), "200 {\"db/pass word\":\"slash\"}\n");
  EXPECT_EQ(answer("/v1.0/secrets/vault/%62ulk"), "200 {\"bulk\":\"b\"}\n");
  EXPECT_EQ(answer("/v1.0/secrets/vault/%zz"), "400 invalid URL escape in the key\n");
  EXPECT_EQ(answer("/v1.0/secrets/%zz/bulk"), "400 invalid URL escape in the store name\n");
}

TEST_F(SecretsRoute, FailuresAreDaprs) {
  EXPECT_EQ(answer("/v1.0/secrets/other/k"),
            R"(401 {"errorCode":"ERR_SECRET_STORE_NOT_FOUND","message":"failed finding secret store with key other"})");
  EXPECT_THAT(answer("/v1.0/secrets/other/bulk"), HasSubstr("401 "));
  EXPECT_EQ(answer("/v1.0/secrets/vault/k"),
            R"(500 {"errorCode":"ERR_SECRET_GET","message":"failed getting secret with key k from secret store vault: )"
            R"(no such secret"})");
  secrets_.fail({SecretFailure::Kind::store_failed, "why"});
  EXPECT_EQ(answer("/v1.0/secrets/vault/bulk"),
            R"(500 {"errorCode":"ERR_SECRET_GET","message":"failed getting secrets from secret store vault: why"})");
  secrets_.fail({SecretFailure::Kind::denied});
  EXPECT_EQ(answer("/v1.0/secrets/vault/k"), R"(403 {"errorCode":"ERR_PERMISSION_DENIED",)"
                                             R"("message":"access denied by policy to get \"k\" from \"vault\""})");
  secrets_.fail({SecretFailure::Kind::no_stores});
  EXPECT_THAT(answer("/v1.0/secrets/vault/k"), HasSubstr("500 {\"errorCode\":\"ERR_SECRET_STORES_NOT_CONFIGURED\""));
}

TEST_F(SecretsRoute, WithoutSecretStoresNothingIsConfigured) {
  runtime_.secrets = nullptr;
  for (const char* path : {"/v1.0/secrets/s/k", "/v1.0/secrets/s/bulk"})
    EXPECT_EQ(answer(path),
              R"(500 {"errorCode":"ERR_SECRET_STORES_NOT_CONFIGURED","message":"secret store is not configured"})");
}

TEST_F(SecretsRoute, OtherRequestsAreNotItsBusiness) {
  EXPECT_FALSE(ask("/v1.0/secrets/vault/sql", Method::post));
  EXPECT_FALSE(ask("/v1.0/secrets/vault"));
  EXPECT_FALSE(ask("/v1.0/secrets/vault/sql/more"));
  EXPECT_FALSE(ask("/v1.0-alpha1/secrets/vault/sql"));
  EXPECT_FALSE(ask("/v1.0/state/vault/sql"));
}

}  // namespace
}  // namespace holdfast::api
