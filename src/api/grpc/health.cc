// grpc.health.v1: the process is SERVING once it accepts calls; a state store's name may be asked for as a service.
#include "api/grpc/dispatch.h"
#include "api/grpc/messages.h"
#include "grpc/health/v1/health.pb.h"

namespace holdfast::api {

namespace pb = ::grpc::health::v1;
using holdfast::grpc::Code;

namespace {

class Health final : public GrpcService {
 public:
  Health(service::Service& service, const service::Runtime& runtime) : service_(service), runtime_(runtime) {
    unary_.emplace("/grpc.health.v1.Health/Check", [this](GrpcCall& call) { return check(call); });
    streaming_.emplace("/grpc.health.v1.Health/Watch",
                       [this](http::Request&, net::BodyStream& stream) { return watch(stream); });
  }

 private:
  pb::HealthCheckResponse::ServingStatus status_of(const std::string& name) {
    const auto serving = [](bool yes) {
      return yes ? pb::HealthCheckResponse::SERVING : pb::HealthCheckResponse::NOT_SERVING;
    };
    if (name.empty()) return serving(runtime_.outbound_ready);
    for (const std::string& known : grpc_service_names())
      if (known == name) return serving(runtime_.outbound_ready);
    if (const auto entry = service_.stores().find(name)) return serving(entry->store != nullptr);
    return pb::HealthCheckResponse::SERVICE_UNKNOWN;
  }

  Task<GrpcStatus> check(GrpcCall& call) {
    pb::HealthCheckRequest request;
    if (!parse_message(call.message, request)) co_return GrpcStatus{Code::internal, "malformed request", {}};
    pb::HealthCheckResponse response;
    response.set_status(status_of(request.service()));
    if (response.status() == pb::HealthCheckResponse::SERVICE_UNKNOWN)
      co_return GrpcStatus{Code::not_found, "unknown service", {}};
    response.AppendToString(&call.out);
    co_return GrpcStatus::ok();
  }

  // The state at the time of asking, then nothing more until the client hangs up: what we report changes only at start
  // and at shutdown, which ends the stream.
  Task<GrpcStatus> watch(net::BodyStream& stream) {
    std::string buffer;
    std::optional<holdfast::grpc::Frame> frame;
    while (!(frame = holdfast::grpc::take_frame(buffer))) {
      const auto bytes = co_await stream.read();
      if (!bytes) co_return GrpcStatus{Code::internal, "no request", {}};
      buffer += *bytes;
    }
    pb::HealthCheckRequest request;
    if (!parse_message(frame->message, request)) co_return GrpcStatus{Code::internal, "malformed request", {}};
    pb::HealthCheckResponse response;
    response.set_status(status_of(request.service()));
    std::string out;
    holdfast::grpc::append_frame(out, response.SerializeAsString());
    stream.write(std::move(out), "application/grpc");
    while (co_await stream.read()) {
    }
    co_return GrpcStatus::ok();
  }

  service::Service& service_;
  const service::Runtime& runtime_;
};

}  // namespace

std::unique_ptr<GrpcService> make_health(service::Service& service, const service::Runtime& runtime) {
  return std::make_unique<Health>(service, runtime);
}

}  // namespace holdfast::api
