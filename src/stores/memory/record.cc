#include "stores/memory/record.h"

namespace holdfast::stores::memory {

using state::Record;
using state::RecordFields;
using state::SetRequest;

namespace {

constexpr std::int64_t kLastExpiryUs = 253'402'300'799'000'000;  // the year 9999, as far as RFC 3339 reaches
constexpr std::size_t kRecordOverheadBytes = 256;                // an Entry, its index node and what malloc adds
constexpr std::size_t kIndexEntryBytes = 160;                    // its place in the index
constexpr std::size_t kSpareBytesMax = 1024;  // what a value may keep allocated beyond twice its size

std::int64_t bytes_of(state::PairsView pairs) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : pairs) bytes += name.size() + value.size() + sizeof(state::Pairs::value_type);
  return static_cast<std::int64_t>(bytes);
}

// Name and value stand in the record and, once more, in the index.
std::int64_t index_bytes_of(state::PairsView indexes) {
  return 2 * bytes_of(indexes) + static_cast<std::int64_t>(indexes.size() * kIndexEntryBytes);
}

void assign_value(std::string& value, std::string_view bytes) {
  if (value.capacity() > 2 * bytes.size() + kSpareBytesMax) value = std::string();
  value.assign(bytes);
}

void assign_extra(std::unique_ptr<Extra>& extra, const SetRequest& request) {
  if (request.content_type.empty() && request.tags.empty() && request.indexes.empty()) {
    extra.reset();
    return;
  }
  if (!extra) extra = std::make_unique<Extra>();
  extra->content_type = request.content_type;
  extra->tags.assign(request.tags.begin(), request.tags.end());
  extra->indexes.assign(request.indexes.begin(), request.indexes.end());
}

}  // namespace

std::optional<WallTime> expiry_of(const Entry& entry) {
  if (entry.expires_us == kNeverExpires) return std::nullopt;
  return WallTime{entry.expires_us};
}

RecordFields fields_of(const Entry& entry) {
  RecordFields fields;
  fields.created = entry.created;
  fields.created_by = entry.created_by;
  fields.modified = entry.modified;
  fields.modified_by = entry.modified_by;
  if (entry.extra) {
    fields.content_type = entry.extra->content_type;
    fields.tags = entry.extra->tags;
    fields.indexes = entry.extra->indexes;
  }
  return fields;
}

Record record_of(const Entry& entry, bool want_value, bool want_fields) {
  Record record;
  if (want_value) record.value = entry.value;
  record.shape = entry.shape;
  record.etag = etag_of(entry);
  record.expires_at = expiry_of(entry);
  if (want_fields) record.fields = fields_of(entry);
  return record;
}

state::ListedRecord listed(const Entry& entry, bool want_value, bool want_fields) {
  state::ListedRecord out;
  out.key = entry.key;
  out.record = record_of(entry, want_value, want_fields);
  return out;
}

// A time to live of zero or less means none, as everywhere in Dapr's API.
std::int64_t expiry_at(const std::optional<Milliseconds>& ttl, WallTime now) {
  if (!ttl || ttl->count() <= 0) return kNeverExpires;
  const std::int64_t left_ms = (kLastExpiryUs - now.us) / 1000;
  return ttl->count() >= left_ms ? kLastExpiryUs : now.us + ttl->count() * 1000;
}

std::int64_t bytes_of(std::string_view key, const SetRequest& request) {
  return static_cast<std::int64_t>(kRecordOverheadBytes + key.size() + request.value.size() +
                                   request.content_type.size()) +
         bytes_of(request.tags) + index_bytes_of(request.indexes);
}

std::int64_t bytes_of(const Entry& entry) {
  auto bytes = static_cast<std::int64_t>(kRecordOverheadBytes + entry.key.size() + entry.value.size());
  if (entry.extra) {
    bytes += static_cast<std::int64_t>(entry.extra->content_type.size()) + bytes_of(entry.extra->tags) +
             index_bytes_of(entry.extra->indexes);
  }
  return bytes;
}

void assign(Entry& entry, const SetRequest& request) {
  entry.shape = request.shape;
  assign_value(entry.value, request.value);
  assign_extra(entry.extra, request);
}

}  // namespace holdfast::stores::memory
