// Reads of many rows: listing, keys by pattern, queries. They run on the scan threads; each sees
// one instant.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "state/query.h"
#include "state/store.h"
#include "stores/sqlite/reader.h"

namespace holdfast::stores::sqlite {

// Our SQL functions, which decide on the key before SQLite fetches the row: hf_listable(key,
// own_bytes, hides_isolated) and hf_like(key, pattern).
Status add_functions(Database& database);

Result<state::ListPage> list(Reader& reader, const state::ListRequest& request, WallTime now);
Result<state::ListPage> find(Reader& reader, const state::FindRequest& request, WallTime now);
Result<state::KeyPage> keys_like(Reader& reader, const state::LikeRequest& request, WallTime now);
// Keys of a deletion by prefix, expired ones too, in order, greater than `after`.
Result<std::vector<std::string>> keys_under(Reader& reader, const state::DeletePrefixRequest& request,
                                            std::string_view after, std::size_t limit);
Result<state::QueryPage> query(Reader& reader, const state::Query& query, WallTime now);

}  // namespace holdfast::stores::sqlite
