#include "api/errors.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "wire/json/json.h"

namespace holdfast::api {

using grpc::Code;

namespace {

constexpr std::string_view kMismatch = "possible etag mismatch. error from state store";
constexpr std::string_view kInvalid = "invalid etag value";

bool is_etag_error(const Error& error) {
  return error.code == Errc::precondition_failed || error.code == Errc::etag_invalid;
}

using json::append_member;

void append_detail(std::string& out, const ErrorDetail& detail) {
  const auto type = [&out](std::string_view name) {
    out += R"({"@type":"type.googleapis.com/google.rpc.)";
    out += name;
    out += '"';
  };
  switch (detail.kind) {
    case ErrorDetail::Kind::error_info: {
      type("ErrorInfo");
      out += R"(,"domain":"dapr.io","metadata":)";
      if (detail.null_metadata) {
        out += "null";
      } else {
        out += '{';
        for (const auto& [name, value] : detail.metadata) append_member(out, name, value);
        out += '}';
      }
      append_member(out, "reason", detail.first);
      break;
    }
    case ErrorDetail::Kind::resource_info:
      type("ResourceInfo");
      out += R"(,"description":"","owner":"")";
      append_member(out, "resource_name", detail.first);
      append_member(out, "resource_type", detail.second);
      break;
    case ErrorDetail::Kind::bad_request:
      type("BadRequest");
      out += R"(,"field_violations":[{)";
      if (!detail.first.empty()) append_member(out, "field", detail.first);
      append_member(out, "description", detail.second);
      out += "}]";
      break;
    case ErrorDetail::Kind::help:
      type("Help");
      out += R"(,"links":[{)";
      append_member(out, "description", detail.first);
      append_member(out, "url", detail.second);
      out += "}]";
      break;
  }
  out += '}';
}

ApiError make(int http, Code code, std::string tag, std::string message) {
  ApiError error;
  error.http = http;
  error.grpc = code;
  error.code = std::move(tag);
  error.message = std::move(message);
  return error;
}

// A failed call whose gRPC form alone carries an ErrorInfo, with the error code as its reason.
ApiError failed(const StoreFailure& failure, std::string tag, std::string message) {
  ApiError error = make(failure.http, failure.grpc, tag, std::move(message));
  error.retry_after = failure.http == 503;
  error.with(error_info(std::move(tag), {}, Shown::grpc));
  return error;
}

}  // namespace

ErrorDetail error_info(std::string reason, grpc::Metadata metadata, Shown shown) {
  return {ErrorDetail::Kind::error_info, std::move(reason), {}, std::move(metadata), false, shown};
}

ErrorDetail resource_info(std::string store, Shown shown) {
  return {ErrorDetail::Kind::resource_info, std::move(store), "state", {}, false, shown};
}

std::string json_body(const ApiError& error) {
  std::string out = "{";
  append_member(out, "errorCode", error.code);
  append_member(out, "message", error.http_message.empty() ? error.message : error.http_message);
  bool any = false;
  for (const ErrorDetail& detail : error.details) {
    if (detail.shown == Shown::grpc) continue;
    out += any ? "," : R"(,"details":[)";
    any = true;
    append_detail(out, detail);
  }
  if (any) out += ']';
  out += '}';
  return out;
}

std::vector<grpc::Detail> grpc_details(const ApiError& error) {
  std::vector<grpc::Detail> out;
  for (const ErrorDetail& detail : error.details) {
    if (detail.shown == Shown::http) continue;
    switch (detail.kind) {
      case ErrorDetail::Kind::error_info: out.push_back(grpc::error_info(detail.first, "dapr.io", detail.metadata)); break;
      case ErrorDetail::Kind::resource_info: out.push_back(grpc::resource_info(detail.second, detail.first)); break;
      case ErrorDetail::Kind::bad_request: out.push_back(grpc::bad_request(detail.first, detail.second)); break;
      case ErrorDetail::Kind::help: out.push_back(grpc::help(detail.first, detail.second)); break;
    }
  }
  return out;
}

StoreFailure describe(const Error& error) {
  switch (error.code) {
    case Errc::precondition_failed: return {std::string(kMismatch), 409, Code::aborted};
    case Errc::etag_invalid:
      return {error.message.empty() ? std::string(kInvalid) : fmt::format("{}: {}", kInvalid, error.message), 400,
              Code::invalid_argument};
    case Errc::invalid_argument: return {error.message, 400, Code::invalid_argument};
    case Errc::overloaded: return {error.message, 503, Code::unavailable};
    case Errc::deadline_exceeded:
      return {error.message.empty() ? "context deadline exceeded" : error.message, 500, Code::internal};
    default: return {error.message, 500, Code::internal};
  }
}

