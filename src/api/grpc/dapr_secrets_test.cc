#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/grpc/dispatch.h"
#include "api/secrets_testing.h"
#include "dapr/proto/runtime/v1/dapr.pb.h"

namespace holdfast::api {
namespace {

namespace pb = ::dapr::proto::runtime::v1;
using grpc::Code;
using service::SecretFailure;
using testing::Pair;
using testing::UnorderedElementsAre;

class DaprSecretsService : public testing::Test {
 protected:
  DaprSecretsService() { runtime_.secrets = &secrets_; }

  GrpcStatus call(const std::string& method, const std::string& message) {
    out_.clear();
    http::Request request;
    GrpcCall call{request, message, {}, out_};
    const auto found = service_->unary().find("/dapr.proto.runtime.v1.Dapr/" + method);
    if (found == service_->unary().end()) return {Code::unimplemented, "no such method", {}};
    std::optional<GrpcStatus> status;
    // Nothing suspends: the answer is there when start() returns.
    start(found->second(call), [&status](GrpcStatus answer) { status = std::move(answer); });
    return status.value_or(GrpcStatus{Code::unknown, "the call did not finish", {}});
  }
  GrpcStatus get(const std::string& store, const std::string& key) {
    pb::GetSecretRequest request;
    request.set_store_name(store);
    request.set_key(key);
    return call("GetSecret", request.SerializeAsString());
  }
  GrpcStatus get_bulk(const std::string& store) {
    pb::GetBulkSecretRequest request;
    request.set_store_name(store);
    return call("GetBulkSecret", request.SerializeAsString());
  }

  FakeSecrets secrets_{{{"bytes", {{"bytes", "\xff"}}}, {"sql", {{"user", "u"}, {"pass", "p"}}}}};
  service::Runtime runtime_;
  std::unique_ptr<GrpcService> service_ = make_dapr_secrets(runtime_);
  std::string out_;
};

TEST_F(DaprSecretsService, GivesASecret) {
  ASSERT_EQ(get("vault", "sql").code, Code::ok);
  pb::GetSecretResponse response;
  ASSERT_TRUE(response.ParseFromString(out_));
  EXPECT_THAT(response.data(), UnorderedElementsAre(Pair("pass", "p"), Pair("user", "u")));
}

TEST_F(DaprSecretsService, GivesAllSecrets) {
  secrets_ = FakeSecrets({{"a", {{"a", "1"}}}, {"sql", {{"user", "u"}, {"pass", "p"}}}});
  ASSERT_EQ(get_bulk("vault").code, Code::ok);
  pb::GetBulkSecretResponse response;
  ASSERT_TRUE(response.ParseFromString(out_));
  ASSERT_EQ(response.data().size(), 2u);
  EXPECT_THAT(response.data().at("a").secrets(), UnorderedElementsAre(Pair("a", "1")));
  EXPECT_THAT(response.data().at("sql").secrets(), UnorderedElementsAre(Pair("pass", "p"), Pair("user", "u")));
}

TEST_F(DaprSecretsService, FailuresHaveDaprsCodesTextsAndReasons) {
  const auto reason = [](const GrpcStatus& status) { return grpc::encode_details(status.code, "", status.details); };
  const auto info = [](Code code, std::string_view tag) {
    return grpc::encode_details(code, "", {grpc::error_info(tag, "dapr.io", {})});
  };
  GrpcStatus status = get("other", "sql");
  EXPECT_EQ(status.code, Code::invalid_argument);
  EXPECT_EQ(status.message, "failed finding secret store with key other");
  EXPECT_EQ(reason(status), info(Code::invalid_argument, "ERR_SECRET_STORE_NOT_FOUND"));
  status = get("vault", "none");
  EXPECT_EQ(status.code, Code::internal);
  EXPECT_EQ(status.message, "failed getting secret with key none from secret store vault: no such secret");
  EXPECT_EQ(reason(status), info(Code::internal, "ERR_SECRET_GET"));
  secrets_.fail({SecretFailure::Kind::denied});
  status = get("vault", "sql");
  EXPECT_EQ(status.code, Code::permission_denied);
  EXPECT_EQ(status.message, "access denied by policy to get \"sql\" from \"vault\"");
  EXPECT_EQ(reason(status), info(Code::permission_denied, "ERR_PERMISSION_DENIED"));
}

TEST_F(DaprSecretsService, WithoutSecretStoresNothingIsConfigured) {
  runtime_.secrets = nullptr;
  for (const GrpcStatus& status : {get("vault", "sql"), get_bulk("vault")}) {
    EXPECT_EQ(status.code, Code::failed_precondition);
    EXPECT_EQ(status.message, "secret store is not configured");
  }
}

TEST_F(DaprSecretsService, BytesThatAreNoTextAreRefusedAndNotSent) {
  for (const GrpcStatus& status : {get("vault", "bytes"), get_bulk("vault")}) {
    EXPECT_EQ(status.code, Code::internal);
    EXPECT_EQ(status.message, "grpc: error while marshaling: string field contains invalid UTF-8");
    EXPECT_EQ(out_, "");
  }
}

TEST_F(DaprSecretsService, AMalformedMessageIsNotAnswered) {
  for (const char* method : {"GetSecret", "GetBulkSecret"}) {
    const GrpcStatus status = call(method, "\x0a\xff");
    EXPECT_EQ(status.code, Code::internal) << method;
    EXPECT_EQ(status.message, "grpc: failed to unmarshal the received message");
  }
}

}  // namespace
}  // namespace holdfast::api
