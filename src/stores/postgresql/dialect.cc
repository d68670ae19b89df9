#include "stores/postgresql/dialect.h"

#include <fmt/format.h>

namespace holdfast::stores::postgresql {

Dialect::Dialect(const PostgresqlSettings& settings)
    : table(settings.table.quoted()),
      index(settings.table.quoted("_holdfast_index")),
      metadata(settings.metadata_table.quoted()),
      is_v2(settings.layout == Layout::v2) {
  if (is_v2) {
    created = "created_at";
    updated = "updated_at";
    expires = "expires_at";
    etag = "etag";
    etag_type = "uuid";
    new_etag = "$3::text::uuid";
  } else {
    created = "insertdate";
    updated = "updatedate";
    expires = "expiredate";
    // The transaction that wrote the row last: no two writes of a key have the same, but in one transaction.
    etag = "xmin";
    etag_type = "xid";
    new_etag = "pg_current_xact_id()::xid";
  }
}

std::string Dialect::live(std::string_view row) const {
  return fmt::format("({0}.{1} IS NULL OR {0}.{1} > now())", row, expires);
}

std::string Dialect::etag_text(std::string_view row) const { return fmt::format("{}.{}::text", row, etag); }

}  // namespace holdfast::stores::postgresql
