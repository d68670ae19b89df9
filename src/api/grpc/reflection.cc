// grpc.reflection v1 and v1alpha, answered from the descriptors that are compiled in. The two differ only in the name
// of their package.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include "api/grpc/dispatch.h"
#include "api/grpc/messages.h"
#include "dapr/proto/runtime/v1/dapr.pb.h"
#include "grpc/health/v1/health.pb.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "holdfast/v2/state.pb.h"

namespace holdfast::api {

namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using holdfast::grpc::Code;

// The file and everything it imports, imports last, as clients expect.
void collect(const FileDescriptor* file, std::vector<const FileDescriptor*>& out) {
  if (std::ranges::find(out, file) != out.end()) return;
  out.push_back(file);
  for (int i = 0; i < file->dependency_count(); ++i) collect(file->dependency(i), out);
}

template <class Response>
void answer_file(const FileDescriptor* file, Response& response) {
  if (file == nullptr) {
    response.mutable_error_response()->set_error_code(static_cast<int>(Code::not_found));
    response.mutable_error_response()->set_error_message("not found");
    return;
  }
  std::vector<const FileDescriptor*> files;
  collect(file, files);
  for (const FileDescriptor* each : files) {
    google::protobuf::FileDescriptorProto proto;
    each->CopyTo(&proto);
    each->CopyJsonNameTo(&proto);
    response.mutable_file_descriptor_response()->add_file_descriptor_proto(proto.SerializeAsString());
  }
}

template <class Request, class Response>
Response answer(const Request& request) {
  Response response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  switch (request.message_request_case()) {
    case Request::kListServices:
      for (const std::string& name : grpc_service_names())
        response.mutable_list_services_response()->add_service()->set_name(name);
      break;
    case Request::kFileByFilename:
      answer_file(pool.FindFileByName(request.file_by_filename()), response);
      break;
    case Request::kFileContainingSymbol:
      answer_file(pool.FindFileContainingSymbol(request.file_containing_symbol()), response);
      break;
    case Request::kAllExtensionNumbersOfType:
      response.mutable_all_extension_numbers_response()->set_base_type_name(request.all_extension_numbers_of_type());
      break;
    default:
      answer_file(nullptr, response);
      break;
  }
  return response;
}

template <class Request, class Response>
Task<GrpcStatus> reflect(http::Request&, net::BodyStream& stream) {
  std::string buffer;
  for (;;) {
    while (auto frame = holdfast::grpc::take_frame(buffer)) {
      Request request;
      if (frame->compressed || !parse_message(frame->message, request))
        co_return GrpcStatus{Code::internal, "malformed request", {}};
      std::string out;
      holdfast::grpc::append_frame(out, answer<Request, Response>(request).SerializeAsString());
      if (!stream.write(std::move(out), "application/grpc"))
        co_return GrpcStatus{Code::resource_exhausted, "answers are not being read", {}};
    }
    static constexpr std::size_t kRequestMax = 64 * 1024;
    if (buffer.size() > kRequestMax) co_return GrpcStatus{Code::resource_exhausted, "request too large", {}};
    const auto bytes = co_await stream.read();
    if (!bytes) co_return GrpcStatus::ok();
    buffer += *bytes;
  }
}

// Descriptors register themselves only if something refers to their files.
void link_descriptors() {
  (void)::dapr::proto::runtime::v1::GetStateRequest::descriptor();
  (void)::grpc::health::v1::HealthCheckRequest::descriptor();
  (void)::holdfast::v2::Record::descriptor();
}

class Reflection final : public GrpcService {
 public:
  Reflection() {
    namespace v1 = ::grpc::reflection::v1;
    namespace v1alpha = ::grpc::reflection::v1alpha;
    link_descriptors();
    streaming_.emplace("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
                       reflect<v1::ServerReflectionRequest, v1::ServerReflectionResponse>);
    streaming_.emplace("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                       reflect<v1alpha::ServerReflectionRequest, v1alpha::ServerReflectionResponse>);
  }
};

void append_methods(std::vector<std::string>& out, const google::protobuf::ServiceDescriptor& service) {
  for (int i = 0; i < service.method_count(); ++i)
    out.push_back("/" + service.full_name() + "/" + service.method(i)->name());
}

}  // namespace

std::vector<std::string> grpc_method_names() {
  std::vector<std::string> names;
  append_methods(names, *::dapr::proto::runtime::v1::GetStateRequest::descriptor()->file()->FindServiceByName("Dapr"));
  append_methods(names, *::holdfast::v2::Record::descriptor()->file()->FindServiceByName("State"));
  return names;
}

std::unique_ptr<GrpcService> make_reflection() { return std::make_unique<Reflection>(); }

}  // namespace holdfast::api
