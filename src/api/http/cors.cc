#include "api/http/cors.h"

#include <algorithm>

#include "base/encoding.h"

namespace holdfast::api {

namespace {

constexpr std::string_view kMethods = "GET, HEAD, POST, PUT, PATCH, DELETE";
constexpr std::string_view kExposed =
    "ETag, Metadata.ttlexpiretime, Traceparent, Last-Modified, Retry-After, "
    "Holdfast-Consistency, Holdfast-Created, Holdfast-Created-By, Holdfast-Modified, "
    "Holdfast-Modified-By, Holdfast-Expires, Holdfast-Session";

// What Access-Control-Allow-Origin says; empty when this origin may not.
std::string_view allowed(std::span<const std::string> origins, std::string_view origin) {
  for (const std::string& one : origins) {
    if (one == "*") return "*";
    if (iequals(one, origin)) return origin;
  }
  return {};
}

}  // namespace

std::optional<http::Response> cors_preflight(std::span<const std::string> allowed_origins,
                                             const http::Request& request) {
  if (allowed_origins.empty() || request.method != http::Method::options ||
      !request.headers.has("access-control-request-method"))
    return std::nullopt;
  http::Response response;
  response.status = 204;
  response.headers.add("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
  const std::string_view origin = allowed(allowed_origins, request.headers.find("origin"));
  if (origin.empty()) return response;
  response.headers.add("Access-Control-Allow-Origin", origin);
  response.headers.add("Access-Control-Allow-Methods", kMethods);
  const std::string_view asked = request.headers.find("access-control-request-headers");
  if (!asked.empty()) response.headers.add("Access-Control-Allow-Headers", asked);
  return response;
}

void add_cors_headers(std::span<const std::string> allowed_origins, const http::Request& request,
                      http::Response& response) {
  if (allowed_origins.empty()) return;
  response.headers.add("Vary", "Origin");
  const std::string_view origin = allowed(allowed_origins, request.headers.find("origin"));
  if (origin.empty()) return;
  response.headers.add("Access-Control-Allow-Origin", origin);
  response.headers.add("Access-Control-Expose-Headers", kExposed);
}

}  // namespace holdfast::api
