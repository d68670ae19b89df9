#include "stores/postgresql/dialect.h"

#include <fmt/format.h>

namespace holdfast::stores::postgresql {

Dialect::Dialect(const PostgresqlSettings& settings)
    : table(settings.table.quoted()),
      index(settings.table.quoted("_holdfast_index")),
      metadata(settings.metadata_table.quoted()),
      is_v2(settings.layout == Layout::v2) {
  const bool is_cockroachdb = settings.engine == Engine::cockroachdb;
  etag = "etag";
  if (is_v2) {
    created = "created_at";
    updated = "updated_at";
    expires = "expires_at";
    etags = Etag::uuid;
    etag_type = "uuid";
  } else {
    created = "insertdate";
    updated = "updatedate";
    expires = "expiredate";
    etags = is_cockroachdb ? Etag::counter : Etag::transaction;
    etag_type = is_cockroachdb ? "bigint" : "xid";
    if (!is_cockroachdb) etag = "xmin";
  }
  if (!is_cockroachdb) {
    bytewise = " COLLATE \"C\"";
    as_key = " COLLATE \"default\"";
  }
  compares_jsonb = !is_cockroachdb;
}

std::string Dialect::live(std::string_view row) const {
  return fmt::format("({0}.{1} IS NULL OR {0}.{1} > now())", row, expires);
}

std::string Dialect::etag_text(std::string_view row) const { return fmt::format("{}.{}::text", row, etag); }

}  // namespace holdfast::stores::postgresql
