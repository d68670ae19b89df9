// What calls answer, and the values they take. Plain values: copy them, and pass them between threads, as you like.
#pragma once

#include <chrono>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "holdfast/errors.h"

namespace holdfast {

// How long a record lives. 0: for ever.
using Ttl = std::chrono::milliseconds;
using Time = std::chrono::system_clock::time_point;
using Tags = std::map<std::string, std::string>;
using Indexes = std::map<std::string, std::string>;

// Whose write stands when two change one record: conditions by the names of the advanced state options.
enum class ConcurrencyMode {
  last_write,   // nothing is compared; an etag that is passed all the same is ignored
  first_write,  // the etag has to be that of the record; without an etag there must be no record
};

// How fresh what is read has to be, strongest first. A store serves a level as itself or a stronger one.
enum class ConsistencyLevel { strong = 1, quorum, bounded_staleness, session, consistent_prefix, eventual };

// As the API spells it: "bounded-staleness".
std::string_view name_of(ConsistencyLevel level);
// "caboa" is quorum. Nothing for a name that this version does not know.
std::optional<ConsistencyLevel> level_named(std::string_view name);

// A number for an increment, kept as JSON text. Integers within 64 bits are exact.
class Number {
 public:
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  Number(T number) : text_(std::to_string(number)) {}
  // std::invalid_argument for what JSON has no word for: infinities, NaN.
  Number(double number);
  // A number as JSON spells it, which the sidecar checks.
  static Number decimal(std::string text);

  const std::string& text() const { return text_; }

 private:
  Number() = default;
  std::string text_;
};

// JSON, as text: what your JSON library prints.
struct Json {
  std::string text;
};

// A value to write. Text is sent as it is (text/plain), and so are bytes (application/octet-stream); numbers and truth
// values become JSON (application/json, which queries can look into), and Json is JSON already.
class Value {
 public:
  Value(const char* text) : Value(std::string(text)) {}
  Value(std::string_view text) : Value(std::string(text)) {}
  Value(std::string text) : data_(std::move(text)), kind_(Kind::text) {}
  Value(std::span<const std::byte> bytes) : data_(as_text(bytes)), kind_(Kind::bytes) {}
  Value(const std::vector<std::byte>& bytes) : Value(std::span<const std::byte>(bytes)) {}
  Value(Json json) : data_(std::move(json.text)), kind_(Kind::json) {}
  Value(Number number) : data_(number.text()), kind_(Kind::json) {}
  template <class T>
    requires(std::integral<T> && !std::same_as<T, bool>) || std::floating_point<T>
  Value(T number) : Value(Number(number)) {}
  template <std::same_as<bool> T>
  Value(T is_true) : data_(is_true ? "true" : "false"), kind_(Kind::json) {}
  // Bytes that are held in a string.
  static Value bytes(std::string data) {
    Value value{std::move(data)};
    value.kind_ = Kind::bytes;
    return value;
  }

  enum class Kind { bytes, text, json };
  Kind kind() const { return kind_; }
  const std::string& data() const { return data_; }
  std::string&& take() && { return std::move(data_); }

 private:
  static std::string as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::string data_;
  Kind kind_;
};

// The etags of which a record has to have one; none: whatever it has will do.
class Etags {
 public:
  Etags() = default;
  Etags(std::string etag) : values_(std::vector<std::string>{std::move(etag)}) {}
  Etags(const char* etag) : Etags(std::string(etag)) {}
  Etags(std::vector<std::string> etags) : values_(std::move(etags)) {}
  Etags(std::initializer_list<std::string> etags) : values_(std::in_place, etags) {}

  bool is_given() const { return values_.has_value(); }
  std::span<const std::string> values() const {
    return values_ ? std::span<const std::string>(*values_) : std::span<const std::string>();
  }

 private:
  std::optional<std::vector<std::string>> values_;
};

// Ways to read a value's bytes, which may be text.
struct ValueRead {
  std::string value = {};

  // The value as a JSON integer, or any JSON number; std::invalid_argument if it is none.
  std::int64_t integer() const;
  double number() const;
};

// A record as it is in its store. What the store does not know is empty.
struct Record : ValueRead {
  std::string key = {};
  std::string etag = {};  // as in HTTP's ETag header, quotes included
  std::string store = {};
  std::string content_type = {};
  std::optional<Time> created = {};
  std::string created_by = {};
  std::optional<Time> modified = {};
  std::string modified_by = {};
  std::optional<Time> expires = {};  // none: never
  Tags tags = {};
  Indexes indexes = {};
  std::string id = {};  // the key, below its isolation key if it has one
  std::optional<std::string> isolation_key = {};
  std::optional<ConsistencyLevel> consistency = {};  // that it was read at; none: the sidecar does not tell

  // What is left of its life, by this machine's clock; none: for ever.
  std::optional<Ttl> ttl() const;
};

// A record was written.
struct Written {
  std::string key = {};
  std::string etag = {};
  std::optional<bool> created = {};   // whether there was none before; none: the store does not say
  std::optional<Record> record = {};  // with want_record
  std::optional<ConsistencyLevel> consistency = {};
};

// A record was changed in place; `value` is what it became.
struct Patched : Written, ValueRead {};

// No record is there any more.
struct Deleted {
  std::string key = {};
  std::optional<bool> existed = {};  // whether there was one; none: the store does not say
  std::optional<ConsistencyLevel> consistency = {};
};

// A part of a listing. It may be short, or empty, and not the last: that is the one without a cursor.
struct Page {
  std::vector<Record> items = {};
  std::optional<std::string> cursor = {};  // for the next page
  std::optional<ConsistencyLevel> consistency = {};

  auto begin() const { return items.begin(); }
  auto end() const { return items.end(); }
};

// How many records were deleted, and whether the limit was reached before the end.
struct DeletedPrefix {
  std::uint64_t deleted = 0;
  bool more = false;
};

// What a batch read for one key: a record, an error, or neither where there is no record.
struct Got {
  std::string key = {};
  std::optional<Record> record = {};
  std::shared_ptr<const Error> error = {};
};

// What became of one operation of a batch or transaction. Of a batch each may have an error of its own.
struct Result {
  std::string key = {};
  std::string etag = {};  // of a put
  std::optional<bool> created = {};
  std::optional<bool> existed = {};
  std::optional<Record> record = {};
  std::shared_ptr<const Error> error = {};
};

enum class EventKind {
  ready,  // first: the watch is in place. Who lists now and goes on with the events misses nothing
  put,
  deleted,
  expired,
  resync,  // events may be missing from before this point: list again, then go on
};

// What happened to a key.
struct WatchEvent {
  EventKind kind = EventKind::ready;
  std::string key = {};               // of a put, a deletion, an expiry
  std::optional<Record> record = {};  // of a put: key and etag; the rest with `values`
  std::string resume = {};            // WatchOptions::resume continues after this event; empty: this store cannot
};

}  // namespace holdfast