StoreFailure describe_bulk(const std::vector<Error>& errors, bool over_http) {
  std::string joined;
  const Error* first_etag = nullptr;
  bool all_etag = true;
  bool any_invalid = false;
  bool all_overloaded = true;
  for (const Error& error : errors) {
    if (!joined.empty()) joined += '\n';
    joined += describe(error).text;
    if (is_etag_error(error)) {
      if (first_etag == nullptr) first_etag = &error;
      any_invalid |= error.code == Errc::etag_invalid;
    } else {
      all_etag = false;
    }
    all_overloaded &= error.code == Errc::overloaded;
  }
  if (first_etag == nullptr) {
    if (all_overloaded) return {joined, 503, Code::unavailable};
    return {joined, 500, Code::internal};
  }
  if (all_etag) {
    if (any_invalid) return {fmt::format("{}: {}", kInvalid, joined), 400, Code::invalid_argument};
    return {fmt::format("{}: {}", kMismatch, joined), 409, Code::aborted};
  }
  StoreFailure failure = describe(*first_etag);
  if (!over_http) failure.text = joined;
  return failure;
}

ApiError store_not_configured(std::string_view store, std::string_view app_id) {
  ApiError error = make(500, Code::failed_precondition, "ERR_STATE_STORE_NOT_CONFIGURED",
                        fmt::format("state store {} is not configured", store));
  error.with(error_info("DAPR_STATE_NOT_CONFIGURED", {{"appID", std::string(app_id)}}, Shown::http));
  return error.with(error_info("DAPR_STATE_NOT_CONFIGURED", {}, Shown::grpc));
}

ApiError store_not_found(std::string_view store, std::string_view app_id, bool query_route) {
  ApiError error = make(400, Code::invalid_argument, "ERR_STATE_STORE_NOT_FOUND",
                        fmt::format("state store {} is not found", store));
  ErrorDetail info = error_info("DAPR_STATE_NOT_FOUND", {{"appID", std::string(app_id)}}, Shown::http);
  if (query_route) {
    info.metadata.clear();
    info.null_metadata = true;
  }
  error.with(std::move(info));
  return error.with(error_info("DAPR_STATE_NOT_FOUND", {}, Shown::grpc));
}

ApiError store_pending(std::string_view store, std::string_view reason) {
  ApiError error = make(500, Code::unavailable, "ERR_STATE_STORE_NOT_READY",
                        fmt::format("state store {} is not ready yet: {}", store, reason));
  return error.with(error_info("ERR_STATE_STORE_NOT_READY", {}, Shown::grpc));
}

ApiError illegal_key(std::string_view store, std::string_view key, bool in_transaction) {
  const std::string text = fmt::format("input key/keyPrefix '{}' can't contain '||'", key);
  ApiError error = make(400, Code::invalid_argument, "ERR_MALFORMED_REQUEST", text);
  error.http_message = "api error: code = InvalidArgument desc = " + text;
  const std::string field = in_transaction ? std::string() : std::string(key);
  error.with({ErrorDetail::Kind::bad_request, field, error.http_message, {}, false, Shown::http});
  error.with({ErrorDetail::Kind::bad_request, field, text, {}, false, Shown::grpc});
  error.with(resource_info(std::string(store)));
  ErrorDetail info = error_info("DAPR_STATE_ILLEGAL_KEY");
  info.null_metadata = true;
  return error.with(std::move(info));
}

ApiError malformed_request(std::string message) {
  return make(400, Code::invalid_argument, "ERR_MALFORMED_REQUEST", std::move(message));
}

ApiError permission_denied(std::string message) {
  ApiError error = make(403, Code::permission_denied, "ERR_PERMISSION_DENIED", std::move(message));
  return error.with(error_info("ERR_PERMISSION_DENIED", {}, Shown::grpc));
}

ApiError get_failed(std::string_view store, std::string_view key, const Error& error) {
  StoreFailure failure = describe(error);
  return failed(failure, "ERR_STATE_GET",
                fmt::format("fail to get {} from state store {}: {}", key, store, failure.text));
}

ApiError bulk_get_failed(const Error& error) {
  const StoreFailure failure = describe(error);
  return make(failure.http, Code::unknown, "ERR_STATE_BULK_GET", failure.text);
}

ApiError save_failed(std::string_view store, const StoreFailure& failure) {
  return failed(failure, "ERR_STATE_SAVE", fmt::format("failed saving state in state store {}: {}", store, failure.text));
}

