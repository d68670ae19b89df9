// Bodies of v1 state requests, from JSON to values, as Go's decoder reads them. Pure; no views into the input remain.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/v1.h"
#include "wire/json/json.h"

namespace holdfast::api {

struct BulkGetBody {
  std::vector<std::string> keys;
  state::Pairs metadata;
};

struct TransactionBody {
  std::vector<V1Operation> operations;
};

// Errors are Go's decoder texts. A body that is a JSON string holding the array is accepted too, and an etag given as
// a number.
Result<std::vector<V1Item>> decode_save(json::Parser& parser, std::string_view body);
Result<BulkGetBody> decode_bulk_get(json::Parser& parser, std::string_view body);
// `bad_operation` is set, and the result is an error, when an operation has another name than upsert or delete.
Result<TransactionBody> decode_transaction(json::Parser& parser, std::string_view body, bool& bad_operation);

}  // namespace holdfast::api
