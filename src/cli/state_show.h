// What `holdfast state ...` prints, from the sidecar's answers. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/http_client.h"
#include "wire/json/json.h"

namespace holdfast::cli {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kMisused = 2;
inline constexpr int kNotFound = 3;

// A failed answer as one or two lines for standard error: the problem document's words, or the plain text there is.
std::string failure_text(const HttpResponse& response);
int exit_code_of(const HttpResponse& response);

// A record (its JSON form) as lines "name  value". Errc::internal when it is none.
Result<std::string> record_text(std::string_view record);

// One page of a listing.
struct ListedPage {
  std::string text;  // for people: a key, or a key and its value, a line; for programs: JSON objects
  std::size_t items = 0;
  std::string cursor;  // empty: that was the last page
};
// `as_json`: objects with ",\n" between them, and before the first one unless `is_first`.
Result<ListedPage> page_of(std::string_view body, bool with_values, bool as_json, bool is_first);

// Control characters as \xNN: a key or a value must not steer a terminal.
std::string printable(std::string_view text);

}  // namespace holdfast::cli
