// Writes records inside one transaction. Used by the writer thread alone.
//
// A saved record is one row of Dapr's table and one of the side table. The row is looked up first,
// because the precondition, `created` and whether to insert or update depend on it; the update then
// goes by rowid.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "state/store.h"
#include "stores/sqlite/database.h"
#include "stores/sqlite/settings.h"

namespace holdfast::stores::sqlite {

// Functions that return int give SQLITE_OK or SQLite's reason; after a reason the transaction must
// be rolled back.
class RecordWriter {
 public:
  static Result<RecordWriter> open(Database& database, const SqliteSettings& settings);

  int begin(WallTime now);
  int commit() { return commit_.run(); }
  // Leaves no transaction open, whatever failed.
  void roll_back(Database& database);

  struct Found {
    bool has_row = false;  // maybe expired
    bool is_live = false;
    std::int64_t rowid = 0;
    std::string etag;
    std::optional<WallTime> expires_at;  // of a live row
  };
  int find(std::string_view key, Found& found);
  // A Found to use again and again, so that its etag is not allocated for every write.
  Found& scratch() { return scratch_; }
  int put(const state::SetRequest& request, std::string_view principal, const Found& found, state::Written& written);
  int remove(std::string_view key, const Found& found);

  // Whether `when` holds for what was found, as an error to answer with.
  static Status check(const state::Precondition& when, const Found& found);

  // Removes up to `limit` expired rows and adds their number to `removed`.
  int remove_expired(int limit, int& removed);
  // Looks at the next `limit` rows of the side table after `from` and removes those whose record is
  // gone, and the index entries of those whose record another program rewrote: Dapr deletes and
  // changes only its own. `from` becomes empty at the end of the table.
  int remove_orphans(int limit, std::string& from);
  // Dapr's rule: only one process a interval cleans up. False in `due` when another one did.
  int take_cleanup_turn(Milliseconds interval, bool& due);

 private:
  int put_row(const state::SetRequest& request, const Found& found, const state::Written& written,
              std::string_view value);
  int put_side(const state::SetRequest& request, std::string_view principal, const Found& found,
               state::Written& written);
  int put_entries(const state::SetRequest& request, const Found& found, std::string_view etag);
  int remove_entries(std::string_view key);
  state::RecordFields fields_of(const state::SetRequest& request, std::string_view created_by,
                                std::string_view modified_by) const;
  // Replaces created and createdBy by what is known of the record with this etag.
  int read_created(std::string_view key, std::string_view etag, state::RecordFields& fields);

  Statement begin_, commit_, find_, insert_, update_, remove_, side_update_, side_put_, side_remove_, side_created_;
  Statement entry_put_, entries_remove_, entries_any_;
  Statement expired_, orphans_, cleanup_turn_;
  Statement newest_change_, relabel_;  // with a change log
  std::optional<bool> has_entries_;    // whether any record has, as far as this transaction has looked
  sqlite3* handle_ = nullptr;
  WallTime now_;
  std::string now_text_;
  Found scratch_;
  std::string encoded_;  // the base64 text of the value in hand
};

}  // namespace holdfast::stores::sqlite
