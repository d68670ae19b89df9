// The contract every backend implements: a keyed store of records.
//
// Threading: a StateStore belongs to one event loop and is called only from it; many calls may be in flight.
// A StoreCore is what the loops share; its open() is called once per loop, on that loop.
// Lifetime: the bytes a request points at live until its task finishes; a started task always finishes.
// Cancellation (CallContext) ends our interest, not the server's: a write already sent may take effect.
// Keys are complete stored keys: the service has put prefixes in front; stores add nothing.
// Errors: Errc says what the caller can do (base/result.h). A failed write changed nothing, unless the code is
// outcome_unknown or replication_shortfall. No method throws for what a server, a file or a client can cause.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/boxed.h"
#include "base/cancellation.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/scheduler.h"
#include "base/task.h"
#include "state/capabilities.h"
#include "state/position.h"

namespace holdfast::state {

struct Query;  // state/query.h

struct CallContext {
  SteadyTime deadline = SteadyTime::max();
  const Cancellation* cancel = nullptr;  // null: cannot be cancelled
  Consistency consistency = Consistency::unspecified;
  // Of the caller's session in this store: a reading shows no less, and every call adds what it has seen or written.
  // Null: the caller has none, or the store needs none. Lives as long as the call.
  Position* position = nullptr;
  std::string_view principal;  // who writes: createdBy, modifiedBy
  std::string_view trace;      // W3C traceparent of the request's span; empty: not traced

  bool is_cancelled() const { return cancel != nullptr && cancel->requested; }
};

// How a value is kept, because Dapr keeps the two differently: `json` text may be queried, `bytes` are opaque.
enum class Shape : std::uint8_t { bytes, json };

using Pairs = std::vector<std::pair<std::string, std::string>>;
using PairsView = std::span<const std::pair<std::string, std::string>>;

// What a store keeps about a record beside the value Dapr sees. Believed only while it carries the record's
// etag, so a record that Dapr rewrote has none rather than stale ones.
struct RecordFields {
  WallTime created;
  std::string created_by;
  WallTime modified;
  std::string modified_by;
  std::string content_type;
  Pairs tags;
  Pairs indexes;  // secondary index entries, name to value
};

struct Record {
  std::string value;
  Shape shape = Shape::bytes;
  std::string etag;  // opaque; empty when the store has none
  std::optional<WallTime> expires_at;
  Boxed<RecordFields> fields;  // only when asked for and known
};

// One of: no condition, no live record, some live record, a live record with one of these etags.
struct Precondition {
  enum class Kind : std::uint8_t { any, absent, present, one_of };
  Kind kind = Kind::any;
  std::span<const std::string_view> etags;  // with one_of; never empty then

  static Precondition any() { return {}; }
  static Precondition absent() { return {Kind::absent, {}}; }
  static Precondition present() { return {Kind::present, {}}; }
  static Precondition one_of(std::span<const std::string_view> etags) { return {Kind::one_of, etags}; }

