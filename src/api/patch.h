// What a PATCH makes of a value. Pure: texts in, text out; which value there is, and that nobody else changes it
// meanwhile, is the caller's (service::Service::update).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::api {

// JSON Merge Patch, RFC 7396: members of `patch` replace those of `value`, null removes. What is not named keeps its
// text. A patch that is no object replaces the whole value. Errc::invalid_argument: a text that is no JSON, or a patch
// nested deeper than kPatchDepthMax.
inline constexpr std::size_t kPatchDepthMax = 128;
Result<std::string> merge_patch(std::string_view value, std::string_view patch);

// A JSON number, as its text. Integers within 64 bits stay exact; if either side is none, both are doubles.
struct Increment {
  std::string by = "1";
  std::string initial = "0";       // what is counted from where there is no record
  std::optional<std::string> min;  // of the result
  std::optional<std::string> max;
};
// {"by":5,"min":0,"max":100,"initial":0}; every member may be missing. Errc::invalid_argument says which is wrong.
Result<Increment> read_increment(std::string_view json);
// The new number. Errc::invalid_argument: `value` is no number, or the sum is beyond what numbers hold;
// Errc::precondition_failed: the result is beyond the bounds.
Result<std::string> incremented(std::string_view value, const Increment& increment);

// One more element behind the last of an array. Errc::invalid_argument: `value` is no array, or `element` no JSON.
Result<std::string> with_element(std::string_view value, std::string_view element);

}  // namespace holdfast::api
