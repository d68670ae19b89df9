// What a database file must look like, and making it so.
#pragma once

#include "stores/sqlite/database.h"
#include "stores/sqlite/settings.h"

namespace holdfast::stores::sqlite {

// That the file may be written, unless the settings ask for reading only. Errc::denied.
Status check_access(const Database& database, const SqliteSettings& settings);

// Looks at the file without changing it: that it is a database in UTF-8 and that a table with the
// name of ours has our columns. Errc::invalid_argument for a table that is somebody else's.
Status check_schema(Database& database, const SqliteSettings& settings);

// Whether the file has the table of index entries. One that is opened for reading only and was last written by a
// version without look-up by entries has none.
Result<bool> has_index(Database& database, const SqliteSettings& settings);

// Makes what is missing, in one exclusive transaction: Dapr's two tables at Dapr's migration level,
// our side table, the table of index entries, filled with those of the records that are there, and the index that finds
// expired rows. Dapr's tables are never altered. Several
// processes may do this at once.
Status make_schema(Database& database, const SqliteSettings& settings);

// Applies the settings that every connection has.
Status configure(Database& database, const SqliteSettings& settings);
// The journal mode belongs to the file: only the writer sets it, after check_schema().
Status set_journal_mode(Database& database, const SqliteSettings& settings);

}  // namespace holdfast::stores::sqlite
