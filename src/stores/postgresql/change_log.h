// `watch: log`: a trigger on the table of records writes each change into a table of its own, whoever makes it (we,
// another sidecar, Dapr, psql), and one thread reads it into the feed.
//
//   <state>_holdfast_log  seq bigint, key, kind (0 put, 1 deletion, 2 expiry), at. Rows older than ten minutes go with
//   the
//                         removal of expired records.
//   <metadata>            our rows holdfast-log:<state>, the log's id, which resume tokens begin with; and
//                         holdfast-log-gone:<state>, the newest number whose row has gone.
//
// Numbers are given before a transaction commits, so that a lower one may show after a higher one. The thread therefore
// stops at a number that is missing until whoever may have it has ended: until every transaction that ran when the gap
// was seen has. The changes of one key have their numbers in the order of their commits, because the trigger runs under
// the row's lock.
//
// Changes of a key that follow each other closely are told as the last of them (state/change.h).
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "state/change.h"
#include "stores/postgresql/session.h"
#include "stores/postgresql/statements.h"

namespace holdfast::stores::postgresql {

// The table and the trigger, if they are not there yet.
Status make_change_log(Session& session, const PostgresqlSettings& settings, SteadyTime deadline);
// Takes old rows away.
std::string forget_changes_sql(const PostgresqlSettings& settings);

using state::Change;

// $1 and $2: changes after the one and up to the other; $3: at most so many. The newest number that has gone comes
// along.
std::string read_changes_sql(const PostgresqlSettings& settings);
std::vector<Change> read_changes(const Rows& rows);
// Nothing when one of them has gone already.
bool has_all_after(const Rows& rows, std::uint64_t from);

// Thread-safe.
class ChangeLog {
 public:
  // The thread has a connection of its own.
  static Result<std::unique_ptr<ChangeLog>> open(Session& session, const PostgresqlSettings& settings,
                                                 SteadyTime deadline);
  ~ChangeLog();

  state::Feed& feed() { return *feed_; }
  // Something was committed.
  void wake();
  // Calls back, on the thread, once everything that was committed before is in the feed.
  void catch_up(std::function<void()> done);

 private:
  struct Start {
    std::string id;
    std::uint64_t newest = 0;  // number of the last change that shows
    std::uint64_t before = 0;  // transactions that may have lower ones, which do not show yet, are older than this one
  };
  ChangeLog(const PostgresqlSettings& settings, Start start);
  void run();
  void tail();
  bool reconnect();
  // Until nobody is left who may have a number up to the first one.
  Result<bool> await_start();
  // Whether there may be more at once.
  Result<bool> read_on();
  // How many of these are sure to have none before them that are still to come.
  std::size_t settled(const std::vector<Change>& changes, const Rows& rows);
  Status publish(std::span<const Change> changes);
  Result<state::RecordsByKey> read_records(const std::vector<std::string_view>& keys, Statements::Shape shape);

  const PostgresqlSettings settings_;
  Statements statements_;
  std::atomic<bool> stopped_{false};
  std::optional<Session> session_;
  std::unique_ptr<state::Feed> feed_;

  // The thread's own.
  struct Gap {
    std::uint64_t from = 0;    // the first number that is missing
    std::uint64_t before = 0;  // settled when no transaction older than this one runs any more
    SteadyTime since;
  };
  std::optional<std::uint64_t> start_before_;
  std::uint64_t last_;  // what was published
  std::optional<Gap> gap_;
  bool failing_ = false;

  std::mutex mutex_;
  std::condition_variable asked_changed_;
  bool begun_ = false;  // somebody has watched
  std::uint64_t asked_ = 0;
  std::uint64_t done_ = 0;
  std::vector<std::function<void()>> waiting_;
  std::thread thread_;
};

}  // namespace holdfast::stores::postgresql
