// `watch: log`: triggers on the table of records write each change into a table of their own, whoever makes it (we, another
// sidecar, Dapr), and one thread reads it into the feed.
//
//   <state>_holdfast_log  seq INTEGER PRIMARY KEY AUTOINCREMENT, key, kind (0 put, 1 deletion, 2 expiry), at (seconds
//                         since 1970). Each change removes up to two rows that are older than ten minutes.
//   <metadata>            our row holdfast-log:<state>: the log's id, which resume tokens begin with.
//
// Changes of a key that follow each other closely are told as the last of them (state/change.h).
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "state/change.h"
#include "stores/sqlite/reader.h"

namespace holdfast::stores::sqlite {

// The tables and triggers, if they are not there yet.
Status make_change_log(Database& database, const SqliteSettings& settings);
// In the transaction of the writer: what was removed since `seq` had expired.
std::string relabel_sql(const SqliteSettings& settings);
std::string newest_change_sql(const SqliteSettings& settings);

// Thread-safe.
class ChangeLog {
 public:
  // `reader` is the thread's own. The clock outlives this.
  static Result<std::unique_ptr<ChangeLog>> open(Reader reader, const Clock& clock);
  ~ChangeLog();

  state::Feed& feed() { return *feed_; }
  // Something was committed.
  void wake();
  // Returns once everything that was committed before the call is in the feed. Blocks.
  void catch_up();
  // What the log has of the changes after `from`, up to `to`; nothing when some of them are gone, or are very many.
  Result<std::optional<state::FeedEvents>> changes(Reader& reader, std::uint64_t from, std::uint64_t to,
                                                   WallTime now) const;

 private:
  using Change = state::Change;

  ChangeLog(Reader reader, const Clock& clock, std::string id, std::uint64_t newest);
  static Result<std::vector<Change>> read(Reader& reader, std::uint64_t after, std::uint64_t to, std::size_t limit);
  static Result<state::FeedEvents> with_records(Reader& reader, std::vector<Change> changes, bool whole, WallTime now);
  void run();
  void tail();

  Reader reader_;
  const Clock& clock_;
  std::unique_ptr<state::Feed> feed_;
  std::uint64_t last_;  // the thread's own: what was published
  bool failing_ = false;

  std::mutex mutex_;
  std::condition_variable asked_changed_;
  std::condition_variable done_changed_;
  bool begun_ = false;  // somebody has watched
  bool stopping_ = false;
  std::uint64_t asked_ = 0;
  std::uint64_t done_ = 0;
  std::thread thread_;
};

}  // namespace holdfast::stores::sqlite
