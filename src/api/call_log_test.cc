#include "api/call_log.h"

#include <gtest/gtest.h>

namespace holdfast::api {
namespace {

using http::Method;

TEST(OperationName, SaysWhatARouteDoesWithoutItsKey) {
  struct Case {
    Method method;
    std::string_view path;
    std::string_view name;
  };
  for (const Case& c : {
           Case{Method::get, "/v1.0/state/s/secret-key", "GetState"},
           Case{Method::del, "/v1.0/state/s/k", "DeleteState"},
           Case{Method::post, "/v1.0/state/s", "SaveState"},
           Case{Method::put, "/v1.0/state/s", "SaveState"},
           Case{Method::post, "/v1.0/state/s/bulk", "GetBulkState"},
           Case{Method::get, "/v1.0/state/s/bulk", "GetState"},
           Case{Method::post, "/v1.0/state/s/transaction", "ExecuteStateTransaction"},
           Case{Method::post, "/v1.0-alpha1/state/s/query", "QueryStateAlpha1"},
           Case{Method::get, "/v1.0/secrets/s/k", "GetSecret"},
           Case{Method::get, "/v1.0/secrets/s/bulk", "GetBulkSecret"},
           Case{Method::get, "/v1.0/metadata", "GetMetadata"},
           Case{Method::put, "/v1.0/metadata/k", "SetMetadata"},
           Case{Method::post, "/v1.0/shutdown", "Shutdown"},
           Case{Method::get, "/v1.0/healthz", "Healthz"},
           Case{Method::get, "/v1.0/healthz/outbound", "HealthzOutbound"},
           Case{Method::get, "/v2/state/s", "ListRecords"},
           Case{Method::get, "/v2/state/s/a/b/c", "GetRecord"},
           Case{Method::head, "/v2/state/s/k", "GetRecord"},
           Case{Method::put, "/v2/state/s/k", "PutRecord"},
           Case{Method::del, "/v2/state/s/k", "DeleteRecord"},
           Case{Method::patch, "/v1.0/state/s/k", "Unknown"},
           Case{Method::get, "/elsewhere", "Unknown"},
       })
    EXPECT_EQ(operation_name(c.method, c.path), c.name) << c.path;
}

}  // namespace
}  // namespace holdfast::api
