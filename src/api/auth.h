// The API token check, the same for every protocol.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace holdfast::api {

// Whether `given` is one of `tokens`; always when there are none. Takes the same time wherever they differ.
bool token_accepted(const std::vector<std::string>& tokens, std::string_view given);

}  // namespace holdfast::api
