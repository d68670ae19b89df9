#include "wire/etcd/messages.h"

#include "wire/protobuf/fields.h"
#include "wire/protobuf/writer.h"

namespace holdfast::etcd {

namespace {

using protobuf::Reader;

// An inner Txn of an inner Txn is as deep as anything we send goes.
constexpr int kDepthMost = 4;

std::unexpected<Error> nonsense(std::string_view what) {
  return fail(Errc::internal, "etcd has answered with what is no " + std::string(what));
}

std::int64_t number_of(const Reader& field) { return static_cast<std::int64_t>(field.varint()); }

template <class Sink>
void write(Sink& to, const Range& range) {
  to.bytes(1, range.key);
  to.bytes(2, range.end);
  to.number(3, range.limit);
  to.number(4, range.revision);
  // No order is asked for: a range comes in the order of its keys.
  to.number(7, range.serializable);
  to.number(8, range.keys_only);
}

template <class Sink>
void write(Sink& to, const Put& put) {
  to.bytes(1, put.key);
  to.bytes(2, put.value);
  to.number(3, put.lease);
}

template <class Sink>
void write(Sink& to, const DeleteRange& range) {
  to.bytes(1, range.key);
  to.bytes(2, range.end);
}

// A target that is not given counts as zero.
template <class Sink>
void write(Sink& to, const Compare& compare) {
  to.number(1, static_cast<std::int64_t>(compare.is));
  to.number(2, static_cast<std::int64_t>(compare.of));
  to.bytes(3, compare.key);
  constexpr std::uint32_t kVersion = 4, kCreated = 5, kModified = 6, kLease = 8;
  switch (compare.of) {
    case Compare::Of::version:
      return to.number(kVersion, compare.number);
    case Compare::Of::created:
      return to.number(kCreated, compare.number);
    case Compare::Of::modified:
      return to.number(kModified, compare.number);
    case Compare::Of::lease:
      return to.number(kLease, compare.number);
  }
}

template <class Sink>
void write(Sink& to, const Txn& txn);

template <class Sink>
void write(Sink& to, const Operation& operation) {
  const auto number = static_cast<std::uint32_t>(operation.index() + 1);
  std::visit(
      [&](const auto& one) {
        to.message(number, [&](auto& inner) {
          if constexpr (std::is_pointer_v<std::remove_cvref_t<decltype(one)>>)
            write(inner, *one);
          else
            write(inner, one);
        });
      },
      operation);
}

template <class Sink>
void write(Sink& to, const Txn& txn) {
  for (const Compare& compare : txn.compares) to.message(1, [&](auto& inner) { write(inner, compare); });
  for (const Operation& operation : txn.success) to.message(2, [&](auto& inner) { write(inner, operation); });
  for (const Operation& operation : txn.failure) to.message(3, [&](auto& inner) { write(inner, operation); });
}

// Reads the fields of a message with `take(field)`, false when it is malformed.
template <class Take>
bool each(std::string_view bytes, Take take) {
  Reader field(bytes);
  while (field.next())
    if (!take(field)) return false;
  return field.ok();
}

bool read(std::string_view bytes, Header& out) {
  return each(bytes, [&](const Reader& field) {
    if (field.field() == 1) out.cluster = field.varint();
    if (field.field() == 3) out.revision = number_of(field);
    return true;
  });
}

bool read(std::string_view bytes, KeyValue& out) {
  return each(bytes, [&](const Reader& field) {
    switch (field.field()) {
      case 1:
        out.key = field.bytes();
        break;
      case 2:
        out.created = number_of(field);
        break;
      case 3:
        out.modified = number_of(field);
        break;
      case 4:
        out.version = number_of(field);
        break;
      case 5:
        out.value = field.bytes();
        break;
      case 6:
        out.lease = number_of(field);
        break;
      default:
        break;
    }
    return true;
  });
}

bool read_kv(const Reader& field, std::vector<KeyValue>& out) {
  return field.is_bytes() && read(field.bytes(), out.emplace_back());
}

// Of a RangeResponse, wherever it stands.
bool read_range(std::string_view bytes, Header& header, std::vector<KeyValue>& kvs, bool& more) {
  return each(bytes, [&](const Reader& field) {
    if (field.field() == 1) return field.is_bytes() && read(field.bytes(), header);
    if (field.field() == 2) return read_kv(field, kvs);
    if (field.field() == 3) more = field.varint() != 0;
    return true;
  });
}

bool read(std::string_view bytes, TxnReply& out, int depth);

bool read(std::string_view bytes, OperationReply& out, int depth) {
  return each(bytes, [&](const Reader& field) {
    if (!field.is_bytes()) return false;
    Header header;
    switch (field.field()) {
      case 1:
        return read_range(field.bytes(), header, out.kvs, out.more);
      case 3:
        return each(field.bytes(), [&](const Reader& of) {
          if (of.field() == 2) out.deleted = number_of(of);
          return true;
        });
      case 4:
        return depth < kDepthMost && read(field.bytes(), out.inner.emplace_back(), depth + 1);
      default:
        return true;
    }
  });
}

bool read(std::string_view bytes, TxnReply& out, int depth) {
  return each(bytes, [&](const Reader& field) {
    if (field.field() == 1) return field.is_bytes() && read(field.bytes(), out.header);
    if (field.field() == 2) out.succeeded = field.varint() != 0;
    if (field.field() == 3) return field.is_bytes() && read(field.bytes(), out.replies.emplace_back(), depth);
    return true;
  });
}

bool read(std::string_view bytes, WatchEvent& out) {
  return each(bytes, [&](const Reader& field) {
    if (field.field() == 1) out.is_delete = field.varint() == 1;
    if (field.field() == 2) return field.is_bytes() && read(field.bytes(), out.kv);
    if (field.field() == 3) return field.is_bytes() && read(field.bytes(), out.previous.emplace());
    return true;
  });
}

}  // namespace

void append(std::string& out, const Range& range) {
  protobuf::Writer to(out);
  write(to, range);
}

void append(std::string& out, const Txn& txn) {
  protobuf::Writer to(out);
  write(to, txn);
}

void append_lease_grant(std::string& out, std::int64_t seconds) { protobuf::Writer(out).number(1, seconds); }

void append_lease_revoke(std::string& out, std::int64_t lease) { protobuf::Writer(out).number(1, lease); }

void append_lease_time_to_live(std::string& out, std::int64_t lease, bool want_keys) {
  protobuf::Writer to(out);
  to.number(1, lease);
  to.number(2, want_keys);
}

void append_authenticate(std::string& out, std::string_view name, std::string_view password) {
  protobuf::Writer to(out);
  to.bytes(1, name);
  to.bytes(2, password);
}

void append_watch(std::string& out, std::string_view key, std::string_view end, std::int64_t revision) {
  protobuf::Writer(out).message(1, [&](auto& create) {
    create.bytes(1, key);
    create.bytes(2, end);
    create.number(3, revision);
    create.number(6, true);  // what was there before
    create.number(8, true);  // in parts, when much has changed at once
  });
}

Result<RangeReply> read_range(std::string_view bytes) {
  RangeReply out;
  if (!read_range(bytes, out.header, out.kvs, out.more)) return nonsense("RangeResponse");
  return out;
}

Result<TxnReply> read_txn(std::string_view bytes) {
  TxnReply out;
  if (!read(bytes, out, 0)) return nonsense("TxnResponse");
  return out;
}

Result<LeaseReply> read_lease_grant(std::string_view bytes) {
  LeaseReply out;
  const bool ok = each(bytes, [&](const Reader& field) {
    if (field.field() == 2) out.lease = number_of(field);
    if (field.field() == 3) out.seconds = number_of(field);
    return true;
  });
  if (!ok || out.lease == 0) return nonsense("LeaseGrantResponse");
  return out;
}

Result<LeaseReply> read_lease_time_to_live(std::string_view bytes) {
  LeaseReply out;
  const bool ok = each(bytes, [&](const Reader& field) {
    if (field.field() == 2) out.lease = number_of(field);
    if (field.field() == 3) out.seconds = number_of(field);
    if (field.field() == 5) out.has_keys = true;
    return true;
  });
  if (!ok) return nonsense("LeaseTimeToLiveResponse");
  return out;
}

Result<WatchReply> read_watch(std::string_view bytes) {
  WatchReply out;
  const bool ok = each(bytes, [&](const Reader& field) {
    switch (field.field()) {
      case 1:
        return field.is_bytes() && read(field.bytes(), out.header);
      case 2:
        out.watch = number_of(field);
        break;
      case 3:
        out.created = field.varint() != 0;
        break;
      case 4:
        out.cancelled = field.varint() != 0;
        break;
      case 5:
        out.compacted = number_of(field);
        break;
      case 6:
        out.reason = field.bytes();
        break;
      case 7:
        out.is_fragment = field.varint() != 0;
        break;
      case 11:
        return field.is_bytes() && read(field.bytes(), out.events.emplace_back());
      default:
        break;
    }
    return true;
  });
  if (!ok) return nonsense("WatchResponse");
  return out;
}

Result<std::string_view> read_token(std::string_view bytes) {
  std::string_view token;
  const bool ok = each(bytes, [&](const Reader& field) {
    if (field.field() == 2) token = field.bytes();
    return true;
  });
  if (!ok || token.empty()) return nonsense("AuthenticateResponse");
  return token;
}

Result<StatusReply> read_status(std::string_view bytes) {
  StatusReply out;
  const bool ok = each(bytes, [&](const Reader& field) {
    if (field.field() == 1) return field.is_bytes() && read(field.bytes(), out.header);
    if (field.field() == 2) out.version = field.bytes();
    if (field.field() == 4) out.leader = field.varint();
    return true;
  });
  if (!ok) return nonsense("StatusResponse");
  return out;
}

}  // namespace holdfast::etcd
