#include "api/errors.h"

#include <gtest/gtest.h>

#include "api/status_map.h"

namespace holdfast::api {
namespace {

using grpc::Code;

struct Row {
  const char* name;
  ApiError error;
  int http;
  Code grpc;
  const char* json;
  std::size_t grpc_details;
};

class ErrorTable : public testing::TestWithParam<Row> {};

TEST_P(ErrorTable, HasDaprsStatusesAndBody) {
  const Row& row = GetParam();
  EXPECT_EQ(row.error.http, row.http);
  EXPECT_EQ(row.error.grpc, row.grpc);
  EXPECT_EQ(json_body(row.error), row.json);
  EXPECT_EQ(grpc_details(row.error).size(), row.grpc_details);
}

const Error kBroken(Errc::internal, "disk on fire");

INSTANTIATE_TEST_SUITE_P(
    Rows, ErrorTable,
    testing::Values(
        Row{"StoreNotConfigured", store_not_configured("s", "app"), 500, Code::failed_precondition,
            R"({"errorCode":"ERR_STATE_STORE_NOT_CONFIGURED","message":"state store s is not configured","details":[)"
            R"({"@type":"type.googleapis.com/google.rpc.ErrorInfo","domain":"dapr.io","metadata":{"appID":"app"},)"
            R"("reason":"DAPR_STATE_NOT_CONFIGURED"}]})",
            1},
        Row{"StoreNotFound", store_not_found("s", "app"), 400, Code::invalid_argument,
            R"({"errorCode":"ERR_STATE_STORE_NOT_FOUND","message":"state store s is not found","details":[)"
            R"({"@type":"type.googleapis.com/google.rpc.ErrorInfo","domain":"dapr.io","metadata":{"appID":"app"},)"
            R"("reason":"DAPR_STATE_NOT_FOUND"}]})",
            1},
        Row{"StoreNotFoundByQuery", store_not_found("s", "app", true), 400, Code::invalid_argument,
            R"({"errorCode":"ERR_STATE_STORE_NOT_FOUND","message":"state store s is not found","details":[)"
            R"({"@type":"type.googleapis.com/google.rpc.ErrorInfo","domain":"dapr.io","metadata":null,)"
            R"("reason":"DAPR_STATE_NOT_FOUND"}]})",
            1},
        Row{"StorePending", store_pending("s", "connecting"), 500, Code::unavailable,
            R"({"errorCode":"ERR_STATE_STORE_NOT_READY","message":"state store s is not ready yet: connecting"})", 1},
        Row{"IllegalKey", illegal_key("s", "a||b", false), 400, Code::invalid_argument,
            R"({"errorCode":"ERR_MALFORMED_REQUEST","message":"api error: code = InvalidArgument desc = )"
            R"(input key/keyPrefix 'a||b' can't contain '||'","details":[)"
            R"({"@type":"type.googleapis.com/google.rpc.BadRequest","field_violations":[{"field":"a||b",)"
            R"("description":"api error: code = InvalidArgument desc = input key/keyPrefix 'a||b' can't contain '||'"}]},)"
            R"({"@type":"type.googleapis.com/google.rpc.ResourceInfo","description":"","owner":"","resource_name":"s",)"
            R"("resource_type":"state"},)"
            R"({"@type":"type.googleapis.com/google.rpc.ErrorInfo","domain":"dapr.io","metadata":null,)"
            R"("reason":"DAPR_STATE_ILLEGAL_KEY"}]})",
            3},
        Row{"IllegalKeyInTransaction", illegal_key("s", "a||b", true), 400, Code::invalid_argument,
            R"({"errorCode":"ERR_MALFORMED_REQUEST","message":"api error: code = InvalidArgument desc = )"
            R"(input key/keyPrefix 'a||b' can't contain '||'","details":[)"
            R"({"@type":"type.googleapis.com/google.rpc.BadRequest","field_violations":[{)"
            R"("description":"api error: code = InvalidArgument desc = input key/keyPrefix 'a||b' can't contain '||'"}]},)"
            R"({"@type":"type.googleapis.com/google.rpc.ResourceInfo","description":"","owner":"","resource_name":"s",)"
            R"("resource_type":"state"},)"
            R"({"@type":"type.googleapis.com/google.rpc.ErrorInfo","domain":"dapr.io","metadata":null,)"
            R"("reason":"DAPR_STATE_ILLEGAL_KEY"}]})",
            3},
        Row{"MalformedRequest", malformed_request("EOF"), 400, Code::invalid_argument,
            R"({"errorCode":"ERR_MALFORMED_REQUEST","message":"EOF"})", 0},
        Row{"GetFailed", get_failed("s", "k", kBroken), 500, Code::internal,
            R"({"errorCode":"ERR_STATE_GET","message":"fail to get k from state store s: disk on fire"})", 1},
        Row{"BulkGetFailed", bulk_get_failed(kBroken), 500, Code::unknown,
            R"({"errorCode":"ERR_STATE_BULK_GET","message":"disk on fire"})", 0},
        Row{"SaveFailed", save_failed("s", describe(kBroken)), 500, Code::internal,
            R"({"errorCode":"ERR_STATE_SAVE","message":"failed saving state in state store s: disk on fire"})", 1},
        Row{"SaveMismatch", save_failed("s", describe(Error(Errc::precondition_failed, "ours"))), 409, Code::aborted,
            R"({"errorCode":"ERR_STATE_SAVE","message":"failed saving state in state store s: )"
            R"(possible etag mismatch. error from state store"})",
            1},
        Row{"SaveInvalidEtag", save_failed("s", describe(Error(Errc::etag_invalid, "not a number"))), 400,
            Code::invalid_argument,
            R"({"errorCode":"ERR_STATE_SAVE","message":"failed saving state in state store s: )"
            R"(invalid etag value: not a number"})",
            1},
        Row{"SaveOverloaded", save_failed("s", describe(Error(Errc::overloaded, "queue is full"))), 503,
            Code::unavailable,
            R"({"errorCode":"ERR_STATE_SAVE","message":"failed saving state in state store s: queue is full"})", 1},
        Row{"DeleteMismatch", delete_failed("k", Error(Errc::precondition_failed, "")), 409, Code::aborted,
            R"({"errorCode":"ERR_STATE_DELETE","message":"failed deleting state with key k: )"
            R"(possible etag mismatch. error from state store"})",
            1},
        Row{"BulkDeleteFailed", bulk_delete_failed("s", describe(kBroken)), 500, Code::internal,
            R"({"errorCode":"ERR_STATE_BULK_DELETE","message":"failed deleting state in state store s: disk on fire"})",
            1},
        Row{"TransactionMismatch", transaction_failed(Error(Errc::precondition_failed, "")), 500, Code::internal,
            R"({"errorCode":"ERR_STATE_TRANSACTION","message":"error while executing state transaction: )"
            R"(possible etag mismatch. error from state store"})",
            1},
        Row{"TransactionOverloaded", transaction_failed(Error(Errc::overloaded, "full")), 503, Code::unavailable,
            R"({"errorCode":"ERR_STATE_TRANSACTION","message":"error while executing state transaction: full"})", 1},
        Row{"BadOperation", bad_operation("merge"), 400, Code::unimplemented,
            R"({"errorCode":"ERR_NOT_SUPPORTED_STATE_OPERATION","message":"operation type merge not supported"})", 1},
        Row{"TransactionsUnsupported", transactions_unsupported("s"), 500, Code::unimplemented,
            R"({"errorCode":"ERR_STATE_STORE_NOT_SUPPORTED","message":"state store s doesn't support transactions",)"
            R"("details":[{"@type":"type.googleapis.com/google.rpc.Help","links":[{)"
            R"("description":"Check the list of state stores and the features they support",)"
            R"("url":"https://docs.dapr.io/reference/components-reference/supported-state-stores/"}]},)"
            R"({"@type":"type.googleapis.com/google.rpc.ResourceInfo","description":"","owner":"","resource_name":"s",)"
            R"("resource_type":"state"},)"
            R"({"@type":"type.googleapis.com/google.rpc.ErrorInfo","domain":"dapr.io","metadata":null,)"
            R"("reason":"DAPR_STATE_TRANSACTIONS_NOT_SUPPORTED"}]})",
            3},
        Row{"TooManyOperations", too_many_operations("s", 101, 100), 400, Code::invalid_argument,
            R"({"errorCode":"ERR_STATE_STORE_TOO_MANY_TRANSACTIONS","message":"the transaction contains 101 operations, )"
            R"(which is more than what the state store supports: 100","details":[)"
            R"({"@type":"type.googleapis.com/google.rpc.ResourceInfo","description":"","owner":"","resource_name":"s",)"
            R"("resource_type":"state"},)"
            R"({"@type":"type.googleapis.com/google.rpc.ErrorInfo","domain":"dapr.io",)"
            R"("metadata":{"currentOpsTransaction":"101","maxOpsPerTransaction":"100"},)"
            R"("reason":"DAPR_STATE_TOO_MANY_TRANSACTIONS"}]})",
            2},
        Row{"QueryUnsupported", query_unsupported("s"), 500, Code::internal,
            R"({"errorCode":"ERR_STATE_STORE_NOT_SUPPORTED","message":"state store does not support querying","details":[)"
            R"({"@type":"type.googleapis.com/google.rpc.ResourceInfo","description":"","owner":"","resource_name":"s",)"
            R"("resource_type":"state"},)"
            R"({"@type":"type.googleapis.com/google.rpc.ErrorInfo","domain":"dapr.io","metadata":null,)"
            R"("reason":"DAPR_STATE_QUERYING_NOT_SUPPORTED"}]})",
            2},
        Row{"QueryFailed", query_failed("s", "why"), 500, Code::internal,
            R"({"errorCode":"ERR_STATE_QUERY","message":"state store s query failed: why","details":[)"
            R"({"@type":"type.googleapis.com/google.rpc.ResourceInfo","description":"","owner":"","resource_name":"s",)"
            R"("resource_type":"state"},)"
            R"({"@type":"type.googleapis.com/google.rpc.ErrorInfo","domain":"dapr.io","metadata":null,)"
            R"("reason":"DAPR_STATE_QUERY_FAILED"}]})",
            2}),
    [](const auto& info) { return info.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Secrets, ErrorTable,
    testing::Values(
        Row{"NotConfigured", secret_stores_not_configured(), 500, Code::failed_precondition,
            R"({"errorCode":"ERR_SECRET_STORES_NOT_CONFIGURED","message":"secret store is not configured"})", 1},
        Row{"NotFound", secret_store_not_found("v"), 401, Code::invalid_argument,
            R"({"errorCode":"ERR_SECRET_STORE_NOT_FOUND","message":"failed finding secret store with key v"})", 1},
        Row{"Denied", secret_denied("v", "k\"1"), 403, Code::permission_denied,
            R"({"errorCode":"ERR_PERMISSION_DENIED",)"
            R"("message":"access denied by policy to get \"k\\\"1\" from \"v\""})",
            1},
        Row{"Failed", secret_failed("v", "k", "why"), 500, Code::internal,
            R"({"errorCode":"ERR_SECRET_GET","message":"failed getting secret with key k from secret store v: why"})",
            1},
        Row{"BulkFailed", bulk_secret_failed("v", "why"), 500, Code::internal,
            R"({"errorCode":"ERR_SECRET_GET","message":"failed getting secrets from secret store v: why"})", 1}),
    [](const auto& info) { return info.param.name; });

