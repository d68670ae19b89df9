// What differs between Dapr's layouts, as pieces of SQL. Pure.
//
// Record fields are columns of ours in Dapr's own table, which Dapr neither reads nor minds; they are believed while
// holdfast_etag is the etag of the row, which Dapr changes with every write of its own (doc/adr/0016).
#pragma once

#include <string>
#include <string_view>

#include "stores/postgresql/settings.h"

namespace holdfast::stores::postgresql {

struct Dialect {
  std::string table;     // quoted
  std::string index;     // quoted: the table of index entries
  std::string metadata;  // quoted
  bool is_v2 = false;

  // Columns of Dapr's.
  std::string_view created, updated, expires;
  // Of row t.
  std::string_view etag;       // the column that is the etag
  std::string_view etag_type;  // of holdfast_etag
  // The etag of the row that a statement of saving writes; of v2 that is its parameter $3.
  std::string_view new_etag;

  explicit Dialect(const PostgresqlSettings& settings);

  // "(t.expiredate IS NULL OR t.expiredate > now())" of the row that `row` names.
  std::string live(std::string_view row = "t") const;
  std::string etag_text(std::string_view row = "t") const;
};

}  // namespace holdfast::stores::postgresql
