// holdfast.v2's Record and GetRequest on the wire, by hand: a read is the hottest call, and libprotobuf would copy each
// field twice. Messages that hold a Record are libprotobuf's without it; what is appended here goes behind them, which
// is the same message (fields may come in any order). Source: proto/holdfast/v2/state.proto.
#pragma once

#include <string>
#include <string_view>

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

// The fields of a Record. Says what append_record_json() says; `value` is as there.
void append_record(std::string& out, const RecordPlace& place, std::string_view key, const state::Record& record,
                   std::string_view value);
// The same as a field of another message.
void append_record_field(std::string& out, int field, const RecordPlace& place, std::string_view key,
                         const state::Record& record, std::string_view value);

}  // namespace holdfast::api