TEST(Errors, TextsAreEscapedAsGoEscapesThem) {
  EXPECT_EQ(json_body(malformed_request("<\"&\n")),
            R"({"errorCode":"ERR_MALFORMED_REQUEST","message":"\u003c\"\u0026\n"})");
}

TEST(Errors, OnlyOurOwnBoundsAskForARetry) {
  EXPECT_TRUE(save_failed("s", describe(Error(Errc::overloaded, "full"))).retry_after);
  EXPECT_FALSE(save_failed("s", describe(kBroken)).retry_after);
}

TEST(Errors, TheGrpcFormOfAnIllegalKeyHasNoPrefix) {
  const ApiError error = illegal_key("s", "a||b", false);
  EXPECT_EQ(error.message, "input key/keyPrefix 'a||b' can't contain '||'");
}

TEST(StoreFailure, ATimeOutWithoutWordsHasGosWords) {
  EXPECT_EQ(describe(Error(Errc::deadline_exceeded, "")).text, "context deadline exceeded");
}

const Error kMismatch(Errc::precondition_failed, "");
const Error kBadEtag(Errc::etag_invalid, "x");

TEST(BulkFailure, OnlyMismatchesAreOneMismatchWithEveryText) {
  const StoreFailure failure = describe_bulk({kMismatch, kMismatch}, true);
  EXPECT_EQ(failure.http, 409);
  EXPECT_EQ(failure.grpc, Code::aborted);
  EXPECT_EQ(failure.text,
            "possible etag mismatch. error from state store: possible etag mismatch. error from state store\n"
            "possible etag mismatch. error from state store");
}

