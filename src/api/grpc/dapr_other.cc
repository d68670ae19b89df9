// The methods of dapr.proto.runtime.v1.Dapr outside state: metadata, shutdown, and what daprd answers for building
// blocks when nothing is configured for them.
#include <fmt/format.h>

#include "api/grpc/dispatch.h"
#include "api/grpc/messages.h"
#include "base/encoding.h"
#include "dapr/proto/runtime/v1/dapr.pb.h"

namespace holdfast::api {

namespace pb = ::dapr::proto::runtime::v1;
using grpc::Code;

namespace {

constexpr std::string_view kService = "/dapr.proto.runtime.v1.Dapr/";

GrpcStatus failure(Code code, std::string message, std::string_view reason = {}) {
  GrpcStatus status{code, std::move(message), {}};
  if (!reason.empty()) status.details.push_back(grpc::error_info(reason, "dapr.io", {}));
  return status;
}

struct Block {
  std::string_view prefix;  // of the method's name
  GrpcStatus (*answer)(const std::string& name);
};

GrpcStatus no_placement(const std::string& type) {
  if (type.starts_with("dapr.internal."))
    return failure(Code::permission_denied, fmt::format("actor type {} is reserved", type), "ERR_ACTOR_TYPE_RESERVED");
  return failure(Code::unavailable, "placement service is not configured", "ERR_ACTOR_NO_PLACEMENT");
}
GrpcStatus no_pubsub(const std::string& name) {
  return failure(Code::invalid_argument, fmt::format("pubsub {} is not found", name), "DAPR_PUBSUB_NOT_FOUND");
}
GrpcStatus no_jobs(const std::string&) {
  return failure(Code::internal, "failed to get job due to: scheduler clients are disabled", "DAPR_SCHEDULER_GET_JOB");
}
GrpcStatus no_configuration(const std::string&) {
  return failure(Code::failed_precondition, "configuration stores not configured",
                 "ERR_CONFIGURATION_STORE_NOT_CONFIGURED");
}
GrpcStatus no_lock(const std::string&) {
  return failure(Code::failed_precondition, "lock store is not configured", "ERR_LOCK_STORE_NOT_CONFIGURED");
}
GrpcStatus unimplemented(const std::string&) {
  return failure(Code::unimplemented, "this API is currently not implemented", "ERR_API_UNIMPLEMENTED");
}

constexpr Block kBlocks[] = {
    {"Publish", no_pubsub},
    {"BulkPublish", no_pubsub},
    {"SubscribeTopic", no_pubsub},
    {"InvokeBinding",
     [](const std::string& name) {
       return failure(Code::internal,
                      fmt::format("error invoking output binding {0}: couldn't find output binding {0}", name),
                      "ERR_INVOKE_OUTPUT_BINDING");
     }},
    {"InvokeService",
     [](const std::string& name) {
       return failure(Code::internal,
                      fmt::format("failed to invoke, id: {}, err: service invocation is not part of this sidecar", name),
                      "ERR_DIRECT_INVOKE");
     }},
    {"GetConfiguration", no_configuration},
    {"SubscribeConfiguration", no_configuration},
    {"UnsubscribeConfiguration", no_configuration},
    {"TryLock", no_lock},
    {"Unlock", no_lock},
    {"Encrypt", [](const std::string&) {
       return failure(Code::internal, "crypto providers not configured", "ERR_CRYPTO_PROVIDERS_NOT_CONFIGURED");
     }},
    {"Decrypt", [](const std::string&) {
       return failure(Code::internal, "crypto providers not configured", "ERR_CRYPTO_PROVIDERS_NOT_CONFIGURED");
     }},
    {"Converse", [](const std::string& name) {
       return failure(Code::invalid_argument, fmt::format("failed finding conversation component {}", name),
                      "ERR_CONVERSATION_NOT_FOUND");
     }},
    {"ScheduleJob", no_jobs},
    {"GetJob", no_jobs},
    {"DeleteJob", no_jobs},
    {"ListJobs", no_jobs},
};

GrpcStatus answer_for(std::string_view method, const std::string& name) {
  for (const Block& block : kBlocks)
    if (method.starts_with(block.prefix)) return block.answer(name);
  const bool actor = method.find("Actor") != std::string_view::npos || method.find("Workflow") != std::string_view::npos;
  return actor ? no_placement(name) : unimplemented(name);
}

std::string first_field(std::string_view message) {
  pb::OtherBlockRequest request;
  return parse_message(message, request) ? request.name() : std::string();
}

Task<GrpcStatus> other_block(GrpcCall& call) {
  const std::string_view method = std::string_view(call.request.target).substr(kService.size());
  co_return answer_for(method, first_field(call.message));
}

Task<GrpcStatus> other_stream(http::Request& head, net::BodyStream&) {
  co_return answer_for(std::string_view(head.target).substr(kService.size()), {});
}

class DaprOther final : public GrpcService {
 public:
  explicit DaprOther(service::Runtime& runtime) : runtime_(runtime) {
    const auto* service = pb::GetMetadataRequest::descriptor()->file()->FindServiceByName("Dapr");
    for (int i = 0; i < service->method_count(); ++i) {
      const auto* method = service->method(i);
      const std::string path = std::string(kService) + method->name();
      if (method->server_streaming() || method->client_streaming()) {
        streaming_.emplace(path, other_stream);
      } else {
        unary_.emplace(path, other_block);  // the methods of state and secrets are found before these
      }
    }
    unary_[std::string(kService) + "GetMetadata"] = [this](GrpcCall& call) { return metadata(call); };
    unary_[std::string(kService) + "SetMetadata"] = [this](GrpcCall& call) { return set_metadata(call); };
    unary_[std::string(kService) + "Shutdown"] = [this](GrpcCall& call) { return shutdown(call); };
  }

