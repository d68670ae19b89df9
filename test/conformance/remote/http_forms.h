// What requests to /v2 and its answers look like, for the stores at the other end of HTTP.
#pragma once

#include <string>
#include <string_view>

#include "conformance/remote/http_client.h"
#include "state/store.h"
#include "wire/json/json.h"

namespace holdfast::conformance {

std::string json_text(std::string_view text);
// A member that is a string; empty when it is none.
std::string text_of(json::Object from, std::string_view name);
void add_parameter(std::string& target, std::string_view name, std::string_view value);
void add_level(std::string& target, state::Consistency level);
// The error that a problem document stands for.
Error error_of(json::Object problem);
std::unexpected<Error> problem_of(const HttpAnswer& answer);

}  // namespace holdfast::conformance