TEST(BulkFailure, OneInvalidEtagMakesAllInvalid) {
  const StoreFailure failure = describe_bulk({kMismatch, kBadEtag}, true);
  EXPECT_EQ(failure.http, 400);
  EXPECT_EQ(failure.text, "invalid etag value: possible etag mismatch. error from state store\ninvalid etag value: x");
}

TEST(BulkFailure, AMixedLotShowsTheFirstEtagErrorOverHttpAndAllOverGrpc) {
  const StoreFailure http = describe_bulk({kBroken, kMismatch, kBadEtag}, true);
  EXPECT_EQ(http.http, 409);
  EXPECT_EQ(http.text, "possible etag mismatch. error from state store");
  const StoreFailure grpc = describe_bulk({kBroken, kMismatch, kBadEtag}, false);
  EXPECT_EQ(grpc.grpc, Code::aborted);
  EXPECT_EQ(grpc.text, "disk on fire\npossible etag mismatch. error from state store\ninvalid etag value: x");
}

TEST(BulkFailure, WithoutEtagErrorsItIsInternalUnlessAllWereOverloaded) {
  EXPECT_EQ(describe_bulk({kBroken, kBroken}, true).http, 500);
  const Error full(Errc::overloaded, "full");
  EXPECT_EQ(describe_bulk({full, full}, true).http, 503);
  EXPECT_EQ(describe_bulk({full, kBroken}, true).http, 500);
}