  // For engines that read and write under one lock. `etag` is null when there is no live record.
  bool holds(const std::string_view* etag) const {
    switch (kind) {
      case Kind::any: return true;
      case Kind::absent: return etag == nullptr;
      case Kind::present: return etag != nullptr;
      case Kind::one_of: break;
    }
    if (etag == nullptr) return false;
    for (const std::string_view candidate : etags)
      if (candidate == *etag) return true;
    return false;
  }
};

// Requests describe, they do not own; small, passed by value.
struct GetRequest {
  std::string_view key;
  bool want_value = true;
  bool want_fields = false;
};

struct SetRequest {
  std::string_view key;
  std::string_view value;
  Shape shape = Shape::bytes;
  Precondition when;
  std::optional<Milliseconds> ttl;  // unset: keep for ever, which clears an earlier TTL
  bool keep_expiry = false;  // a live record goes on expiring when it did, to the millisecond; without a ttl only
  std::string_view content_type;
  PairsView tags;
  PairsView indexes;
  std::string_view created_by;   // empty: the context's principal
  std::string_view modified_by;  // empty: the context's principal
  bool want_record = false;      // Written::fields
};

struct DeleteRequest {
  std::string_view key;
  Precondition when;
};

// Takes part in a transaction only by its precondition.
struct CheckRequest {
  std::string_view key;
  Precondition when;
};

using Operation = std::variant<SetRequest, DeleteRequest, CheckRequest>;

struct Written {
  std::string etag;             // of the record as written; empty after a delete or check
  std::optional<bool> created;  // no live record was there before; unset: the engine does not say
  std::optional<WallTime> expires_at;
  Boxed<RecordFields> fields;   // when SetRequest::want_record and the store keeps them
};

struct Deleted {
  std::optional<bool> existed;  // a live record was there; unset: the engine does not say
};

// Keys that begin with `prefix`. The first `own_bytes` of it were put there by key mapping: a key with a
// further "||" after them belongs to something else (an actor, another app) and is passed over, as are outbox
// markers, and with `hides_isolated` the records that belong to an isolation key. state/keys.h has the test, and
// kEveryKey, with which none is passed over.
struct ListRequest {
  std::string_view prefix;
  std::size_t own_bytes = 0;
  std::string_view cursor;  // from the previous page; empty: from the start
  std::uint32_t limit = 100;
  bool want_values = false;
  bool want_fields = false;
  bool hides_isolated = false;
};

// The records of a listing that carry an index entry, which is looked up and not searched for. Every hit carries it
// now: what an index still says of a record that was written without it, or without us, is passed over. Cursors belong
// to the entry and to of.prefix.
struct FindRequest {
  std::string_view name;
  std::string_view value;
  ListRequest of;
};

// SQL LIKE over whole keys: % any run, _ one character, \ escapes the next; case-sensitive; not empty.
struct LikeRequest {
  std::string_view pattern;
  std::string_view cursor;
  std::uint32_t limit = 0;  // 0: everything
  // Given: only keys that a listing shows; this one and the next are as of ListRequest.
  std::optional<std::size_t> own_bytes = std::nullopt;
  bool hides_isolated = false;

  // Whether the key may be shown when the pattern matches it.
  bool covers(std::string_view key) const;
};

struct ListedRecord {
  std::string key;
  Record record;  // value and fields only when asked for
};

struct ListPage {
  std::vector<ListedRecord> items;
  std::string cursor;  // empty: that was the last page
};

struct KeyPage {
  std::vector<std::string> keys;
  std::string cursor;
};

struct DeletePrefixRequest {
  std::string_view prefix;
  std::size_t own_bytes = 0;
  bool hides_isolated = false;  // as of ListRequest
};

struct QueryPage {
  std::vector<ListedRecord> items;
  std::string token;  // empty: no more
};

struct WatchEvent {
  // `ready` is the first event: the watch is in place, and nothing was lost since WatchRequest::resume. `resync`, also
  // in its place: events may be missing from before this point.
  enum class Kind : std::uint8_t { put, erase, expire, resync, ready };
  Kind kind = Kind::put;
  std::string key;               // of put, erase and expire
  std::optional<Record> record;  // with put: the etag and the expiry; value and fields when asked for
  std::string resume;            // continues after this event; empty: this store cannot
};

struct WatchRequest {
  std::string_view prefix;
  std::size_t own_bytes = 0;
  std::string_view resume;  // empty: from now on
  bool exact = false;       // only the key that `prefix` is
  bool want_values = false;
  bool hides_isolated = false;  // as of ListRequest
};

// Events of one watch, ordered per key. Same loop as its store, which must outlive it. The queue is bounded:
// what does not fit shows as one `resync`.
class Watcher {
 public:
  virtual ~Watcher() = default;
  // Waits until take() has an event; false once cancel() was called, or the store was closed. One call at a time.
  virtual Task<bool> wait() = 0;
  // The next event, in the place of what `event` was, if it is there already. Who takes many keeps one event for them,
  // and its memory is used again.
  virtual bool take(WatchEvent& event) = 0;
  virtual void cancel() = 0;

