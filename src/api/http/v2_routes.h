// Our HTTP API, /v2 (doc/api-v2.md, openapi.yaml).
#pragma once

#include "api/http/target.h"
#include "api/v2.h"
#include "wire/http/message.h"

namespace holdfast::api {

class V2Routes {
 public:
  V2Routes(service::Service& service, const service::Runtime& runtime) : v2_(service, runtime) {}

  Task<http::Response> handle(http::Request& request, const Target& target);

 private:
  Task<http::Response> state_route(http::Request& request, const Target& target);
  Task<http::Response> put(http::Request& request, service::StoreEntry& entry, std::string key, std::string_view query);
  Task<http::Response> get(http::Request& request, service::StoreEntry& entry, std::string key, std::string_view query);
  Task<http::Response> erase(http::Request& request, service::StoreEntry& entry, std::string key,
                             std::string_view query);
  Task<http::Response> list(http::Request& request, service::StoreEntry& entry, std::string_view query);
  Task<http::Response> health();
  http::Response stores();
  // Consistency and principal of a request; the problem when they cannot be read.
  Result<state::CallContext> context_of(const http::Request& request, std::string_view query) const;

  V2 v2_;
};

}  // namespace holdfast::api
