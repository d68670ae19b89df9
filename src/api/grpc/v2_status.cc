#include "api/grpc/v2_status.h"

#include "api/status_map.h"
#include "api/v2.h"

namespace holdfast::api {

GrpcStatus failure(const Error& error) {
  grpc::Metadata metadata;
  if (!error.current_etag.empty()) metadata.emplace_back("current_etag", entity_tag(error.current_etag));
  if (error.operation >= 0) metadata.emplace_back("operation", std::to_string(error.operation));
  GrpcStatus status{v2_grpc_code(error.code), error.message, {}};
  status.details.push_back(grpc::error_info(v2_reason(error.code), "holdfast", metadata));
  return status;
}

GrpcStatus malformed() { return failure(Error(Errc::invalid_argument, "the request is no message of its type")); }

}  // namespace holdfast::api
