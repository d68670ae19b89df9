// What `holdfast state ...` prints, from the sidecar's answers. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/http_client.h"
#include "cli/output.h"
#include "wire/http/event_stream.h"
#include "wire/json/json.h"

namespace holdfast::cli {

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

// What one step of clear answered.
struct Cleared {
  std::uint64_t deleted = 0;
  bool more = false;
};
Result<Cleared> cleared_of(std::string_view body);

// An event of a watch on one line: "put     orders/17 \"17\"", and its value behind a tab; or as JSON, the record whole
// `with_values`. Errc::internal when it is none.
Result<std::string> event_text(const http::ServerEvent& event, bool with_values, bool as_json);

// What became of each operation: "created  \"17\"  orders/17", a line each.
Result<std::string> transaction_text(std::string_view body);

// The answers of /v2/stores and /v2/health together: a line for each store, or of one store what it can do. As JSON: an
// array of the stores, or the one. Errc::not_found: there is no store of that name.
Result<std::string> info_text(std::string_view stores, std::string_view health, std::string_view store, bool as_json);

}  // namespace holdfast::cli
