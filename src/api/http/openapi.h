// openapi.yaml as JSON, compiled in.
#pragma once

#include <string_view>

namespace holdfast::api {

std::string_view openapi_json();

}  // namespace holdfast::api
