#include "api/grpc/v2_record.h"

#include <map>
#include <utility>

#include "api/grpc/messages.h"
#include "api/v2.h"
#include "holdfast/v2/state.pb.h"
#include "service/isolation.h"
#include "wire/protobuf/fields.h"

namespace holdfast::api {

namespace pb = ::holdfast::v2;

namespace {

// The numbers of the fields, as the descriptor names them.
using Get = pb::GetRequest;
using Put = pb::PutRequest;
using Field = pb::Record;
using Time = google::protobuf::Timestamp;

void append_text(std::string& out, std::uint32_t field, std::string_view text) {
  if (is_utf8(text)) return protobuf::append_bytes(out, field, text);
  protobuf::append_bytes(out, field, field_text(text));
}

void append_time(std::string& out, std::uint32_t field, WallTime time) {
  // Nanoseconds count forward from the second, also before 1970.
  std::int64_t seconds = time.us / 1'000'000;
  std::int64_t us = time.us % 1'000'000;
  if (us < 0) {
    us += 1'000'000;
    --seconds;
  }
  std::string message;
  protobuf::append_uint(message, Time::kSecondsFieldNumber, static_cast<std::uint64_t>(seconds));
  protobuf::append_uint(message, Time::kNanosFieldNumber, static_cast<std::uint64_t>(us * 1000));
  protobuf::append_message(out, field, message);
}

void append_pairs(std::string& out, std::uint32_t field, const state::Pairs& pairs) {
  for (const auto& [name, value] : pairs) protobuf::append_map_entry(out, field, field_text(name), field_text(value));
}

}  // namespace

namespace {

bool take_entry(const protobuf::Reader& reader, state::Pairs& out) {
  std::string_view key;
  std::string_view value;
  if (!read_map_entry(reader.bytes(), key, value)) return false;
  out.emplace_back(key, value);
  return true;
}

// Of a name that stands there several times, the last counts, as in libprotobuf. There may be very many.
void keep_last(state::Pairs& pairs) {
  if (pairs.size() < 2) return;
  std::map<std::string, std::string> last;
  for (auto& [name, value] : pairs) last.insert_or_assign(std::move(name), std::move(value));
  pairs.assign(last.begin(), last.end());
}

}  // namespace

bool decode_get_record(std::string_view message, GetRecordFields& out) {
  protobuf::Reader r(message);
  bool ok = true;
  while (ok && r.next()) {
    if (r.is_varint()) {
      if (r.field() == Get::kConsistencyFieldNumber) out.consistency = r.varint();
      if (r.field() == Get::kWithoutValueFieldNumber) out.without_value = r.varint() != 0;
    } else if (r.is_bytes()) {
      if (r.field() == Get::kStoreFieldNumber) ok = take_text(r, out.store);
      if (r.field() == Get::kKeyFieldNumber) ok = take_text(r, out.key);
    }
  }
  return ok && r.ok();
}

bool decode_put_record(std::string_view message, PutRecordFields& out) {
  protobuf::Reader r(message);
  bool ok = true;
  while (ok && r.next()) {
    if (r.is_varint()) {
      switch (r.field()) {
        case Put::kTtlMsFieldNumber:
          out.ttl_ms = static_cast<std::int64_t>(r.varint());
          break;
        case Put::kConsistencyFieldNumber:
          out.consistency = r.varint();
          break;
        case Put::kWantRecordFieldNumber:
          out.want_record = r.varint() != 0;
          break;
        default:
          break;
      }
    } else if (r.is_bytes()) {
      switch (r.field()) {
        case Put::kStoreFieldNumber:
          ok = take_text(r, out.store);
          break;
        case Put::kKeyFieldNumber:
          ok = take_text(r, out.key);
          break;
        case Put::kValueFieldNumber:
          out.value = r.bytes();
          break;
        case Put::kContentTypeFieldNumber:
          ok = take_text(r, out.content_type);
          break;
        case Put::kWhenFieldNumber:
          out.when.push_back(r.bytes());
          break;
        case Put::kTagsFieldNumber:
          ok = take_entry(r, out.tags);
          break;
        case Put::kIndexesFieldNumber:
          ok = take_entry(r, out.indexes);
          break;
        case Put::kCreatedByFieldNumber:
          ok = take_text(r, out.created_by);
          break;
        case Put::kModifiedByFieldNumber:
          ok = take_text(r, out.modified_by);
          break;
        default:
          break;
      }
    }
  }
  keep_last(out.tags);
  keep_last(out.indexes);
  return ok && r.ok();
}

void append_put_response(std::string& out, std::string_view etag, std::optional<bool> created) {
  protobuf::append_bytes(out, pb::PutResponse::kEtagFieldNumber, etag);
  if (!created) return;
  // Its presence counts, so that false is sent as well.
  protobuf::append_varint(out, pb::PutResponse::kCreatedFieldNumber << 3);
  protobuf::append_varint(out, *created ? 1 : 0);
}

void append_record(std::string& out, const RecordPlace& place, std::string_view key, const state::Record& record,
                   std::string_view value) {
  const std::string_view isolation = place.isolation.value_or(std::string_view());
  append_text(out, Field::kStoreFieldNumber, place.entry.name);
  append_text(out, Field::kKeyFieldNumber, key);
  protobuf::append_bytes(out, Field::kValueFieldNumber, value);
  append_text(out, Field::kContentTypeFieldNumber, content_type_of(record));
  protobuf::append_bytes(out, Field::kEtagFieldNumber, entity_tag(record.etag));
  if (place.isolation) {
    append_text(out, Field::kIdFieldNumber, service::record_id(isolation, key));
    protobuf::append_uint(out, Field::kIsolationModeFieldNumber, 1);
    append_text(out, Field::kIsolationKeyFieldNumber, isolation);
  } else {
    append_text(out, Field::kIdFieldNumber, key);
  }
  if (record.expires_at) append_time(out, Field::kExpiresFieldNumber, *record.expires_at);
  if (!record.fields) return;
  const state::RecordFields& fields = *record.fields;
  append_time(out, Field::kCreatedFieldNumber, fields.created);
  append_text(out, Field::kCreatedByFieldNumber, fields.created_by);
  append_time(out, Field::kModifiedFieldNumber, fields.modified);
  append_text(out, Field::kModifiedByFieldNumber, fields.modified_by);
  append_pairs(out, Field::kTagsFieldNumber, fields.tags);
  append_pairs(out, Field::kIndexesFieldNumber, fields.indexes);
}

void append_record_field(std::string& out, int field, const RecordPlace& place, std::string_view key,
                         const state::Record& record, std::string_view value) {
  constexpr std::size_t kAround = 224;  // what is not the value
  std::string message;
  message.reserve(kAround + value.size());
  append_record(message, place, key, record, value);
  protobuf::append_message(out, static_cast<std::uint32_t>(field), message);
}

}  // namespace holdfast::api
