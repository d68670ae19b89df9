#include "stores/redis/mapping.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <variant>

#include "base/encoding.h"
#include "base/number.h"
#include "stores/redis/document.h"
#include "stores/redis/entries.h"
#include "stores/redis/record_text.h"
#include "wire/json/json.h"
#include "wire/resp/command.h"

namespace holdfast::stores::redis {
namespace {

using resp::Kind;
using resp::Value;
using state::Precondition;

// Ten thousand years: PEXPIRE adds it to the time in milliseconds and must not overflow.
constexpr std::int64_t kTtlMaxMs = std::int64_t{10'000} * 366 * 86'400'000;

std::string_view name_of(Expiry expiry) { return expiry == Expiry::left ? "PTTL" : "PEXPIRETIME"; }

// What was being done, put into words only when it went wrong.
struct Doing {
  std::string_view what;
  std::string_view key;
  std::string text() const { return fmt::format("{} \"{}\"", what, key); }
};

// An error reply as our error; a reply of another kind than these as nonsense.
std::unexpected<Error> refused(const Place& place, std::string_view doing, Value reply) {
  return fail(reply.kind() == Kind::error ? describe(place, doing, reply.text()) : describe_nonsense(place, doing));
}
std::unexpected<Error> refused(const Place& place, const Doing& doing, Value reply) {
  return refused(place, std::string_view(doing.text()), reply);
}

// ---- Preconditions as arguments of a script

// Versions are decimal numbers, and Dapr reads "+7" and "007" as 7: so do we where we are as lax; else they are etags
// of no record. Nothing for what Dapr calls invalid.
std::optional<std::string> canonical_etag(std::string_view etag) {
  const bool is_negative = etag.starts_with('-');
  std::string_view digits = etag;
  if (is_negative || etag.starts_with('+')) digits.remove_prefix(1);
  std::uint64_t number = 0;
  if (!read_number(digits, number)) return std::nullopt;
  if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  return (is_negative && number > 0 ? "-" : "") + std::to_string(number);
}

struct Condition {
  When when = When::any;
  std::vector<std::string> etags;
};

Result<Condition> read_condition(const Precondition& when, bool lenient) {
  switch (when.kind) {
    case Precondition::Kind::any:
      return Condition{};
    case Precondition::Kind::absent:
      return Condition{When::absent, {}};
    case Precondition::Kind::present:
      return Condition{When::present, {}};
    case Precondition::Kind::one_of:
      break;
  }
  if (when.etags.size() > kEtagsMax)
    return fail(Errc::invalid_argument,
                fmt::format("a condition names {} etags; this store takes at most {}", when.etags.size(), kEtagsMax));
  Condition condition{lenient ? When::one_of_or_absent : When::one_of, {}};
  for (const std::string_view etag : when.etags) {
    auto canonical = canonical_etag(etag);
    if (!canonical) continue;  // it is no version of any record, as "8" is none of a record at 7
    // Dapr's script takes 0 for "no etag given".
    if (lenient && *canonical == "0") return Condition{};
    condition.etags.push_back(lenient ? std::move(*canonical) : std::string(etag));
  }
  if (condition.etags.empty())
    return fail(Errc::etag_invalid,
                "the etag is none of this store's, whose etags are decimal numbers. Read the record "
                "again and send the etag that comes with it");
  return condition;
}

void append_when(std::string& out, const Condition& condition, bool is_repeat) {
  const char when = letter(condition.when, is_repeat);
  resp::append_argument(out, std::string_view(&when, 1));
}

Error precondition_failed(std::string_view key, const Precondition& when, std::string_view current) {
  std::string_view why = "the record has another etag";
  if (when.kind == Precondition::Kind::absent)
    why = "there is a record already";
  else if (when.kind == Precondition::Kind::present || current.empty())
    why = "there is no such record";
  Error error(Errc::precondition_failed,
              fmt::format("nothing was changed: cannot write \"{}\": {}. Read it again and decide anew", key, why));
  error.current_etag = current;
  return error;
}

// ---- Writes as arguments of a script

struct WriteArguments {
  std::string ttl;  // milliseconds, 0 for none; "k": keep what the record has
  std::string tail;
  std::string created;
};

std::int64_t ttl_of(const state::SetRequest& request, const WriteContext& context) {
  const auto ttl = request.ttl ? request.ttl : context.default_ttl;
  return ttl && ttl->count() > 0 ? std::min<std::int64_t>(ttl->count(), kTtlMaxMs) : 0;
}

WriteArguments arguments_of(const state::SetRequest& request, const WriteContext& context) {
  const auto or_principal = [&](std::string_view by) { return by.empty() ? context.principal : by; };
  return {request.keep_expiry ? "k" : std::to_string(ttl_of(request, context)),
          make_tail({request.shape, context.now, or_principal(request.modified_by), request.content_type, request.tags,
                     request.indexes, context.write_id}),
          make_created(context.now, or_principal(request.created_by))};
}

// The sets of the entries that a request puts a record into.
std::vector<std::string> entry_keys_of(const state::SetRequest& request, const WriteContext& context) {
  std::vector<std::string> keys;
  if (!context.keeps_index) return keys;
  for (const auto& [name, value] : request.indexes) keys.push_back(entry_key(name, value));
  return keys;
}

// What goes into a document becomes part of its text: it has to be one whole value.
Status check_document(const state::SetRequest& request) {
  if (json::is_valid(request.value)) return {};
  return fail(Errc::invalid_argument, fmt::format("the value of \"{}\" is said to be JSON and is not", request.key));
}

// `left`: the milliseconds to live that a request for keeping them found.
state::Written written_of(const state::SetRequest& request, const WriteContext& context, std::string_view version,
                          bool created, std::string_view created_text, std::int64_t left) {
  state::Written written;
  written.etag = version;
  written.created = created;
  if (const std::int64_t ttl = request.keep_expiry ? std::min(left, kTtlMaxMs) : ttl_of(request, context); ttl > 0)
    written.expires_at = WallTime{context.now.us + ttl * 1000};
  if (request.want_record) written.fields = read_fields(created_text, arguments_of(request, context).tail);
  return written;
}

// What stands before the next blank, which is taken away with it.
std::string_view take_word(std::string_view& text) {
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(text.size(), word.size() + 1));
  return word;
}

// "version created left fields", the last of which may hold anything; nothing where it is not that.
std::optional<state::Written> read_written(const state::SetRequest& request, const WriteContext& context,
                                           std::string_view text) {
  const std::string_view version = take_word(text);
  const std::string_view created = take_word(text);
  std::int64_t left = 0;
  if (version.empty() || (created != "0" && created != "1") || !read_number(take_word(text), left)) return std::nullopt;
  return written_of(request, context, version, created == "1", text, left);
}

bool is_flag(Value value) { return value.kind() == Kind::integer && (value.integer() == 0 || value.integer() == 1); }

}  // namespace

// ---- Reading one record

namespace {

// The commands of a reading around the key, which stands in them twice.
struct ReadTexts {
  std::string front;
  std::string middle;
};

ReadTexts make_read_texts(bool want_value, bool want_fields, Expiry expiry) {
  ReadTexts made;
  resp::begin_command(made.front, 4 + (want_value ? 1 : 0) + (want_fields ? 1 : 0));
  resp::append_argument(made.front, "HMGET");
  resp::append_argument(made.middle, "version");
  resp::append_argument(made.middle, "hf:m");
  if (want_value) resp::append_argument(made.middle, "data");
  if (want_fields) resp::append_argument(made.middle, "hf:c");
  resp::begin_command(made.middle, 2);
  resp::append_argument(made.middle, name_of(expiry));
  return made;
}

const ReadTexts& read_texts(bool want_value, bool want_fields, Expiry expiry) {
  static const std::vector<ReadTexts> made = [] {
    std::vector<ReadTexts> all;
    for (int i = 0; i < 8; ++i)
      all.push_back(make_read_texts((i & 1) != 0, (i & 2) != 0, (i & 4) != 0 ? Expiry::at : Expiry::left));
    return all;
  }();
  return made[(want_value ? 1U : 0U) | (want_fields ? 2U : 0U) | (expiry == Expiry::at ? 4U : 0U)];
}

}  // namespace

void append_get(std::string& out, const state::GetRequest& request, Expiry expiry) {
  const ReadTexts& texts = read_texts(request.want_value, request.want_fields, expiry);
  out += texts.front;
  resp::append_argument(out, request.key);
  out += texts.middle;
  resp::append_argument(out, request.key);
}

namespace {

// -1: there is no expiry, -2: the key has gone since.
Result<bool> read_expiry(const Place& place, const Doing& doing, Value reply, Expiry expiry, WallTime now,
                         state::Record& record) {
  if (reply.kind() != Kind::integer) return refused(place, doing, reply);
  const std::int64_t ms = std::min(reply.integer(), kTtlMaxMs);
  if (ms >= 0) record.expires_at = WallTime{(expiry == Expiry::left ? now.us : 0) + ms * 1000};
  return ms != -2;
}

void read_hash_fields(const state::GetRequest& request, Value hash, state::Record& record) {
  const auto tail = believed_tail(hash[1].text(), record.etag);
  if (tail) {
    record.shape = shape_of(*tail);
    if (request.want_fields) record.fields = read_fields(hash[request.want_value ? 3 : 2].text(), *tail);
  } else if (request.want_fields && request.want_value && json::is_valid(record.value)) {
    record.shape = state::Shape::json;
  }
}

}  // namespace

Result<Got> read_get(const Place& place, const state::GetRequest& request, Value hash, Value expires, WallTime now,
                     Expiry expiry) {
  if (hash.kind() == Kind::error && trouble_of(hash.text()) == Trouble::wrong_type) return Got{{}, true};
  const std::size_t size = 2 + (request.want_value ? 1 : 0) + (request.want_fields ? 1 : 0);
  if (hash.kind() != Kind::array || hash.size() != size) return refused(place, Doing{"read", request.key}, hash);
  // No version, or an empty one: a hash that is no record of ours or Dapr's.
  if (hash[0].text().empty()) return Got{};
  state::Record record;
  record.etag = std::string(hash[0].text());
  if (request.want_value) {
    if (hash[2].is_null())
      return fail(describe(place, Doing{"read", request.key}.text(), "WRONGTYPE a hash with a version and no data"));
    record.value = std::string(hash[2].text());
  }
  read_hash_fields(request, hash, record);
  auto is_there = read_expiry(place, Doing{"read", request.key}, expires, expiry, now, record);
  if (!is_there) return fail(std::move(is_there.error()));
  return *is_there ? Got{std::move(record), false} : Got{};
}

void append_get_other(std::string& out, const state::GetRequest& request, Expiry expiry) {
  resp::append_command(out, {"TYPE", request.key});
  resp::append_command(out, {"GET", request.key});
  resp::append_command(out, {"JSON.GET", request.key, kDataPath, kVersionPath, kCreatedPath, kModifiedPath});
  resp::append_command(out, {name_of(expiry), request.key});
}

Result<std::optional<state::Record>> read_get_other(const Place& place, const state::GetRequest& request,
                                                    std::span<const Value> replies, WallTime now, Expiry expiry) {
  const Doing doing{"read", request.key};
  if (replies.size() != kGetOtherReplies) return fail(describe_nonsense(place, doing.text()));
  const Value type = replies[0], text = replies[1], json = replies[2];
  if (type.kind() != Kind::text) return refused(place, doing, type);
  std::optional<state::Record> record;
  if (type.text() == "string") {
    if (text.is_null()) return std::nullopt;
    if (text.kind() != Kind::text) return refused(place, doing, text);
    record.emplace();
    if (request.want_value) record->value = text.text();
  } else if (type.text() == "ReJSON-RL") {
    if (json.is_null()) return std::nullopt;
    if (json.kind() != Kind::text) return refused(place, doing, json);
    record = read_document(json.text(), request.want_value, request.want_fields);
  } else if (type.text() == "none" || type.text() == "hash") {
    return std::nullopt;  // deleted, or written anew, between the two trips
  }
  if (!record)
    return fail(describe(place, doing.text(), "WRONGTYPE no record: the key holds a " + std::string(type.text())));
  auto is_there = read_expiry(place, doing, replies[3], expiry, now, *record);
  if (!is_there) return fail(std::move(is_there.error()));
  return *is_there ? std::move(record) : std::nullopt;
}

// ---- Writing

bool is_document(const state::SetRequest& request, const WriteContext& context) {
  return context.server_has_json && request.shape == state::Shape::json &&
         iequals(trim(request.content_type.substr(0, request.content_type.find(';'))), "application/json");
}

Status append_set(std::string& out, const state::SetRequest& request, const WriteContext& context) {
  auto condition = read_condition(request.when, context.lenient);
  if (!condition) return fail(std::move(condition.error()));
  const bool as_document = is_document(request, context);
  if (as_document)
    if (Status status = check_document(request); !status) return status;
  const WriteArguments write = arguments_of(request, context);
  const std::vector<std::string> entries = entry_keys_of(request, context);
  const bool is_plain = condition->when == When::any && !context.is_repeat && write.ttl == "0";
  begin_script(out, as_document ? set_json_script() : set_hash_script(), context.sending, 1 + entries.size(),
               is_plain ? 4 : 6 + condition->etags.size());
  resp::append_argument(out, request.key);
  for (const std::string& entry : entries) resp::append_argument(out, entry);
  resp::append_argument(out, request.value);
  resp::append_argument(out, write.tail);
  resp::append_argument(out, write.created);
  resp::append_argument(out, context.now.us);
  if (is_plain) return {};
  append_when(out, *condition, context.is_repeat);
  resp::append_argument(out, write.ttl);
  for (const std::string& etag : condition->etags) resp::append_argument(out, etag);
  return {};
}

Result<state::Written> read_set(const Place& place, const state::SetRequest& request, const WriteContext& context,
                                Value reply) {
  const Doing doing{"save", request.key};
  if (reply.kind() == Kind::text) {
    if (auto written = read_written(request, context, reply.text())) return std::move(*written);
    return fail(describe_nonsense(place, doing.text()));
  }
  if (reply.kind() != Kind::array || reply[0].kind() != Kind::integer) {
    auto failed = refused(place, doing, reply);
    // What was sent first may stand, whatever the server has against the second.
    if (context.is_repeat) failed.error().code = Errc::outcome_unknown;
    return failed;
  }
  switch (reply[0].integer()) {
    case 0:
      return fail(precondition_failed(request.key, request.when, reply[1].text()));
    case 2:
      return fail(
          Errc::outcome_unknown,
          fmt::format("component \"{}\" (state.redis): cannot tell whether \"{}\" was saved: the connection to {} "
                      "was lost and the record has changed since. Read it before saving again.",
                      place.component, request.key, place.server));
    default:
      break;
  }
  return fail(describe_nonsense(place, doing.text()));
}

Status append_erase(std::string& out, const state::DeleteRequest& request, const WriteContext& context) {
  auto condition = read_condition(request.when, context.lenient);
  if (!condition) {
    // Dapr tells a deletion that its etag does not match where it tells a save that the etag is none.
    if (condition.error().code == Errc::etag_invalid) condition.error().code = Errc::precondition_failed;
    return fail(std::move(condition.error()));
  }
  if (condition->when == When::any) {
    resp::append_command(out, {"UNLINK", request.key});
    return {};
  }
  begin_script(out, erase_script(), context.sending, 1, 1 + condition->etags.size());
  resp::append_argument(out, request.key);
  append_when(out, *condition, false);
  for (const std::string& etag : condition->etags) resp::append_argument(out, etag);
  return {};
}

Result<state::Deleted> read_erase(const Place& place, const state::DeleteRequest& request, Value reply) {
  if (is_flag(reply)) return state::Deleted{reply.integer() == 1};
  const Doing doing{"delete", request.key};
  if (reply.kind() != Kind::array || reply.size() != 2 || !is_flag(reply[0])) return refused(place, doing, reply);
  if (reply[0].integer() == 0) return fail(precondition_failed(request.key, request.when, reply[1].text()));
  if (!is_flag(reply[1])) return fail(describe_nonsense(place, doing.text()));
  return state::Deleted{reply[1].integer() == 1};
}

// ---- Transactions

namespace {

std::string_view key_of(const state::Operation& operation) {
  return std::visit([](const auto& request) { return request.key; }, operation);
}
const Precondition& condition_of(const state::Operation& operation) {
  return std::visit([](const auto& request) -> const Precondition& { return request.when; }, operation);
}

// Keys by number, each once, in the order of their first use; then the sets of index entries, as often as they are
// used.
struct KeyTable {
  std::vector<std::string_view> keys;
  std::unordered_map<std::string_view, std::int64_t> numbers;  // from 1
  std::vector<std::vector<std::string>> entries;               // of each operation

