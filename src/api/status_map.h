// The one place where an Errc becomes a status of our own API. (v1's statuses are Dapr's: api/errors.h.)
#pragma once

#include <string_view>

#include "base/result.h"
#include "wire/grpc/grpc.h"

namespace holdfast::api {

int v2_http_status(Errc code);
grpc::Code v2_grpc_code(Errc code);
// "PRECONDITION_FAILED": the reason in an ErrorInfo.
std::string_view v2_reason(Errc code);
// "The record is not what the request expected": the title of a problem document.
std::string_view v2_title(Errc code);

}  // namespace holdfast::api
