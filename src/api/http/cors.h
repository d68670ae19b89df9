// Cross-origin requests (--allowed-origins), as the Fetch standard has them. Without the flag nothing is answered, so
// that browsers refuse.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "wire/http/message.h"

namespace holdfast::api {

// The answer to a preflight; nothing when the request is none.
std::optional<http::Response> cors_preflight(std::span<const std::string> allowed_origins, const http::Request& request);

// Adds what lets the page at the request's origin read the answer.
void add_cors_headers(std::span<const std::string> allowed_origins, const http::Request& request,
                      http::Response& response);

}  // namespace holdfast::api
