#include "api/status_map.h"

namespace holdfast::api {

namespace {

struct Row {
  int http;
  grpc::Code grpc;
  std::string_view reason;
  std::string_view title;
};

Row row_of(Errc code) {
  using grpc::Code;
  switch (code) {
    case Errc::invalid_argument: return {400, Code::invalid_argument, "INVALID_ARGUMENT", "The request is not valid"};
    case Errc::unsupported: return {501, Code::unimplemented, "UNSUPPORTED", "The store cannot do this"};
    case Errc::denied: return {403, Code::permission_denied, "DENIED", "The caller may not do this"};
    case Errc::not_found: return {404, Code::not_found, "NOT_FOUND", "There is no such record"};
    case Errc::etag_invalid:
      return {412, Code::failed_precondition, "ETAG_INVALID", "The etag is not one of this store's"};
    case Errc::precondition_failed:
      return {412, Code::failed_precondition, "PRECONDITION_FAILED", "The record is not what the request expected"};
    case Errc::conflict: return {409, Code::aborted, "CONFLICT", "Another write came first"};
    case Errc::unavailable: return {503, Code::unavailable, "UNAVAILABLE", "The store cannot be reached"};
    case Errc::overloaded: return {503, Code::unavailable, "OVERLOADED", "Too much is waiting already"};
    case Errc::deadline_exceeded:
      return {504, Code::deadline_exceeded, "DEADLINE_EXCEEDED", "The store did not answer in time"};
    case Errc::outcome_unknown:
      return {504, Code::unavailable, "OUTCOME_UNKNOWN", "The write may or may not have been applied"};
    case Errc::replication_shortfall:
      return {503, Code::unavailable, "REPLICATION_SHORTFALL", "The write reached fewer replicas than asked"};
    case Errc::internal: break;
  }
  return {500, Code::internal, "INTERNAL", "Something went wrong inside"};
}

}  // namespace

int v2_http_status(Errc code) { return row_of(code).http; }
grpc::Code v2_grpc_code(Errc code) { return row_of(code).grpc; }
std::string_view v2_reason(Errc code) { return row_of(code).reason; }
std::string_view v2_title(Errc code) { return row_of(code).title; }

}  // namespace holdfast::api