struct Mapped {
  Errc code;
  int http;
  Code grpc;
  const char* reason;
};

class StatusMap : public testing::TestWithParam<Mapped> {};

TEST_P(StatusMap, GivesV2ItsStatuses) {
  EXPECT_EQ(v2_http_status(GetParam().code), GetParam().http);
  EXPECT_EQ(v2_grpc_code(GetParam().code), GetParam().grpc);
  EXPECT_EQ(v2_reason(GetParam().code), GetParam().reason);
  EXPECT_FALSE(v2_title(GetParam().code).empty());
}

INSTANTIATE_TEST_SUITE_P(
    All, StatusMap,
    testing::Values(Mapped{Errc::invalid_argument, 400, Code::invalid_argument, "INVALID_ARGUMENT"},
                    Mapped{Errc::unsupported, 501, Code::unimplemented, "UNSUPPORTED"},
                    Mapped{Errc::denied, 403, Code::permission_denied, "DENIED"},
                    Mapped{Errc::not_found, 404, Code::not_found, "NOT_FOUND"},
                    Mapped{Errc::etag_invalid, 412, Code::failed_precondition, "ETAG_INVALID"},
                    Mapped{Errc::precondition_failed, 412, Code::failed_precondition, "PRECONDITION_FAILED"},
                    Mapped{Errc::conflict, 409, Code::aborted, "CONFLICT"},
                    Mapped{Errc::unavailable, 503, Code::unavailable, "UNAVAILABLE"},
                    Mapped{Errc::overloaded, 503, Code::unavailable, "OVERLOADED"},
                    Mapped{Errc::deadline_exceeded, 504, Code::deadline_exceeded, "DEADLINE_EXCEEDED"},
                    Mapped{Errc::outcome_unknown, 504, Code::unavailable, "OUTCOME_UNKNOWN"},
                    Mapped{Errc::replication_shortfall, 503, Code::unavailable, "REPLICATION_SHORTFALL"},
                    Mapped{Errc::internal, 500, Code::internal, "INTERNAL"}),
    [](const auto& info) { return std::string(info.param.reason); });

}  // namespace
}  // namespace holdfast::api
