// The log line of an API call, for those who ask for one (--enable-api-logging, logging.apiLogging). It shows the path
// and never a header, a query string or a body: those hold tokens and values.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "wire/http/message.h"

namespace holdfast::api {

struct CallLog {
  bool enabled = false;
  bool obfuscate_urls = false;      // the operation's name in place of the path, which holds keys
  bool omit_health_checks = false;
};

void log_http_call(const CallLog& options, const http::Request& request, std::string_view path,
                   const http::Response& response, Milliseconds duration);
void log_grpc_call(const CallLog& options, std::string_view full_method, int code, std::size_t bytes,
                   Milliseconds duration, std::string_view user_agent);

// "GetState" for GET /v1.0/state/STORE/KEY; "Unknown" for what is no route of ours. `path` is clean.
std::string_view operation_name(http::Method method, std::string_view path);

}  // namespace holdfast::api
