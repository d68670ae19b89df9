// The messages of etcd's API, version 3, that a store needs: requests to bytes, bytes to replies. I/O-free.
// Source: etcd.io, api/etcdserverpb/rpc.proto and api/mvccpb/kv.proto of etcd 3.4 and 3.5.
//
// Requests refer to bytes of the caller; replies refer to the bytes they were read from. Revisions and leases are as
// etcd counts them: positive, 0 for none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace holdfast::etcd {

// Methods.
inline constexpr std::string_view kRange = "/etcdserverpb.KV/Range";
inline constexpr std::string_view kTxn = "/etcdserverpb.KV/Txn";
inline constexpr std::string_view kLeaseGrant = "/etcdserverpb.Lease/LeaseGrant";
inline constexpr std::string_view kLeaseRevoke = "/etcdserverpb.Lease/LeaseRevoke";
inline constexpr std::string_view kLeaseTimeToLive = "/etcdserverpb.Lease/LeaseTimeToLive";
inline constexpr std::string_view kWatch = "/etcdserverpb.Watch/Watch";
inline constexpr std::string_view kAuthenticate = "/etcdserverpb.Auth/Authenticate";
inline constexpr std::string_view kStatus = "/etcdserverpb.Maintenance/Status";

// The keys from `key` up to, and without, `end`; only `key` when `end` is empty. In bytewise order.
struct Range {
  std::string_view key;
  std::string_view end = {};
  std::int64_t limit = 0;     // 0: all
  std::int64_t revision = 0;  // 0: the newest
  bool serializable = false;  // what this member has, which may be behind
  bool keys_only = false;
};

struct Put {
  std::string_view key;
  std::string_view value;
  std::int64_t lease = 0;
};

struct DeleteRange {
  std::string_view key;
  std::string_view end = {};
};

struct Compare {
  enum class Is : std::uint8_t { equal = 0, greater = 1, less = 2, not_equal = 3 };
  enum class Of : std::uint8_t { version = 0, created = 1, modified = 2, lease = 4 };
  std::string_view key;
  Of of = Of::version;
  Is is = Is::equal;
  std::int64_t number = 0;  // a key that is not there has zeros
};

struct Txn;
// An inner Txn belongs to the caller.
using Operation = std::variant<Range, Put, DeleteRange, const Txn*>;

struct Txn {
  std::vector<Compare> compares;
  std::vector<Operation> success;
  std::vector<Operation> failure;
};

void append(std::string& out, const Range& range);
void append(std::string& out, const Txn& txn);

void append_lease_grant(std::string& out, std::int64_t seconds);
void append_lease_revoke(std::string& out, std::int64_t lease);
void append_lease_time_to_live(std::string& out, std::int64_t lease, bool want_keys);
void append_authenticate(std::string& out, std::string_view name, std::string_view password);
// The first message on a watch's stream. A watch begins at `revision`, which may be past; 0: now.
void append_watch(std::string& out, std::string_view key, std::string_view end, std::int64_t revision);

struct KeyValue {
  std::string_view key;
  std::string_view value;
  std::int64_t created = 0;  // revisions
  std::int64_t modified = 0;
  std::int64_t version = 0;  // 1 for a key that was made anew
  std::int64_t lease = 0;
};

// Where the answer is from.
struct Header {
  std::uint64_t cluster = 0;
  std::int64_t revision = 0;
};

struct TxnReply;
// Of one operation: the kvs of a Range, or how many a DeleteRange has deleted, or the reply of an inner Txn.
struct OperationReply {
  std::vector<KeyValue> kvs;
  bool more = false;  // than the limit
  std::int64_t deleted = 0;
  std::vector<TxnReply> inner;  // one, or none
};
struct TxnReply {
  Header header;
  bool succeeded = false;
  std::vector<OperationReply> replies;  // of the branch that was taken, in its order
};
struct RangeReply {
  Header header;
  std::vector<KeyValue> kvs;
  bool more = false;
};
struct LeaseReply {
  std::int64_t lease = 0;
  std::int64_t seconds = 0;  // left; negative: the lease is gone
  bool has_keys = false;
};
struct WatchEvent {
  bool is_delete = false;
  KeyValue kv;
  std::optional<KeyValue> previous;
};
struct WatchReply {
  Header header;
  std::int64_t watch = 0;
  bool created = false;
  bool cancelled = false;
  std::int64_t compacted = 0;  // the revision asked for is older than this one, and gone
  std::string_view reason;     // of a cancellation
  bool is_fragment = false;
  std::vector<WatchEvent> events;
};
struct StatusReply {
  Header header;
  std::string_view version;
  std::uint64_t leader = 0;  // 0: none
};

// Errc::internal: what has come is no such message.
Result<RangeReply> read_range(std::string_view bytes);
Result<TxnReply> read_txn(std::string_view bytes);
Result<LeaseReply> read_lease_grant(std::string_view bytes);
Result<LeaseReply> read_lease_time_to_live(std::string_view bytes);
Result<WatchReply> read_watch(std::string_view bytes);
Result<std::string_view> read_token(std::string_view bytes);
Result<StatusReply> read_status(std::string_view bytes);

}  // namespace holdfast::etcd
