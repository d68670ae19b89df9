// Rows to records, requests to parameters. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "state/store.h"
#include "stores/postgresql/rows.h"
#include "stores/postgresql/statements.h"

namespace holdfast::stores::postgresql {

// Reads the columns of Statements::columns(), which begin at `first`. Errc::internal when the row is not one that Dapr
// or we could have written.
Result<state::Record> read_row(const Rows& rows, int row, int first, Statements::Shape shape, Layout layout);

// Errc::invalid_argument: no key of PostgreSQL, which is UTF-8 text without a zero byte.
Status check_key(std::string_view key);

// What fits into a third of a page of an index, beside an index entry; longer ones that are there can be read.
inline constexpr std::uint64_t kKeyBytesMax = 2400;
// A row is at most 1 GiB as it is sent; jsonb and base64 take more than the value has.
constexpr std::uint64_t value_bytes_max(Layout layout) { return layout == Layout::v2 ? 500'000'000 : 180'000'000; }
Status check_sizes(const state::SetRequest& request, Layout layout);

// The etags of a condition in the form that a row's has. What can be no etag is left out with v2, where that is a
// mismatch as in Dapr; with v1 it is Errc::etag_invalid.
Result<std::vector<std::string>> etags_of(const state::Precondition& when, Layout layout);

// What a save says beside its parameters; lives as long as they do.
struct SetParts {
  std::string etag;   // v2: the new one
  std::string value;  // where it is not the request's own
  std::string tags;
  std::string indexes;
  std::string_view created_by;
  std::string_view modified_by;
};
// The parameters of Statements::set(). `request`, `parts` and `etags` live until they were sent.
void set_values(Values& values, const state::SetRequest& request, std::string_view principal,
                std::span<const std::string> etags, const Dialect& dialect, SetParts& parts);
state::Written read_written(const Rows& rows, const state::SetRequest& request, const SetParts& parts);

}  // namespace holdfast::stores::postgresql
