// Small responses that several routes make.
#pragma once

#include <string>
#include <string_view>

#include "api/errors.h"
#include "wire/http/message.h"

namespace holdfast::api {

inline constexpr std::string_view kJson = "application/json";
inline constexpr std::string_view kPlain = "text/plain; charset=utf-8";

http::Response text_response(int status, std::string text);
http::Response json_response(int status, std::string body);
http::Response no_content();
http::Response error_response(const ApiError& error);
// What daprd says of a path that is none of its routes.
http::Response unknown_route();
// {"errorCode":code,"message":message} without details.
http::Response plain_error(int status, std::string code, std::string message);

}  // namespace holdfast::api
