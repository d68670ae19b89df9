// Where records lie in etcd, and in what form: Dapr's key and value, and companions of ours beside them. Pure.
//
//   PREFIX "/" KEY              the value. v1: as it is. v2: a message of Dapr's, with the expiry in it, and our fields
//                               in a field that Dapr does not know and passes over
//   PREFIX ".holdfast/" KEY \0c  when the record was made, and by whom
//   PREFIX ".holdfast/" KEY \0m  v1 only: the fields of the last write
//
// Companions are written in the transaction of their record, so that revisions tell whether they belong to it: the
// fields of the last write have the record's own mod_revision, and what is said of its making is not older than its
// create_revision. What Dapr has written anew has none, rather than stale ones. "." comes before "/", so that nobody
// who lists records, Dapr included, sees companions.
// Source of v2's message: Dapr components-contrib, common/proto/state/etcd/v2/value.proto.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "state/store.h"
#include "wire/etcd/messages.h"

namespace holdfast::stores::etcd {

enum class Layout : std::uint8_t { v1, v2 };

// The three keys of a record.
struct Keys {
  Keys(std::string_view prefix, std::string_view key);
  std::string record;
  std::string created;
  std::string modified;
};

// How a record came to be.
struct Making {
  WallTime created;
  std::string_view created_by;
};
void append_making(std::string& out, const Making& making);

// What is kept beside a value.
struct Extras {
  state::Shape shape = state::Shape::bytes;
  WallTime modified;
  std::string_view modified_by;
  std::string_view content_type;
  std::string_view tags;     // state/pairs.h
  std::string_view indexes;  // as well
  std::optional<WallTime> expires;
};
void append_extras(std::string& out, const Extras& extras);

// A value in the form of v2.
struct Message {
  std::string_view value;
  WallTime written;
  std::optional<WallTime> expires;
  std::string_view extras;  // encoded; empty: none, as of Dapr's
};
void append_message(std::string& out, const Message& message);
// Nothing for bytes that are no such message.
std::optional<Message> read_message(std::string_view bytes);

// What was found of one key.
struct Found {
  const holdfast::etcd::KeyValue* record = nullptr;  // null: it is not there
  const holdfast::etcd::KeyValue* created = nullptr;
  const holdfast::etcd::KeyValue* modified = nullptr;
};
// Sorts out the keys of a reading; others among them are passed over.
Found found_in(const Keys& keys, const std::vector<holdfast::etcd::KeyValue>& kvs);

// A record as it lies there, live or not.
struct Stored {
  std::string_view value;
  std::int64_t revision = 0;
  std::int64_t lease = 0;
  std::optional<WallTime> expires;  // as its writer said. Unset with a lease: the lease alone knows
  bool has_extras = false;
  Extras extras;
  std::optional<Making> making;

  bool is_expired(WallTime now) const { return expires && *expires <= now; }
};
// Errc::internal: the value is not of this layout. Refers to what `found` refers to.
Result<Stored> read_stored(const Found& found, Layout layout);

// How the record was made, when its companion knows.
std::optional<Making> read_making(const Found& found);

state::RecordFields fields_of(const Extras& extras, const std::optional<Making>& making);
state::Record record_of(const Stored& stored, bool want_value, bool want_fields);

// The etag of a revision, and back. Nothing for a text that is no revision's.
std::string etag_of(std::int64_t revision);
std::optional<std::int64_t> revision_of(std::string_view etag);

}  // namespace holdfast::stores::etcd
