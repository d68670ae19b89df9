// A record as JSON: the same document for PUT with Prefer: return=representation, GET of the record, and listings.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "service/service.h"

namespace holdfast::api {

// Where a record is: its store, and the isolation key it belongs to, if any.
struct RecordPlace {
  const service::StoreEntry& entry;
  std::optional<std::string_view> isolation = std::nullopt;
};

// `value` is the record's; a record that was just written does not carry it. Unknown fields are null; ttl is what is
// left in seconds, -1 for none; JSON values stand as they are, others as "valueBase64".
void append_record_json(std::string& out, const RecordPlace& place, std::string_view key, const state::Record& record,
                        std::string_view value, WallTime now);

// What a store can do, for GET /v2/stores.
void append_capabilities(std::string& out, const state::Capabilities& can);

}  // namespace holdfast::api