 private:
  Task<GrpcStatus> metadata(GrpcCall& call) {
    pb::GetMetadataResponse response;
    response.set_id(runtime_.app_id);
    response.set_runtime_version(runtime_.version);
    for (const auto& component : runtime_.components()) {
      auto& registered = *response.add_registered_components();
      registered.set_name(component.name);
      registered.set_type(component.type);
      registered.set_version(component.version);
      for (const auto& capability : component.capabilities) registered.add_capabilities(capability);
    }
    for (const auto& [name, value] : runtime_.extended()) (*response.mutable_extended_metadata())[name] = value;
    auto& app = *response.mutable_app_connection_properties();
    app.set_port(runtime_.app_port);
    app.set_protocol(runtime_.app_protocol);
    app.set_channel_address(runtime_.app_channel_address);
    app.set_max_concurrency(std::max(runtime_.app_max_concurrency, 0));
    if (const auto& health = runtime_.app_health) {
      auto& shown = *app.mutable_health();
      shown.set_health_check_path(health->path);
      shown.set_health_probe_interval(fmt::format("{}s", health->interval_seconds));
      shown.set_health_probe_timeout(fmt::format("{}ms", health->timeout_ms));
      shown.set_health_threshold(static_cast<std::int32_t>(health->threshold));
    }
    for (const auto& feature : runtime_.features()) response.add_enabled_features(feature);
    for (const auto& name : runtime_.resiliencies()) response.add_resiliencies()->set_name(name);
    auto& actors = *response.mutable_actor_runtime();
    actors.set_runtime_status(pb::ActorRuntime::DISABLED);
    actors.set_placement("placement: disconnected");
    response.AppendToString(&call.out);
    co_return GrpcStatus::ok();
  }

  Task<GrpcStatus> set_metadata(GrpcCall& call) {
    pb::SetMetadataRequest request;
    if (!parse_message(call.message, request))
      co_return failure(Code::internal, "grpc: failed to unmarshal the received message");
    if (!request.key().empty()) runtime_.set_extended(request.key(), request.value());
    co_return GrpcStatus::ok();
  }

  Task<GrpcStatus> shutdown(GrpcCall& call) {
    runtime_.shutdown(iequals(call.request.headers.find("dapr-force-shutdown"), "true"));
    co_return GrpcStatus::ok();
  }

  service::Runtime& runtime_;
};

}  // namespace

std::unique_ptr<GrpcService> make_dapr_other(service::Runtime& runtime) { return std::make_unique<DaprOther>(runtime); }

}  // namespace holdfast::api
