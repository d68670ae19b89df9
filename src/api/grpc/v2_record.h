// holdfast.v2's Record, GetRequest, PutRequest and PutResponse on the wire, by hand: they are the hottest calls, and
// libprotobuf would copy each field twice. Messages that hold a Record are libprotobuf's without it; what is appended
// here goes behind them, which is the same message (fields may come in any order). Source:
// proto/holdfast/v2/state.proto.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/record_json.h"

namespace holdfast::api {

// Views point into the message.
struct GetRecordFields {
  std::string_view store;
  std::string_view key;
  std::uint64_t consistency = 0;
  bool without_value = false;
};
// False when the message is malformed, or a string of it not UTF-8.
bool decode_get_record(std::string_view message, GetRecordFields& out);

struct PutRecordFields {
  std::string_view store;
  std::string_view key;
  std::string_view value;
  std::string_view content_type;
  std::vector<std::string_view> when;  // the Precondition's message, in as many parts as it came
  std::int64_t ttl_ms = 0;
  state::Pairs tags;
  state::Pairs indexes;
  std::uint64_t consistency = 0;
  bool want_record = false;
  std::string_view created_by;
  std::string_view modified_by;
};
bool decode_put_record(std::string_view message, PutRecordFields& out);

// A PutResponse without its record.
void append_put_response(std::string& out, std::string_view etag, std::optional<bool> created);

// The fields of a Record. Says what append_record_json() says; `value` is as there.
void append_record(std::string& out, const RecordPlace& place, std::string_view key, const state::Record& record,
                   std::string_view value);
// The same as a field of another message.
void append_record_field(std::string& out, int field, const RecordPlace& place, std::string_view key,
                         const state::Record& record, std::string_view value);

}  // namespace holdfast::api
