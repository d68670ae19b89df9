#include "api/record_json.h"

#include "api/v2.h"
#include "base/encoding.h"
#include "service/isolation.h"
#include "state/capability_fields.h"
#include "wire/json/json.h"

namespace holdfast::api {

namespace {

using json::append_member;
using json::append_name;

void append_null(std::string& out, std::string_view name) {
  append_name(out, name);
  out += "null";
}

void append_fields(std::string& out, const state::Record& record) {
  if (!record.fields) {
    for (const char* name : {"created", "createdBy", "modified", "modifiedBy", "tags"}) append_null(out, name);
    return;
  }
  const state::RecordFields& fields = *record.fields;
  append_member(out, "created", rfc3339_ticks(fields.created));
  append_member(out, "createdBy", fields.created_by);
  append_member(out, "modified", rfc3339_ticks(fields.modified));
  append_member(out, "modifiedBy", fields.modified_by);
  append_name(out, "tags");
  out += '{';
  for (const auto& [name, value] : fields.tags) append_member(out, name, value);
  out += '}';
  if (fields.indexes.empty()) return;
  append_name(out, "indexes");
  out += '{';
  for (const auto& [name, value] : fields.indexes) append_member(out, name, value);
  out += '}';
}

// Rounded up, so that a live record shows 0 only in its last millisecond: stores round an expiry up to one, which must
// not make an hour 3601 s.
std::int64_t remaining_seconds(const state::Record& record, WallTime now) {
  if (!record.expires_at) return -1;
  return std::max<std::int64_t>(0, (record.expires_at->us - now.us + 999'000) / 1'000'000);
}

}  // namespace

void append_record_json(std::string& out, const RecordPlace& place, std::string_view key, const state::Record& record,
                        std::string_view value, WallTime now) {
  const std::string id = service::record_id(place.isolation.value_or(std::string_view()), key);
  std::string text = "{";
  append_member(text, "id", id);
  append_member(text, "partitionKey", id);
  append_member(text, "key", key);
  append_fields(text, record);
  append_member(text, "stateStoreName", place.entry.name);
  append_name(text, "isolationMode");
  text += place.isolation ? "true" : "false";
  if (place.isolation)
    append_member(text, "isolationKey", *place.isolation);
  else
    append_null(text, "isolationKey");
  append_name(text, "ttl");
  text += std::to_string(remaining_seconds(record, now));
  if (record.expires_at)
    append_member(text, "expires", rfc3339_ticks(*record.expires_at));
  else
    append_null(text, "expires");
  append_name(text, "etag");
  append_entity_tag_json(text, record.etag);
  append_member(text, "contentType", content_type_of(record));
  const std::size_t before = text.size();
  append_name(text, "value");
  if (record.shape != state::Shape::json || !json::append_compact(text, value)) {
    text.resize(before);
    append_member(text, "valueBase64", base64_encode(value));
  }
  append_name(text, "stateReference");
  text += '{';
  append_member(text, "stateStoreName", place.entry.name);
  append_member(text, "id", id);
  text += "}}";
  out += text;
}

namespace {

void append_capability(std::string& out, std::string_view name, bool value) {
  append_name(out, name);
  out += value ? "true" : "false";
}

void append_capability(std::string& out, std::string_view name, std::uint32_t value) {
  append_name(out, name);
  out += value == state::kUnlimited ? "null" : std::to_string(value);
}

void append_capability(std::string& out, std::string_view name, std::uint64_t value) {
  append_name(out, name);
  out += std::to_string(value);
}

void append_capability(std::string& out, std::string_view name, const state::Capabilities::Levels& levels) {
  append_name(out, name);
  out += '{';
  for (std::size_t i = 1; i < levels.size(); ++i) {
    if (levels[i] == state::Consistency::unspecified) continue;
    append_member(out, state::name_of(static_cast<state::Consistency>(i)), state::name_of(levels[i]));
  }
  out += '}';
}

}  // namespace

void append_capabilities(std::string& out, const state::Capabilities& can) {
  std::string text = "{";
  for (const state::CapabilityField& field : state::kCapabilityFields)
    std::visit([&](auto member) { append_capability(text, field.name, can.*member); }, field.member);
  text += '}';
  out += text;
}

}  // namespace holdfast::api
