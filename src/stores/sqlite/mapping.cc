#include "stores/sqlite/mapping.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "state/pairs.h"

namespace holdfast::stores::sqlite {
namespace {

constexpr std::int64_t kEndOfTimeMs = 253'402'300'799'000;  // 9999-12-31 23:59:59: later years sort wrongly as text

enum Column {
  kValue,
  kIsBinary,
  kEtag,
  kExpiration,
  kExactMs,
  kCreated,
  kCreatedBy,
  kModified,
  kModifiedBy,
  kContentType,
  kTags,
  kIndexes
};

state::RecordFields read_fields(Statement& row, int first) {
  state::RecordFields fields;
  fields.created = WallTime{row.integer(first + kCreated)};
  fields.created_by = row.text(first + kCreatedBy);
  fields.modified = WallTime{row.integer(first + kModified)};
  fields.modified_by = row.text(first + kModifiedBy);
  fields.content_type = row.text(first + kContentType);
  fields.tags = state::decode_pairs(row.text(first + kTags));
  fields.indexes = state::decode_pairs(row.text(first + kIndexes));
  return fields;
}

}  // namespace

std::optional<WallTime> expiry_after(WallTime now, std::optional<Milliseconds> ttl) {
  if (!ttl || ttl->count() <= 0) return std::nullopt;
  const std::int64_t now_ms = (now.us + 999) / 1000;
  if (ttl->count() >= kEndOfTimeMs - now_ms) return WallTime::from_ms(kEndOfTimeMs);
  return WallTime::from_ms(now_ms + ttl->count());
}

std::string expiry_text(WallTime expires) {
  return sql_seconds(WallTime{(expires.us + 999'999) / 1'000'000 * 1'000'000});
}

Liveness judge(std::optional<std::string_view> text, std::optional<std::int64_t> exact_ms, WallTime now) {
  if (!text) return {};
  WallTime expires;
  if (exact_ms)
    expires = WallTime::from_ms(*exact_ms);
  else if (!parse_sql_seconds(*text, expires))
    return {*text > sql_seconds(now), std::nullopt};
  return {expires > now, expires};
}

std::string select_columns(RowShape shape, const std::string& side_table) {
  std::string columns = shape.want_value ? "s.value" : "NULL";
  columns += ", s.is_binary, s.etag, s.expiration_time, ";
  if (shape.want_fields)
    return columns +
           "h.expires_ms, h.created_us, h.created_by, h.modified_us, h.modified_by, "
           "h.content_type, h.tags, "
           "h.indexes";
  // Most records have no expiry: CASE spares them the look into the side table.
  return columns + fmt::format(
                       "CASE WHEN s.expiration_time IS NULL THEN NULL ELSE (SELECT h.expires_ms "
                       "FROM \"{}\" h "
                       "WHERE h.key = s.key AND h.etag = s.etag) END",
                       side_table);
}

std::string select_source(RowShape shape, const std::string& table, const std::string& side_table) {
  std::string source = fmt::format("\"{}\" s", table);
  if (shape.want_fields) source += fmt::format(" LEFT JOIN \"{}\" h ON h.key = s.key AND h.etag = s.etag", side_table);
  return source;
}

Result<std::optional<state::Record>> read_row(Statement& row, int first, RowShape shape, WallTime now) {
  std::optional<std::string_view> expiration;
  std::optional<std::int64_t> exact_ms;
  if (!row.is_null(first + kExpiration)) expiration = row.text(first + kExpiration);
  if (!row.is_null(first + kExactMs)) exact_ms = row.integer(first + kExactMs);
  const Liveness liveness = judge(expiration, exact_ms, now);
  if (!liveness.is_live) return std::nullopt;
  state::Record record;
  record.etag = row.text(first + kEtag);
  record.expires_at = liveness.expires_at;
  record.shape = row.integer(first + kIsBinary) != 0 ? state::Shape::bytes : state::Shape::json;
  if (shape.want_value) {
    if (record.shape == state::Shape::json) {
      record.value = row.text(first + kValue);
    } else {
      auto bytes = base64_decode(row.text(first + kValue));
      if (!bytes) return fail(Errc::internal, "the stored value is marked as binary and is not base64");
      record.value = std::move(*bytes);
    }
  }
  if (shape.want_fields && !row.is_null(first + kCreated)) record.fields = read_fields(row, first);
  return record;
}

}  // namespace holdfast::stores::sqlite