  // take() for who wants only one.
  std::optional<WatchEvent> poll();

  // Both: the next event; nothing at the end.
  Task<Result<std::optional<WatchEvent>>> next();
};

class StateStore {
 public:
  virtual ~StateStore() = default;
  virtual const Capabilities& capabilities() const = 0;

  // A missing or expired key is an empty optional, not an error.
  virtual Task<Result<std::optional<Record>>> get(CallContext context, GetRequest request) = 0;

  // Errc::precondition_failed (with current_etag if known), and nothing changed, when it does not hold;
  // Errc::etag_invalid when the etag cannot be one of this store's.
  virtual Task<Result<Written>> set(CallContext context, SetRequest request) = 0;
  virtual Task<Result<Deleted>> erase(CallContext context, DeleteRequest request) = 0;

  // One result per request, in order, none depending on another. The defaults run every request at once and
  // let the connection pipeline them; override where the server has a real multi-key call.
  virtual Task<std::vector<Result<std::optional<Record>>>> get_many(CallContext context,
                                                                    std::span<const GetRequest> requests);
  virtual Task<std::vector<Result<Written>>> set_many(CallContext context, std::span<const SetRequest> requests);
  virtual Task<std::vector<Result<Deleted>>> erase_many(CallContext context,
                                                        std::span<const DeleteRequest> requests);

  // Optional abilities. The defaults answer Errc::unsupported; declare the capability when you override.

  // All or nothing, applied in order; preconditions are judged on the state before the transaction. One Written
  // per operation. A failed precondition names its operation in Error::operation.
  virtual Task<Result<std::vector<Written>>> transact(CallContext context, std::span<const Operation> operations);
  virtual Task<Result<ListPage>> list(CallContext context, ListRequest request);
  virtual Task<Result<ListPage>> find(CallContext context, FindRequest request);
  virtual Task<Result<KeyPage>> keys_like(CallContext context, LikeRequest request);
  virtual Task<Result<std::uint64_t>> erase_prefix(CallContext context, DeletePrefixRequest request);
  virtual Task<Result<QueryPage>> query(CallContext context, const Query& query);
  virtual Task<Result<std::unique_ptr<Watcher>>> watch(CallContext context, WatchRequest request);

  // Dapr's DELETE_WITH_PREFIX: keys that begin `prefix` + "||" and have no further "||". An empty prefix or a bare
  // separator is Errc::invalid_argument ("prefix is required"). The default goes through erase_prefix.
  virtual Task<Result<std::uint64_t>> erase_with_dapr_prefix(CallContext context, std::string_view prefix);

  // Whether the store answers now.
  virtual Task<Status> ping(CallContext context) = 0;

  // Finishes what it can before the deadline, then lets go. No call may follow.
  virtual Task<Status> close(CallContext context) = 0;

 protected:
  // "this store does not support WHAT".
  static std::unexpected<Error> unsupported(std::string_view what);
  // Between two steps of a walk over many keys: Errc::deadline_exceeded when nobody waits for it any more.
  static Status check_going_on(const CallContext& context, SteadyTime now = std::chrono::steady_clock::now());
};

// What the loops of one component share. Made once by StoreType::prepare, destroyed after every StateStore.
class StoreCore {
 public:
  virtual ~StoreCore() = default;
  virtual Task<Result<std::unique_ptr<StateStore>>> open(Scheduler& loop) = 0;
  // What Dapr declares for it, where that depends on the server and not only on the type; known once it was opened.
  // Empty: what StoreType says. Any thread.
  virtual std::span<const std::string_view> dapr_features() const { return {}; }
};

}  // namespace holdfast::state
