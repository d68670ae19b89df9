// Rows to records and back. Pure, but for the row a statement stands on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "state/store.h"
#include "stores/sqlite/database.h"

namespace holdfast::stores::sqlite {

// When a record written now with this TTL ends: whole milliseconds, rounded up, at most the end of
// year 9999. Nothing for a TTL of zero or less, which means none.
std::optional<WallTime> expiry_after(WallTime now, std::optional<Milliseconds> ttl);
// The whole second at or after `expires`, as Dapr's column keeps it: Dapr never hides the record
// early.
std::string expiry_text(WallTime expires);

// What a row's expiry says. `text` is Dapr's column, `exact_ms` the side table's when it belongs to
// the row.
struct Liveness {
  bool is_live = true;
  std::optional<WallTime> expires_at;
};
Liveness judge(std::optional<std::string_view> text, std::optional<std::int64_t> exact_ms, WallTime now);

// Which columns a SELECT over the state table (as s) yields, and how it joins the side table (as
// h).
struct RowShape {
  bool want_value = true;
  bool want_fields = false;
};
std::string select_columns(RowShape shape, const std::string& side_table);
std::string select_source(RowShape shape, const std::string& table, const std::string& side_table);

// Reads the columns of select_columns(), which begin at `first`. Nothing when the record has
// expired; Errc::internal when the row is not one that Dapr or we could have written.
Result<std::optional<state::Record>> read_row(Statement& row, int first, RowShape shape, WallTime now);

}  // namespace holdfast::stores::sqlite
