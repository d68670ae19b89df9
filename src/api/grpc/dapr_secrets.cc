// The secrets methods of dapr.proto.runtime.v1.Dapr.
#include <algorithm>

#include "api/grpc/dispatch.h"
#include "api/grpc/messages.h"
#include "api/secrets.h"
#include "base/encoding.h"
#include "dapr/proto/runtime/v1/dapr.pb.h"

namespace holdfast::api {

namespace pb = ::dapr::proto::runtime::v1;
using grpc::Code;

namespace {

constexpr std::string_view kService = "/dapr.proto.runtime.v1.Dapr/";

GrpcStatus malformed() { return {Code::internal, "grpc: failed to unmarshal the received message", {}}; }

// Variables of an environment may hold any bytes, strings of a message may not.
GrpcStatus not_text() {
  return {Code::internal, "grpc: error while marshaling: string field contains invalid UTF-8", {}};
}

bool is_text(const service::Secret& secret) {
  return std::ranges::all_of(secret, [](const auto& pair) { return is_utf8(pair.first) && is_utf8(pair.second); });
}

class DaprSecrets final : public GrpcService {
 public:
  explicit DaprSecrets(const service::Runtime& runtime) : runtime_(runtime) {
    unary_[std::string(kService) + "GetSecret"] = [this](GrpcCall& call) { return get(call); };
    unary_[std::string(kService) + "GetBulkSecret"] = [this](GrpcCall& call) { return get_bulk(call); };
  }

 private:
  Task<GrpcStatus> get(GrpcCall& call) {
    pb::GetSecretRequest request;
    if (!parse_message(call.message, request)) co_return malformed();
    const auto secret = get_secret(runtime_, request.store_name(), request.key());
    if (!secret) co_return grpc_status(secret.error());
    if (!is_text(*secret)) co_return not_text();
    pb::GetSecretResponse response;
    response.mutable_data()->insert(secret->begin(), secret->end());
    response.AppendToString(&call.out);
    co_return GrpcStatus::ok();
  }

  Task<GrpcStatus> get_bulk(GrpcCall& call) {
    pb::GetBulkSecretRequest request;
    if (!parse_message(call.message, request)) co_return malformed();
    const auto secrets = get_bulk_secret(runtime_, request.store_name());
    if (!secrets) co_return grpc_status(secrets.error());
    pb::GetBulkSecretResponse response;
    for (const auto& [key, secret] : *secrets) {
      if (!is_utf8(key) || !is_text(secret)) co_return not_text();
      (*response.mutable_data())[key].mutable_secrets()->insert(secret.begin(), secret.end());
    }
    response.AppendToString(&call.out);
    co_return GrpcStatus::ok();
  }

  const service::Runtime& runtime_;
};

}  // namespace

std::unique_ptr<GrpcService> make_dapr_secrets(const service::Runtime& runtime) {
  return std::make_unique<DaprSecrets>(runtime);
}

}  // namespace holdfast::api
