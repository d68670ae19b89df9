// Dapr's HTTP API: the state routes, and the others that a state sidecar answers. doc/dapr-api.md has the contract.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "api/http/target.h"
#include "api/v1.h"
#include "wire/http/message.h"
#include "wire/json/json.h"

namespace holdfast::api {

class V1Routes {
 public:
  V1Routes(service::Service& service, service::Runtime& runtime)
      : service_(service), runtime_(runtime), v1_(service, runtime, V1::Protocol::http) {}

  // `path` is clean (target.h).
  Task<http::Response> handle(http::Request& request, std::string_view path, std::string_view query);

 private:
  Task<http::Response> state_route(http::Request& request, const Segments& segments,
                                   std::string_view query);
  Task<http::Response> get(http::Request& request, std::string store, std::string key, std::string_view query);
  Task<http::Response> erase(http::Request& request, std::string store, std::string key, std::string_view query);
  Task<http::Response> save(http::Request& request, std::string store, std::string_view query);
  Task<http::Response> bulk_get(http::Request& request, std::string store, std::string_view query);
  Task<http::Response> transact(http::Request& request, std::string store, std::string_view query);
  Task<http::Response> query(http::Request& request, std::string store, std::string_view query);

  // What is not state: metadata, health, shutdown, and the answers of the building blocks that are not ours.
  http::Response other_route(http::Request& request, const Segments& segments,
                             std::string_view path, std::string_view query);
  http::Response metadata();

  service::CallContext context_of(const http::Request& request) const;

  service::Service& service_;
  service::Runtime& runtime_;
  V1 v1_;
  json::Parser parser_;
};

// GET /v1.0/secrets/{store}/{key} and .../bulk; nothing for any other request. Keys of the answer are sorted.
std::optional<http::Response> secrets_route(const service::Runtime& runtime, http::Method method,
                                            const Segments& segments);

// The body of GET /v1.0/metadata.
std::string metadata_json(const service::Runtime& runtime);

}  // namespace holdfast::api