ApiError delete_failed(std::string_view key, const Error& error) {
  const StoreFailure failure = describe(error);
  return failed(failure, "ERR_STATE_DELETE", fmt::format("failed deleting state with key {}: {}", key, failure.text));
}

ApiError bulk_delete_failed(std::string_view store, const StoreFailure& failure) {
  return failed(failure, "ERR_STATE_BULK_DELETE",
                fmt::format("failed deleting state in state store {}: {}", store, failure.text));
}

// Dapr answers 500 whatever the cause; only our own bound keeps its 503.
ApiError transaction_failed(const Error& error) {
  StoreFailure failure = describe(error);
  if (error.code != Errc::overloaded) {
    failure.http = 500;
    failure.grpc = Code::internal;
  }
  return failed(failure, "ERR_STATE_TRANSACTION",
                fmt::format("error while executing state transaction: {}", failure.text));
}

ApiError bad_operation(std::string_view operation) {
  ApiError error = make(400, Code::unimplemented, "ERR_NOT_SUPPORTED_STATE_OPERATION",
                        fmt::format("operation type {} not supported", operation));
  return error.with(error_info("ERR_NOT_SUPPORTED_STATE_OPERATION", {}, Shown::grpc));
}

ApiError transactions_unsupported(std::string_view store) {
  ApiError error = make(500, Code::unimplemented, "ERR_STATE_STORE_NOT_SUPPORTED",
                        fmt::format("state store {} doesn't support transactions", store));
  error.with({ErrorDetail::Kind::help, "Check the list of state stores and the features they support",
              "https://docs.dapr.io/reference/components-reference/supported-state-stores/", {}, false, Shown::both});
  error.with(resource_info(std::string(store)));
  ErrorDetail info = error_info("DAPR_STATE_TRANSACTIONS_NOT_SUPPORTED");
  info.null_metadata = true;
  return error.with(std::move(info));
}

ApiError too_many_operations(std::string_view store, std::size_t count, std::size_t max) {
  ApiError error = make(400, Code::invalid_argument, "ERR_STATE_STORE_TOO_MANY_TRANSACTIONS",
                        fmt::format("the transaction contains {} operations, which is more than what the state "
                                    "store supports: {}", count, max));
  error.with(resource_info(std::string(store)));
  return error.with(error_info("DAPR_STATE_TOO_MANY_TRANSACTIONS", {{"currentOpsTransaction", std::to_string(count)},
                                                                    {"maxOpsPerTransaction", std::to_string(max)}}));
}

ApiError query_unsupported(std::string_view store) {
  ApiError error = make(500, Code::internal, "ERR_STATE_STORE_NOT_SUPPORTED", "state store does not support querying");
  error.with(resource_info(std::string(store)));
  ErrorDetail info = error_info("DAPR_STATE_QUERYING_NOT_SUPPORTED");
  info.null_metadata = true;
  return error.with(std::move(info));
}

ApiError query_failed(std::string_view store, std::string_view detail) {
  ApiError error = make(500, Code::internal, "ERR_STATE_QUERY",
                        fmt::format("state store {} query failed: {}", store, detail));
  error.with(resource_info(std::string(store)));
  ErrorDetail info = error_info("DAPR_STATE_QUERY_FAILED");
  info.null_metadata = true;
  return error.with(std::move(info));
}

namespace {

ApiError secret_error(int http, Code code, std::string tag, std::string message) {
  ApiError error = make(http, code, tag, std::move(message));
  return error.with(error_info(std::move(tag), {}, Shown::grpc));
}

}  // namespace

ApiError secret_stores_not_configured() {
  return secret_error(500, Code::failed_precondition, "ERR_SECRET_STORES_NOT_CONFIGURED",
                      "secret store is not configured");
}

// 401 for a name that is not there: Dapr's own choice.
ApiError secret_store_not_found(std::string_view store) {
  return secret_error(401, Code::invalid_argument, "ERR_SECRET_STORE_NOT_FOUND",
                      fmt::format("failed finding secret store with key {}", store));
}

ApiError secret_denied(std::string_view store, std::string_view key) {
  return permission_denied(fmt::format("access denied by policy to get {} from {}", go_quote(key), go_quote(store)));
}

ApiError secret_failed(std::string_view store, std::string_view key, std::string_view text) {
  return secret_error(500, Code::internal, "ERR_SECRET_GET",
                      fmt::format("failed getting secret with key {} from secret store {}: {}", key, store, text));
}

ApiError bulk_secret_failed(std::string_view store, std::string_view text) {
  return secret_error(500, Code::internal, "ERR_SECRET_GET",
                      fmt::format("failed getting secrets from secret store {}: {}", store, text));
}

}  // namespace holdfast::api
