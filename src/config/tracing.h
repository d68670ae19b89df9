// Internal to the folder: how OTLP headers are written as one text.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace holdfast::config {

// Whether both can stand in a request.
bool is_header(std::string_view name, std::string_view value);

// "name=value,other=value": names are HTTP tokens, values percent-encoded. The error never quotes: values may be
// secrets.
Result<std::vector<std::pair<std::string, std::string>>> parse_otlp_headers(std::string_view text);

}  // namespace holdfast::config
