#include "stores/postgresql/mapping.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "base/number.h"
#include "base/random.h"
#include "state/pairs.h"

namespace holdfast::stores::postgresql {
namespace {

using Kind = state::Precondition::Kind;

// The end of the year 9999, as far as other stores go: an interval to it from now.
constexpr std::int64_t kTtlMsMax = 251'000'000'000'000;

// Parameters of a save.
constexpr std::size_t kSaveValuesMax = 12;

enum Column {
  kEtag,
  kIsJson,
  kExpires,
  kValue,
  kCreated,
  kModified,
  kCreatedBy,
  kModifiedBy,
  kContentType,
  kTags,
  kIndexes
};

std::string text_or_empty(const Rows& rows, int row, int column) {
  return rows.is_null(row, column) ? std::string() : std::string(rows.text(row, column));
}

state::RecordFields read_fields(const Rows& rows, int row, int first) {
  state::RecordFields fields;
  fields.created = rows.time(row, first + kCreated);
  fields.modified = rows.time(row, first + kModified);
  fields.created_by = text_or_empty(rows, row, first + kCreatedBy);
  fields.modified_by = text_or_empty(rows, row, first + kModifiedBy);
  fields.content_type = text_or_empty(rows, row, first + kContentType);
  fields.tags = state::decode_pairs(text_or_empty(rows, row, first + kTags));
  fields.indexes = state::decode_pairs(text_or_empty(rows, row, first + kIndexes));
  return fields;
}

// A transaction's number, as PostgreSQL prints it.
bool is_xid(std::string_view text) {
  std::uint32_t number = 0;
  return read_number(text, number) && (text.size() == 1 || text.front() != '0');
}

// As PostgreSQL prints it.
bool is_uuid(std::string_view text) {
  constexpr std::string_view kForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  return text.size() == kForm.size() && std::ranges::equal(text, kForm, [](char c, char form) {
           return form == '-' ? c == '-' : (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

Result<state::Record> read_row(const Rows& rows, int row, int first, Statements::Shape shape, Layout layout) {
  state::Record record;
  record.etag = rows.text(row, first + kEtag);
  record.shape = rows.boolean(row, first + kIsJson) ? state::Shape::json : state::Shape::bytes;
  record.expires_at = rows.time_if_any(row, first + kExpires);
  if (shape.want_value) {
    record.value = rows.text(row, first + kValue);
    if (layout == Layout::v1 && record.shape == state::Shape::bytes) {
      auto bytes = base64_decode(record.value);
      if (!bytes) return fail(Errc::internal, "the stored value is marked as binary and is not base64");
      record.value = std::move(*bytes);
    }
  }
  if (shape.want_fields) record.fields = read_fields(rows, row, first);
  return record;
}

Status check_key(std::string_view key) {
  if (is_utf8(key) && !key.contains('\0')) return {};
  return fail(Errc::invalid_argument, "a key of PostgreSQL is UTF-8 text without a zero byte");
}

Status check_sizes(const state::SetRequest& request, Layout layout) {
  if (request.key.size() > kKeyBytesMax)
    return fail(Errc::invalid_argument, fmt::format("the key has {} bytes, more than the {} that PostgreSQL can index",
                                                    request.key.size(), kKeyBytesMax));
  if (request.value.size() > value_bytes_max(layout))
    return fail(Errc::invalid_argument,
                fmt::format("the value has {} bytes, more than the {} that a record of PostgreSQL can hold",
                            request.value.size(), value_bytes_max(layout)));
  return {};
}

Result<std::vector<std::string>> etags_of(const state::Precondition& when, Layout layout) {
  std::vector<std::string> etags;
  if (when.kind != Kind::one_of) return etags;
  for (const std::string_view etag : when.etags) {
    if (layout == Layout::v1 ? is_xid(etag) : is_uuid(etag))
      etags.emplace_back(etag);
    else if (layout == Layout::v1)
      return fail(Errc::etag_invalid, "the etag is not one of this store's: a number up to 4294967295");
  }
  return etags;
}

void set_values(Values& values, const state::SetRequest& request, std::string_view principal,
                std::span<const std::string> etags, const Dialect& dialect, SetParts& parts) {
  const bool is_json = request.shape == state::Shape::json;
  parts.created_by = request.created_by.empty() ? principal : request.created_by;
  parts.modified_by = request.modified_by.empty() ? principal : request.modified_by;
  parts.tags = state::encode_pairs(request.tags);
  parts.indexes = state::encode_pairs(request.indexes);
  values.reserve(kSaveValuesMax);
  values.text(request.key);
  if (dialect.is_v2) {
    parts.etag = uuid_v4();
    values.bytes(request.value).text(parts.etag);
  } else {
    if (!is_json) parts.value = "\"" + base64_encode(request.value) + "\"";
    values.text(is_json ? request.value : parts.value).boolean(!is_json);
  }
  if (request.ttl && request.ttl->count() > 0)
    values.integer(std::min<std::int64_t>(request.ttl->count(), kTtlMsMax));
  else
    values.null();
  values.boolean(request.keep_expiry)
      .text_or_null(parts.created_by)
      .text_or_null(parts.modified_by)
      .text_or_null(request.content_type)
      .text_or_null(parts.tags)
      .text_or_null(parts.indexes);
  if (dialect.is_v2) values.boolean(is_json);
  // A counter begins anywhere, so that a key that comes back has none of the etags that it had; Dapr reads 32 bits.
  if (dialect.etags == Dialect::Etag::counter)
    values.integer(static_cast<std::int64_t>(1 + random_u64() % 2'000'000'000));
  if (request.when.kind == Kind::one_of) values.list(etags);
}

state::Written read_written(const Rows& rows, const state::SetRequest& request, const SetParts& parts) {
  enum { kEtag, kWasCreated, kUntil, kCreatedAt, kModifiedAt, kBy };
  state::Written written;
  written.etag = rows.text(0, kEtag);
  written.created = rows.boolean(0, kWasCreated);
  written.expires_at = rows.time_if_any(0, kUntil);
  if (!request.want_record) return written;
  state::RecordFields& fields = written.fields.emplace();
  fields.created = rows.time(0, kCreatedAt);
  fields.modified = rows.time(0, kModifiedAt);
  fields.created_by = text_or_empty(rows, 0, kBy);
  fields.modified_by = parts.modified_by;
  fields.content_type = request.content_type;
  fields.tags.assign(request.tags.begin(), request.tags.end());
  fields.indexes.assign(request.indexes.begin(), request.indexes.end());
  return written;
}

}  // namespace holdfast::stores::postgresql
