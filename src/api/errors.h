// Failures as v1 tells them: Dapr's codes, texts and details, for HTTP and gRPC from one value.
// The facts are in doc/dapr-api.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wire/grpc/grpc.h"

namespace holdfast::api {

// Where a detail is shown: Dapr's two protocols do not carry the same ones.
enum class Shown : std::uint8_t { both, http, grpc };

struct ErrorDetail {
  enum class Kind : std::uint8_t { error_info, resource_info, bad_request, help };
  Kind kind;
  std::string first;   // reason | resource name | field | description
  std::string second;  // - | resource type | description | url
  grpc::Metadata metadata;
  bool null_metadata = false;  // HTTP prints null rather than {}
  Shown shown = Shown::both;
};

struct ApiError {
  int http = 500;
  grpc::Code grpc = grpc::Code::internal;
  std::string code;     // errorCode
  std::string message;
  std::string http_message;  // when it differs from `message`
  std::vector<ErrorDetail> details;
  bool retry_after = false;

  ApiError& with(ErrorDetail detail) {
    details.push_back(std::move(detail));
    return *this;
  }
};

ErrorDetail error_info(std::string reason, grpc::Metadata metadata = {}, Shown shown = Shown::both);
ErrorDetail resource_info(std::string store, Shown shown = Shown::both);

// {"errorCode":...,"message":...,"details":[...]}, as Go prints it.
std::string json_body(const ApiError& error);
std::vector<grpc::Detail> grpc_details(const ApiError& error);

// How a store's failure reads in v1: `{err}` of Dapr's texts, and its statuses.
struct StoreFailure {
  std::string text;
  int http = 500;
  grpc::Code grpc = grpc::Code::internal;
};
StoreFailure describe(const Error& error);

// The failures of some items of one bulk write, joined as Dapr joins them. `over_http`: HTTP shows only the first
// etag error of a mixed lot.
StoreFailure describe_bulk(const std::vector<Error>& errors, bool over_http);

// Rows of Dapr's table of state errors.
ApiError store_not_configured(std::string_view store, std::string_view app_id);
ApiError store_not_found(std::string_view store, std::string_view app_id, bool query_route = false);
ApiError store_pending(std::string_view store, std::string_view reason);
ApiError illegal_key(std::string_view store, std::string_view key, bool in_transaction);
ApiError malformed_request(std::string message);
// What the caller's token does not allow.
ApiError permission_denied(std::string message);
ApiError get_failed(std::string_view store, std::string_view key, const Error& error);
ApiError bulk_get_failed(const Error& error);
ApiError save_failed(std::string_view store, const StoreFailure& failure);
ApiError delete_failed(std::string_view key, const Error& error);
ApiError bulk_delete_failed(std::string_view store, const StoreFailure& failure);
ApiError transaction_failed(const Error& error);
ApiError bad_operation(std::string_view operation);
ApiError transactions_unsupported(std::string_view store);
ApiError too_many_operations(std::string_view store, std::size_t count, std::size_t max);
ApiError query_unsupported(std::string_view store);
ApiError query_failed(std::string_view store, std::string_view detail);

// Rows of Dapr's table of secret errors.
ApiError secret_stores_not_configured();
ApiError secret_store_not_found(std::string_view store);
ApiError secret_denied(std::string_view store, std::string_view key);
ApiError secret_failed(std::string_view store, std::string_view key, std::string_view text);
ApiError bulk_secret_failed(std::string_view store, std::string_view text);

}  // namespace holdfast::api
