// The one path from every API to the stores: limits, key mapping, consistency, then the store's layers.
//
// Requests here carry user keys; answers carry user keys again. What a request points at lives until its task
// ends. One object per loop. v1 and v2, HTTP and gRPC differ only in how they decode, encode and name failures.
// What the caller's token forbids (Errc::denied), and what isolation does not allow, never reaches the store: scope.h.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "service/key_turns.h"
#include "service/scope.h"
#include "service/store_table.h"
#include "service/watch.h"
#include "state/query.h"
#include "state/store.h"

namespace holdfast::service {

// One call as the API knows it.
struct Call {
  StoreEntry& entry;
  CallContext context;
};

// A listing as the caller sees it: keys without our prefix, an opaque cursor.
struct Listing {
  std::vector<state::ListedRecord> items;
  std::string cursor;
};

// What an update in place makes of a record. `now` is null where there is none. An error leaves everything as it is and
// is the update's result.
struct Change {
  std::string value;
  state::Shape shape = state::Shape::bytes;
  std::string content_type;
};
using Changing = std::function<Result<Change>(const state::Record* now)>;

struct UpdateRequest {
  std::string_view key;
  state::Precondition when;
  std::optional<Milliseconds> ttl;  // unset: the record goes on expiring when it did
  std::string_view modified_by;     // empty: the context's principal
  bool want_record = false;
};

// A query of v2.
struct SearchRequest {
  // The caller's: key_prefix, token and a limit of at least 1; own_bytes, hides_isolated and want_fields are ignored.
  state::Query query;
  std::string text;       // filter and sort as they were written: tokens belong to them
  state::Pairs tags;      // only records that have all of these
  state::Pairs indexes;   // and all of these entries
  bool may_scan = false;  // the caller allows that every record is read
};
// Records that one call of search() reads, at most, unless it may scan.
inline constexpr std::size_t kSearchedMax = 10'000;

struct Updated {
  state::Written written;
  Change change;
};

class Service {
 public:
  // `turns` are of all loops of the process; everything outlives this. Calls are made on `loop`.
  Service(StoreTable& stores, const Clock& clock, Scheduler& loop, KeyTurns& turns)
      : stores_(stores), clock_(clock), loop_(loop), turns_(turns) {}

  StoreTable& stores() { return stores_; }
  const Clock& clock() const { return clock_; }
  Scheduler& loop() { return loop_; }

  // Errc::invalid_argument when the key holds "||".
  static Status check_key(std::string_view key);
  // Dapr's way back: what stands between the first and the second separator, or the whole key.
  static std::string user_key(std::string_view stored);

  // The level that the store serves for a read (write) asking for `asked`; Errc::unsupported when it has none
  // that is at least as strong.
  static Result<state::Consistency> served_level(const StoreEntry& entry, state::Consistency asked, bool write);

  Task<Result<std::optional<state::Record>>> get(Call call, state::GetRequest request);
  Task<std::vector<Result<std::optional<state::Record>>>> get_many(Call call,
                                                                   std::span<const state::GetRequest> requests);
  Task<Result<state::Written>> set(Call call, state::SetRequest request);
  Task<std::vector<Result<state::Written>>> set_many(Call call, std::span<const state::SetRequest> requests);
  Task<Result<state::Deleted>> erase(Call call, state::DeleteRequest request);
  Task<std::vector<Result<state::Deleted>>> erase_many(Call call, std::span<const state::DeleteRequest> requests);
  Task<Result<std::vector<state::Written>>> transact(Call call, std::span<const state::Operation> operations);
  // Queries see every key of the store, as Dapr's do, unless isolation or a token's prefix narrows them.
  Task<Result<state::QueryPage>> query(Call call, state::Query query);
  // Reads a record, changes it and writes it back, as if nobody else did meanwhile: the write carries the etag that was
  // read, and the round is done again when another came first, which in this process waits. Keeps expiry, tags and
  // index entries. Errc::unsupported without etags; Errc::conflict after kUpdateRounds.
  static constexpr int kUpdateRounds = 16;
  Task<Result<Updated>> update(Call call, UpdateRequest request, const Changing& changing);
  // request.prefix and request.cursor are the caller's; own_bytes is ignored. Errc::invalid_argument for a cursor
  // that is not ours, Errc::not_found ("cursor-expired") for one older than a day.
  Task<Result<Listing>> list(Call call, state::ListRequest request);
  // Of what list() would show only records that carry the index entry; request.of is as list() has it.
  // Errc::unsupported where the store looks up by no entries.
  Task<Result<Listing>> find(Call call, state::FindRequest request);
  // By the first index entry, where there are some and the store looks up by them; else by the store's own queries;
  // else by reading record after record, if that may be. Errc::unsupported says why none of them will do, and what
  // would. Sees what list() shows, with values and fields. A page may be short, and there is more all the same if it
  // has a token.
  Task<Result<state::QueryPage>> search(Call call, SearchRequest request);
  // Deletes what a listing for `prefix` shows, and says how many that were. An empty prefix is all that the caller
  // reaches: who calls this makes sure that it is meant.
  Task<Result<std::uint64_t>> erase_prefix(Call call, std::string_view prefix);
  // request.pattern and request.cursor are the caller's, the pattern is over whole user keys; own_bytes and
  // hides_isolated are ignored. With a token's prefix the pattern has to begin with it. Keys come in no order.
  Task<Result<state::KeyPage>> keys_like(Call call, state::LikeRequest request);
  // request.prefix and request.key are the caller's, and so are the keys of the events. `entry` is the call's, and held
  // by the watch. Errc::unsupported where the store cannot watch.
  Task<Result<std::unique_ptr<Watch>>> watch(StoreRef entry, CallContext context, WatchWhat what);

 private:
  // Puts the component's level in the place of none; Errc::unsupported when the store cannot keep what it is then.
  static Status choose_level(Call& call, bool write);
  static void follow_session(Call& call);
  Status admit(const Call& call, std::string_view stored_key, std::size_t value_bytes) const;
  Status admit_write(const Call& call, std::string_view stored_key, const state::SetRequest& request) const;

  struct IndexEntry {
    std::string_view name;
    std::string_view value;
  };
  Task<Result<Listing>> page(Call call, state::ListRequest request, std::optional<IndexEntry> entry);

  // One round of update(); nothing when another write came first.
  Task<Result<std::optional<Updated>>> try_update(Call call, UpdateRequest request, const Changing& changing);

  StoreTable& stores_;
  const Clock& clock_;
  Scheduler& loop_;
  KeyTurns& turns_;
};

}  // namespace holdfast::service