  KeyTable(std::span<const state::Operation> operations, const WriteContext& context) {
    for (const state::Operation& operation : operations) {
      if (numbers.try_emplace(key_of(operation), static_cast<std::int64_t>(keys.size() + 1)).second)
        keys.push_back(key_of(operation));
      const auto* set = std::get_if<state::SetRequest>(&operation);
      entries.push_back(set != nullptr ? entry_keys_of(*set, context) : std::vector<std::string>());
    }
    for (const auto& of_one : entries) keys.insert(keys.end(), of_one.begin(), of_one.end());
  }
};

char kind_letter(const state::Operation& operation, const WriteContext& context) {
  if (const auto* set = std::get_if<state::SetRequest>(&operation)) return is_document(*set, context) ? 'j' : 'h';
  return std::holds_alternative<state::DeleteRequest>(operation) ? 'd' : 'c';
}

Result<std::vector<Condition>> read_conditions(std::span<const state::Operation> operations,
                                               const WriteContext& context) {
  std::vector<Condition> conditions;
  conditions.reserve(operations.size());
  for (std::size_t i = 0; i < operations.size(); ++i) {
    auto condition = read_condition(condition_of(operations[i]), context.lenient);
    Status status;
    if (!condition) status = fail(std::move(condition.error()));
    if (status && kind_letter(operations[i], context) == 'j')
      status = check_document(std::get<state::SetRequest>(operations[i]));
    if (!status) {
      status.error().operation = static_cast<int>(i);
      return fail(std::move(status.error()));
    }
    conditions.push_back(std::move(*condition));
  }
  return conditions;
}

void append_operation(std::string& out, const state::Operation& operation, const Condition& condition,
                      std::int64_t key_number, std::int64_t first_entry, std::size_t entries,
                      const WriteContext& context) {
  const char kind = kind_letter(operation, context);
  resp::append_argument(out, std::string_view(&kind, 1));
  resp::append_argument(out, key_number);
  append_when(out, condition, false);
  resp::append_argument(out, static_cast<std::int64_t>(condition.etags.size()));
  for (const std::string& etag : condition.etags) resp::append_argument(out, etag);
  const auto* set = std::get_if<state::SetRequest>(&operation);
  if (set == nullptr) return;
  const WriteArguments write = arguments_of(*set, context);
  resp::append_argument(out, set->value);
  resp::append_argument(out, write.ttl);
  resp::append_argument(out, write.tail);
  resp::append_argument(out, write.created);
  resp::append_argument(out, static_cast<std::int64_t>(entries));
  for (std::size_t i = 0; i < entries; ++i) resp::append_argument(out, first_entry + static_cast<std::int64_t>(i));
}

}  // namespace

Status append_transaction(std::string& out, std::span<const state::Operation> operations, const WriteContext& context) {
  if (operations.empty()) return fail(Errc::invalid_argument, "a transaction needs at least one operation");
  if (operations.size() > kTransactionOpsMax)
    return fail(Errc::invalid_argument, fmt::format("a transaction has {} operations; this store takes at most {}",
                                                    operations.size(), kTransactionOpsMax));
  auto conditions = read_conditions(operations, context);
  if (!conditions) return fail(std::move(conditions.error()));
  const KeyTable table(operations, context);
  std::size_t arguments = 0;
  for (std::size_t i = 0; i < operations.size(); ++i)
    arguments += 4 + (*conditions)[i].etags.size() +
                 (std::holds_alternative<state::SetRequest>(operations[i]) ? 5 + table.entries[i].size() : 0);
  begin_script(out, transaction_script(), context.sending, table.keys.size(), arguments);
  for (const std::string_view key : table.keys) resp::append_argument(out, key);
  auto entry = static_cast<std::int64_t>(table.numbers.size() + 1);
  for (std::size_t i = 0; i < operations.size(); ++i) {
    const std::size_t entries = table.entries[i].size();
    append_operation(out, operations[i], (*conditions)[i], table.numbers.at(key_of(operations[i])), entry, entries,
                     context);
    entry += static_cast<std::int64_t>(entries);
  }
  return {};
}

Result<std::vector<state::Written>> read_transaction(const Place& place, std::span<const state::Operation> operations,
                                                     const WriteContext& context, Value reply) {
  constexpr std::string_view kDoing = "apply a transaction";
  if (reply.kind() != Kind::array || !is_flag(reply[0])) return refused(place, kDoing, reply);
  if (reply[0].integer() == 0) {
    const std::int64_t at = reply[1].integer();
    if (at < 0 || static_cast<std::size_t>(at) >= operations.size()) return fail(describe_nonsense(place, kDoing));
    const state::Operation& operation = operations[static_cast<std::size_t>(at)];
    Error error = precondition_failed(key_of(operation), condition_of(operation), reply[2].text());
    error.operation = static_cast<int>(at);
    return fail(std::move(error));
  }
  if (reply.size() != 1 + 4 * operations.size()) return fail(describe_nonsense(place, kDoing));
  std::vector<state::Written> written;
  written.reserve(operations.size());
  auto at = reply.begin();
  for (const state::Operation& operation : operations) {
    const Value version = *++at, flag = *++at, created = *++at, left = *++at;
    if (const auto* set = std::get_if<state::SetRequest>(&operation))
      written.push_back(written_of(*set, context, version.text(), flag.integer() == 1, created.text(), left.integer()));
    else
      written.emplace_back();
  }
  return written;
}

Status check_one_slot(std::string_view component, std::span<const state::Operation> operations) {
  for (const state::Operation& operation : operations) {
    if (key_slot(key_of(operation)) == key_slot(key_of(operations.front()))) continue;
    return fail(
        Errc::invalid_argument,
        fmt::format("component \"{}\" (state.redis): the keys \"{}\" and \"{}\" of one transaction belong to "
                    "different hash slots of the cluster, which cannot change them together. Give them a common "
                    "part in braces, such as cart/{{42}}/items and cart/{{42}}/total. Nothing was changed.",
                    component, key_of(operations.front()), key_of(operation)));
  }
  return {};
}

}  // namespace holdfast::stores::redis
