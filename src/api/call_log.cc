#include "api/call_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/log.h"

namespace holdfast::api {

namespace {

using http::Method;

constexpr std::string_view kScope = "holdfast.api";

bool is_health(std::string_view path) { return path.starts_with("/v1.0/healthz") || path == "/v2/health"; }

// What a route's method does; `segments` is how many segments its path has, 0: any number from the prefix on.
struct Operation {
  std::string_view prefix;
  int segments;
  std::string_view get, write, erase;
};
constexpr Operation kOperations[] = {
    {"/v1.0/state/", 3, "", "SaveState", ""},
    {"/v1.0/state/", 4, "GetState", "", "DeleteState"},
    {"/v1.0-alpha1/state/", 4, "", "QueryStateAlpha1", ""},
    {"/v1.0/secrets/", 4, "GetSecret", "", ""},
    {"/v1.0/metadata", 2, "GetMetadata", "", ""},
    {"/v1.0/metadata/", 3, "", "SetMetadata", ""},
    {"/v1.0/shutdown", 2, "", "Shutdown", ""},
    {"/v1.0/healthz", 2, "Healthz", "", ""},
    {"/v1.0/healthz/outbound", 3, "HealthzOutbound", "", ""},
    {"/v2/state/", 3, "ListRecords", "", ""},
    {"/v2/state/", 0, "GetRecord", "PutRecord", "DeleteRecord"},
    {"/v2/stores", 2, "ListStores", "", ""},
    {"/v2/stats", 2, "GetStats", "", ""},
    {"/v2/health", 2, "Health", "", ""},
};

bool is_write(Method method) { return method == Method::post || method == Method::put; }

}  // namespace

std::string_view operation_name(Method method, std::string_view path) {
  if (is_write(method) && path.starts_with("/v1.0/state/")) {
    if (path.ends_with("/bulk")) return "GetBulkState";
    if (path.ends_with("/transaction")) return "ExecuteStateTransaction";
  }
  if (method == Method::get && path.starts_with("/v1.0/secrets/") && path.ends_with("/bulk")) return "GetBulkSecret";
  const auto segments = std::ranges::count(path, '/');
  for (const Operation& operation : kOperations) {
    if (!path.starts_with(operation.prefix) || (operation.segments != 0 && operation.segments != segments)) continue;
    const bool reads = method == Method::get || method == Method::head;
    const std::string_view name = reads              ? operation.get
                                  : is_write(method) ? operation.write
                                  : method == Method::del ? operation.erase
                                                          : std::string_view();
    if (!name.empty()) return name;
  }
  return "Unknown";
}

void log_http_call(const CallLog& options, const http::Request& request, std::string_view path,
                   const http::Response& response, Milliseconds duration) {
  if (options.omit_health_checks && is_health(path)) return;
  const std::string method = options.obfuscate_urls ? std::string(operation_name(request.method, path))
                                                    : fmt::format("{} {}", request.method_text(), path);
  log::write(log::Level::info, kScope, "HTTP API Called",
             {{"method", method},
              {"code", std::to_string(response.status)},
              {"size", std::to_string(response.body.size())},
              {"duration", std::to_string(duration.count())},
              {"useragent", std::string(request.headers.find("user-agent"))}});
}

void log_grpc_call(const CallLog& options, std::string_view full_method, int code, std::size_t bytes,
                   Milliseconds duration, std::string_view user_agent) {
  if (options.omit_health_checks && full_method.starts_with("/grpc.health.v1.Health/")) return;
  log::write(log::Level::info, kScope, "gRPC API Called",
             {{"method", std::string(full_method)},
              {"code", std::to_string(code)},
              {"size", std::to_string(bytes)},
              {"duration", std::to_string(duration.count())},
              {"useragent", std::string(user_agent)}});
}

}  // namespace holdfast::api
