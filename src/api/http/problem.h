// RFC 9457 problem documents: every failure of /v2.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/http/message.h"

namespace holdfast::api {

// `type` is "urn:holdfast:problem:" and the name of the code; `detail` says what, where, why and what to do. Carries the
// current etag where the store knows it, and Retry-After where waiting helps.
http::Response problem(const Error& error, std::string_view instance);
// As problem(); but a condition that does not hold is 409 here, because the request had it in its body and not in
// If-Match.
http::Response problem_of_transaction(const Error& error, std::string_view instance);
// The document alone, without an instance: for one item of many.
void append_problem(std::string& out, const Error& error);
// A failure of the request line rather than of a store, e.g. 405.
http::Response problem(int status, std::string_view name, std::string_view title, std::string_view detail,
                       std::string_view instance);

}  // namespace holdfast::api
