#include "stores/etcd/layout.h"

#include <fmt/format.h>

#include <chrono>

#include "base/number.h"
#include "state/pairs.h"
#include "wire/protobuf/fields.h"
#include "wire/protobuf/writer.h"

namespace holdfast::stores::etcd {

namespace {

using holdfast::etcd::KeyValue;

constexpr std::string_view kCompanions = ".holdfast/";
constexpr std::string_view kCreated("\0c", 2);
constexpr std::string_view kModified("\0m", 2);

// Ours in Dapr's message: high enough for what may follow there.
constexpr std::uint32_t kOurs = 4846;
constexpr std::int64_t kMicros = 1'000'000;

// google.protobuf.Timestamp and Duration are made alike: seconds and nanoseconds, the latter never negative here.
template <class Sink>
void write_time(Sink& to, std::int64_t us) {
  const std::int64_t seconds = us >= 0 ? us / kMicros : -((-us + kMicros - 1) / kMicros);
  to.number(1, seconds);
  to.number(2, (us - seconds * kMicros) * 1000);
}

// Nothing for what no clock of ours can show.
std::optional<std::int64_t> read_time(std::string_view bytes) {
  std::int64_t seconds = 0, nanos = 0;
  protobuf::Reader field(bytes);
  while (field.next()) {
    if (field.field() == 1) seconds = static_cast<std::int64_t>(field.varint());
    if (field.field() == 2) nanos = static_cast<std::int64_t>(field.varint());
  }
  constexpr std::int64_t kSecondsMost = 9'000'000'000'000;
  constexpr std::int64_t kNanosMost = 1'000'000'000;
  if (!field.ok() || seconds > kSecondsMost || seconds < -kSecondsMost || nanos >= kNanosMost || nanos <= -kNanosMost)
    return std::nullopt;
  return seconds * kMicros + nanos / 1000;
}

// Nothing for bytes that are not ours.
std::optional<Extras> read_extras(std::string_view bytes) {
  Extras out;
  protobuf::Reader field(bytes);
  while (field.next()) {
    const auto number = static_cast<std::int64_t>(field.varint());
    switch (field.field()) {
      case 1:
        out.shape = number != 0 ? state::Shape::json : state::Shape::bytes;
        break;
      case 2:
        out.modified = WallTime{number};
        break;
      case 3:
        out.modified_by = field.bytes();
        break;
      case 4:
        out.content_type = field.bytes();
        break;
      case 5:
        out.tags = field.bytes();
        break;
      case 6:
        out.indexes = field.bytes();
        break;
      case 7:
        out.expires = WallTime{number};
        break;
      default:
        break;
    }
  }
  return field.ok() ? std::optional(out) : std::nullopt;
}

}  // namespace

Keys::Keys(std::string_view prefix, std::string_view key)
    : record(fmt::format("{}/{}", prefix, key)),
      created(fmt::format("{}{}{}{}", prefix, kCompanions, key, kCreated)),
      modified(fmt::format("{}{}{}{}", prefix, kCompanions, key, kModified)) {}

void append_making(std::string& out, const Making& making) {
  protobuf::Writer to(out);
  to.number(1, making.created.us);
  to.bytes(2, making.created_by);
}

void append_extras(std::string& out, const Extras& extras) {
  protobuf::Writer to(out);
  to.number(1, extras.shape == state::Shape::json);
  to.number(2, extras.modified.us);
  to.bytes(3, extras.modified_by);
  to.bytes(4, extras.content_type);
  to.bytes(5, extras.tags);
  to.bytes(6, extras.indexes);
  if (extras.expires) to.number(7, extras.expires->us);
}

void append_message(std::string& out, const Message& message) {
  protobuf::Writer to(out);
  to.bytes(1, message.value);
  to.message(2, [&](auto& time) { write_time(time, message.written.us); });
  if (message.expires) to.message(3, [&](auto& time) { write_time(time, message.expires->us - message.written.us); });
  to.bytes(kOurs, message.extras);
}

std::optional<Message> read_message(std::string_view bytes) {
  Message out;
  std::int64_t ttl = 0;
  protobuf::Reader field(bytes);
  while (field.next()) {
    if (field.field() == 1 || field.field() == kOurs) {
      if (!field.is_bytes()) return std::nullopt;
      (field.field() == 1 ? out.value : out.extras) = field.bytes();
    } else if (field.field() == 2 || field.field() == 3) {
      const auto time = field.is_bytes() ? read_time(field.bytes()) : std::nullopt;
      if (!time) return std::nullopt;
      (field.field() == 2 ? out.written.us : ttl) = *time;
    }
  }
  if (!field.ok()) return std::nullopt;
  // Dapr writes a time to live of zero where there is none, and then reports that it expired when it was written.
  if (ttl != 0) out.expires = WallTime{out.written.us + ttl};
  return out;
}

Found found_in(const Keys& keys, const std::vector<KeyValue>& kvs) {
  Found found;
  for (const KeyValue& kv : kvs) {
    if (kv.key == keys.record) found.record = &kv;
    if (kv.key == keys.created) found.created = &kv;
    if (kv.key == keys.modified) found.modified = &kv;
  }
  return found;
}

Result<Stored> read_stored(const Found& found, Layout layout) {
  Stored out;
  const KeyValue& record = *found.record;
  out.revision = record.modified;
  out.lease = record.lease;
  out.value = record.value;
  out.making = read_making(found);
  std::optional<Extras> extras;
  if (layout == Layout::v2) {
    const auto message = read_message(record.value);
    if (!message)
      return fail(Errc::internal,
                  "the value is not one of version v2 of state.etcd; is it of v1, or of something else?");
    out.value = message->value;
    out.expires = message->expires;
    if (!message->extras.empty()) extras = read_extras(message->extras);
  } else if (found.modified != nullptr && found.modified->modified == record.modified) {
    extras = read_extras(found.modified->value);
    if (extras) out.expires = extras->expires;
  }
  out.has_extras = extras.has_value();
  if (extras) out.extras = *extras;
  return out;
}

std::optional<Making> read_making(const Found& found) {
  if (found.record == nullptr || found.created == nullptr || found.created->modified < found.record->created)
    return std::nullopt;
  Making out;
  protobuf::Reader field(found.created->value);
  while (field.next()) {
    if (field.field() == 1) out.created = WallTime{static_cast<std::int64_t>(field.varint())};
    if (field.field() == 2) out.created_by = field.bytes();
  }
  return field.ok() ? std::optional(out) : std::nullopt;
}

state::RecordFields fields_of(const Extras& extras, const std::optional<Making>& making) {
  state::RecordFields fields;
  fields.modified = extras.modified;
  fields.modified_by = extras.modified_by;
  // Where Dapr has made it, what we know of it begins with our last write.
  fields.created = making ? making->created : extras.modified;
  fields.created_by = making ? making->created_by : extras.modified_by;
  fields.content_type = extras.content_type;
  fields.tags = state::decode_pairs(extras.tags);
  fields.indexes = state::decode_pairs(extras.indexes);
  return fields;
}

state::Record record_of(const Stored& stored, bool want_value, bool want_fields) {
  state::Record record;
  if (want_value) record.value = stored.value;
  record.shape = stored.extras.shape;
  record.etag = etag_of(stored.revision);
  record.expires_at = stored.expires;
  if (want_fields && stored.has_extras) record.fields = fields_of(stored.extras, stored.making);
  return record;
}

std::string etag_of(std::int64_t revision) { return std::to_string(revision); }

std::optional<std::int64_t> revision_of(std::string_view etag) {
  std::int64_t revision = 0;
  // As it is written, so that no two texts are one etag.
  if (!read_number(etag, revision) || revision <= 0 || etag_of(revision) != etag) return std::nullopt;
  return revision;
}

}  // namespace holdfast::stores::etcd
