// What differs between Dapr's layouts and between the engines that speak PostgreSQL's protocol, as pieces of SQL. Pure.
//
// Record fields are columns of ours in Dapr's own table, which Dapr neither reads nor minds; they are believed while
// holdfast_etag is the etag of the row, which Dapr changes with every write of its own (doc/adr/0016).
//
// CockroachDB orders text by its bytes and has no collations to say so with, no number of a row's place, and few
// changes of a schema in one transaction; its v1 counts versions in a column of its own. YugabyteDB is PostgreSQL's own
// code above its storage.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "stores/postgresql/settings.h"

namespace holdfast::stores::postgresql {

struct Dialect {
  // Where the etag of a row comes from.
  enum class Etag : std::uint8_t {
    transaction,  // xmin: the transaction that wrote the row last
    uuid,         // a column with what we, or Dapr, made up
    counter,      // a column with one more than before
  };

  std::string table;     // quoted
  std::string index;     // quoted: the table of index entries
  std::string metadata;  // quoted
  bool is_v2 = false;
  Etag etags = Etag::transaction;

  // Columns of Dapr's.
  std::string_view created, updated, expires;
  std::string_view etag;       // the column that is the etag
  std::string_view etag_type;  // of holdfast_etag
  // Behind a text, so that it is compared by its bytes; and so that it is compared as the key's column is.
  std::string_view bytewise, as_key;
  bool compares_jsonb = true;  // puts JSON values in order

  explicit Dialect(const PostgresqlSettings& settings);

  // "(t.expiredate IS NULL OR t.expiredate > now())" of the row that `row` names.
  std::string live(std::string_view row = "t") const;
  std::string etag_text(std::string_view row = "t") const;
};

}  // namespace holdfast::stores::postgresql
