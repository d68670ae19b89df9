// Dapr's secrets API between decoding and encoding: what HTTP and gRPC share. Reading a secret does not suspend.
#pragma once

#include <string_view>

#include "api/v1.h"
#include "service/secrets.h"

namespace holdfast::api {

ApiResult<service::Secret> get_secret(const service::Runtime& runtime, std::string_view store, std::string_view key);
ApiResult<service::Secrets> get_bulk_secret(const service::Runtime& runtime, std::string_view store);

}  // namespace holdfast::api
