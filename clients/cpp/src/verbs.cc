#include "verbs.h"

#include <algorithm>
#include <stdexcept>
#include <type_traits>

namespace holdfast::detail {

namespace {

// Kinds of values.
constexpr std::string_view kTextType = "text/plain; charset=utf-8";
constexpr std::string_view kJsonType = "application/json";

bool is_json(std::string_view content_type) {
  std::string kind(content_type.substr(0, content_type.find(';')));
  while (kind.ends_with(' ')) kind.pop_back();
  std::ranges::transform(kind, kind.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return kind == kJsonType || kind.ends_with("+json");
}

std::string content_type_of(const Value& value, const std::string& given) {
  if (value.kind() == Value::Kind::json && !given.empty() && !is_json(given))
    throw std::invalid_argument("a JSON value is sent as JSON; as " + given + " pass bytes or text");
  if (!given.empty()) return given;
  switch (value.kind()) {
    case Value::Kind::bytes:
      return {};
    case Value::Kind::text:
      return std::string(kTextType);
    case Value::Kind::json:
      return std::string(kJsonType);
  }
  return {};
}

std::int64_t milliseconds_of(Ttl ttl) {
  if (ttl < Ttl(0)) throw std::invalid_argument("a record cannot live for less than no time; 0 means for ever");
  return ttl.count();
}

pb::Consistency level_of(std::optional<ConsistencyLevel> level) {
  return level ? static_cast<pb::Consistency>(*level) : pb::CONSISTENCY_UNSPECIFIED;
}
static_assert(static_cast<int>(ConsistencyLevel::eventual) == pb::CONSISTENCY_EVENTUAL);

// Conditions.
struct Wanted {
  const Etags& etag;
  bool if_absent = false;
  bool if_present = false;
  std::optional<ConcurrencyMode> concurrency = {};
};

template <class Message>
void set_condition(Message& message, const Wanted& wanted) {
  const bool has_etag = wanted.etag.is_given() && wanted.concurrency != ConcurrencyMode::last_write;
  if (has_etag + wanted.if_absent + wanted.if_present > 1)
    throw std::invalid_argument("of etag, if_absent and if_present only one can be asked for");
  if (has_etag) {
    const auto etags = wanted.etag.values();
    if (etags.empty() || std::ranges::any_of(etags, &std::string::empty))
      throw std::invalid_argument("an empty etag is no etag: leave it out, or ask for if_absent");
    message.mutable_when()->mutable_etags()->mutable_values()->Assign(etags.begin(), etags.end());
  } else if (wanted.if_present) {
    message.mutable_when()->set_present(true);
  } else if (wanted.if_absent || wanted.concurrency == ConcurrencyMode::first_write) {
    message.mutable_when()->set_absent(true);
  }
}

template <class Message>
void set_deletion_condition(Message& message, const Wanted& wanted) {
  if (wanted.concurrency == ConcurrencyMode::first_write && !wanted.etag.is_given())
    throw std::invalid_argument("a deletion by first_write needs the etag that was read");
  set_condition(message, wanted);
}

// Whether the condition no longer holds once the write was applied.
template <class Message>
bool is_guard(const Message& message, bool is_put) {
  return message.when().has_etags() || (is_put && message.when().has_absent());
}

template <class Message>
Nature nature_of(const Message& message, bool is_put = true) {
  return is_guard(message, is_put) ? Nature::guarded : Nature::write;
}

// Answers.
Time time_of(const google::protobuf::Timestamp& stamp) {
  return Time(std::chrono::duration_cast<Time::duration>(std::chrono::seconds(stamp.seconds()) +
                                                         std::chrono::nanoseconds(stamp.nanos())));
}

Record record_of(pb::Record& message, std::optional<ConsistencyLevel> consistency) {
  Record record;
  record.value = std::move(*message.mutable_value());
  record.key = std::move(*message.mutable_key());
  record.etag = std::move(*message.mutable_etag());
  record.store = std::move(*message.mutable_store());
  record.content_type = std::move(*message.mutable_content_type());
  if (message.has_created()) record.created = time_of(message.created());
  record.created_by = message.created_by();
  if (message.has_modified()) record.modified = time_of(message.modified());
  record.modified_by = message.modified_by();
  if (message.has_expires()) record.expires = time_of(message.expires());
  record.tags = {message.tags().begin(), message.tags().end()};
  record.indexes = {message.indexes().begin(), message.indexes().end()};
  record.id = message.id();
  if (!message.isolation_key().empty()) record.isolation_key = message.isolation_key();
  record.consistency = consistency;
  return record;
}

template <class Message>
std::optional<Record> optional_record(Message& message, std::optional<ConsistencyLevel> consistency) {
  return message.has_record() ? std::optional(record_of(*message.mutable_record(), consistency)) : std::nullopt;
}

template <class Message>
std::optional<bool> created_of(const Message& message) {
  return message.has_created() ? std::optional(message.created()) : std::nullopt;
}

template <class Message>
std::optional<bool> existed_of(const Message& message) {
  return message.has_existed() ? std::optional(message.existed()) : std::nullopt;
}

template <class Items>
std::vector<Record> records_of(Items& items, std::optional<ConsistencyLevel> consistency) {
  std::vector<Record> records;
  records.reserve(static_cast<std::size_t>(items.size()));
  for (pb::Record& item : items) records.push_back(record_of(item, consistency));
  return records;
}

std::optional<std::string> optional_text(std::string text) {
  return text.empty() ? std::nullopt : std::optional(std::move(text));
}

ErrorPtr error_of(const pb::Failure& failure) {
  return error_of_item(failure.code(), failure.reason(), failure.message(), failure.current_etag());
}

Got got_of(pb::BatchGetResponse::Item& item, std::optional<ConsistencyLevel> consistency) {
  Got got{.key = item.key()};
  if (!item.has_failure()) {
    got.record = record_of(*item.mutable_record(), consistency);
  } else if (auto error = error_of(item.failure()); dynamic_cast<const NotFound*>(error.get()) == nullptr) {
    got.error = std::move(error);
  }
  return got;
}

Result result_of(pb::WriteResult& message, const Answered& told) {
  Result result{.key = message.key(),
                .etag = message.etag(),
                .created = created_of(message),
                .existed = existed_of(message),
                .record = optional_record(message, told.consistency)};
  if (!message.has_failure()) return result;
  result.error = error_of(message.failure());
  const bool may_be_ours = dynamic_cast<const PreconditionFailed*>(result.error.get()) != nullptr ||
                           dynamic_cast<const NotFound*>(result.error.get()) != nullptr;
  if (told.is_repeated && may_be_ours)
    result.error = outcome_unknown(result.error, "the write may have been applied by an earlier sending");
  return result;
}

template <class Items>
std::vector<Result> results_of(Items& items, const Answered& told) {
  std::vector<Result> results;
  results.reserve(static_cast<std::size_t>(items.size()));
  for (pb::WriteResult& item : items) results.push_back(result_of(item, told));
  return results;
}

// Operations.
void set_put(pb::WriteOperation& message, Put&& put) {
  message.set_key(std::move(put.key));
  set_condition(message, {put.etag, put.if_absent, put.if_present, put.concurrency});
  auto& what = *message.mutable_put();
  what.set_content_type(content_type_of(put.value, put.content_type));
  what.set_value(std::move(put.value).take());
  if (put.ttl) what.set_ttl_ms(milliseconds_of(*put.ttl));
  what.mutable_tags()->insert(put.tags.begin(), put.tags.end());
  what.mutable_indexes()->insert(put.indexes.begin(), put.indexes.end());
  what.set_created_by(std::move(put.created_by));
  what.set_modified_by(std::move(put.modified_by));
}

void set_delete(pb::WriteOperation& message, Delete&& what) {
  message.set_key(std::move(what.key));
  set_deletion_condition(message, {what.etag, false, what.if_present, what.concurrency});
  message.mutable_delete_();
}

void set_check(pb::WriteOperation& message, Check&& check) {
  message.set_key(std::move(check.key));
  set_condition(message, {check.etag, check.if_absent, check.if_present});
  if (!message.has_when()) throw std::invalid_argument("the check of " + message.key() + " has no condition");
  message.mutable_check();
}

// Of a std::variant of operations.
template <class Any>
void set_operation(pb::WriteOperation& message, Any operation) {
  std::visit(
      [&message](auto& one) {
        using Kind = std::remove_cvref_t<decltype(one)>;
        if constexpr (std::is_same_v<Kind, Put>)
          set_put(message, std::move(one));
        else if constexpr (std::is_same_v<Kind, Delete>)
          set_delete(message, std::move(one));
        else
          set_check(message, std::move(one));
      },
      operation);
}

// A check changes nothing, so its condition still holds after the transaction.
bool is_guarded(const pb::WriteOperation& operation) {
  return !operation.has_check() && is_guard(operation, operation.has_put());
}

// Changes in place. `Options` are PatchOptions or IncrementOptions.
template <class Options>
PatchCall patch(const std::string& store, std::string_view key, pb::PatchRequest request, const Options& options) {
  request.set_store(store);
  request.set_key(std::string(key));
  set_condition(request, {options.etag, options.if_absent, options.if_present});
  if (options.ttl) request.set_ttl_ms(milliseconds_of(*options.ttl));
  request.set_consistency(level_of(options.consistency));
  request.set_want_record(options.want_record);
  request.set_modified_by(options.modified_by);
  const Nature nature = nature_of(request);
  const auto read = [key = std::string(key)](pb::PatchResponse& answer, const Answered& told) {
    Patched patched;
    patched.key = key;
    patched.etag = answer.etag();
    patched.created = created_of(answer);
    patched.record = optional_record(answer, told.consistency);
    patched.consistency = told.consistency;
    patched.value = std::move(*answer.mutable_value());
    return patched;
  };
  return {{&Stub::Patch, &Stub::PrepareAsyncPatch}, std::move(request), nature, read, {}, options.timeout};
}

}  // namespace

PutCall put(const std::string& store, std::string_view key, Value value, const PutOptions& options) {
  pb::PutRequest request;
  request.set_store(store);
  request.set_key(std::string(key));
  request.set_content_type(content_type_of(value, options.content_type));
  request.set_value(std::move(value).take());
  set_condition(request, {options.etag, options.if_absent, options.if_present, options.concurrency});
  if (options.ttl) request.set_ttl_ms(milliseconds_of(*options.ttl));
  request.mutable_tags()->insert(options.tags.begin(), options.tags.end());
  request.mutable_indexes()->insert(options.indexes.begin(), options.indexes.end());
  request.set_consistency(level_of(options.consistency));
  request.set_want_record(options.want_record);
  request.set_created_by(options.created_by);
  request.set_modified_by(options.modified_by);
  const Nature nature = nature_of(request);
  const auto read = [key = std::string(key)](pb::PutResponse& answer, const Answered& told) {
    return Written{.key = key,
                   .etag = answer.etag(),
                   .created = created_of(answer),
                   .record = optional_record(answer, told.consistency),
                   .consistency = told.consistency};
  };
  return {{&Stub::Put, &Stub::PrepareAsyncPut}, std::move(request), nature, read, {}, options.timeout};
}

GetCall get(const std::string& store, std::string_view key, const GetOptions& options) {
  pb::GetRequest request;
  request.set_store(store);
  request.set_key(std::string(key));
  request.set_without_value(!options.values);
  request.set_consistency(level_of(options.consistency));
  const auto read = [](pb::Record& answer, const Answered& told) {
    return std::optional(record_of(answer, told.consistency));
  };
  const auto absent = [](const Error& error) {
    std::optional<std::optional<Record>> result;
    if (dynamic_cast<const NotFound*>(&error) != nullptr && error.message().ends_with(kNoRecord)) result.emplace();
    return result;
  };
  return {{&Stub::Get, &Stub::PrepareAsyncGet}, std::move(request), Nature::read, read, absent, options.timeout};
}

DeleteCall erase(const std::string& store, std::string_view key, const EraseOptions& options) {
  pb::DeleteRequest request;
  request.set_store(store);
  request.set_key(std::string(key));
  set_deletion_condition(request, {options.etag, false, options.if_present, options.concurrency});
  request.set_consistency(level_of(options.consistency));
  const Nature nature = nature_of(request, false);
  const auto read = [key = std::string(key)](pb::DeleteResponse& answer, const Answered& told) {
    return Deleted{.key = key, .existed = existed_of(answer), .consistency = told.consistency};
  };
  return {{&Stub::Delete, &Stub::PrepareAsyncDelete}, std::move(request), nature, read, {}, options.timeout};
}

PatchCall merge(const std::string& store, std::string_view key, Json change, const PatchOptions& options) {
  if (options.if_absent)
    throw std::invalid_argument("a merge changes a record that is there: if_absent is none of its conditions");
  pb::PatchRequest request;
  request.set_merge(std::move(change.text));
  return patch(store, key, std::move(request), options);
}

PatchCall increment(const std::string& store, std::string_view key, const Number& by, const IncrementOptions& options) {
  pb::PatchRequest request;
  pb::Increment& change = *request.mutable_increment();
  change.set_by(by.text());
  if (options.initial) change.set_initial(options.initial->text());
  if (options.min) change.set_min(options.min->text());
  if (options.max) change.set_max(options.max->text());
  return patch(store, key, std::move(request), options);
}

PatchCall append(const std::string& store, std::string_view key, std::string_view bytes, const PatchOptions& options) {
  pb::PatchRequest request;
  request.set_append(std::string(bytes));
  return patch(store, key, std::move(request), options);
}

PatchCall append_element(const std::string& store, std::string_view key, Json element, const PatchOptions& options) {
  pb::PatchRequest request;
  request.set_append_element(std::move(element.text));
  return patch(store, key, std::move(request), options);
}

ListCall list(const std::string& store, std::string_view prefix, const ListOptions& options) {
  pb::ListRequest request;
  request.set_store(store);
  request.set_prefix(std::string(prefix));
  request.set_limit(options.limit);
  if (options.cursor) request.set_cursor(*options.cursor);
  request.set_want_values(options.values);
  if (options.like) request.set_like(*options.like);
  request.mutable_tags()->insert(options.tags.begin(), options.tags.end());
  request.mutable_indexes()->insert(options.indexes.begin(), options.indexes.end());
  request.set_consistency(level_of(options.consistency));
  const auto read = [](pb::ListResponse& answer, const Answered& told) {
    return Page{records_of(*answer.mutable_items(), told.consistency), optional_text(answer.cursor()),
                told.consistency};
  };
  return {{&Stub::List, &Stub::PrepareAsyncList}, std::move(request), Nature::read, read, {}, options.timeout};
}

QueryCall query(const std::string& store, std::string_view query, const QueryOptions& options) {
  pb::QueryRequest request;
  request.set_store(store);
  request.set_query(std::string(query));
  request.set_limit(options.limit);
  if (options.cursor) request.set_token(*options.cursor);
  request.set_prefix(options.prefix);
  request.mutable_tags()->insert(options.tags.begin(), options.tags.end());
  request.mutable_indexes()->insert(options.indexes.begin(), options.indexes.end());
  request.mutable_fields()->Assign(options.fields.begin(), options.fields.end());
  request.set_scan(options.scan);
  request.set_consistency(level_of(options.consistency));
  const auto read = [](pb::QueryResponse& answer, const Answered& told) {
    return Page{records_of(*answer.mutable_items(), told.consistency), optional_text(answer.token()), told.consistency};
  };
  return {{&Stub::Query, &Stub::PrepareAsyncQuery}, std::move(request), Nature::read, read, {}, options.timeout};
}

DeletePrefixCall erase_prefix(const std::string& store, std::string_view prefix, const ErasePrefixOptions& options) {
  pb::DeletePrefixRequest request;
  request.set_store(store);
  request.set_prefix(std::string(prefix));
  request.set_all(options.all);
  request.set_limit(options.limit);
  request.set_consistency(level_of(options.consistency));
  const auto read = [](pb::DeletePrefixResponse& answer, const Answered&) {
    return DeletedPrefix{answer.deleted(), answer.more()};
  };
  return {{&Stub::DeletePrefix, &Stub::PrepareAsyncDeletePrefix},
          std::move(request),
          Nature::write,
          read,
          {},
          options.timeout};
}

BatchGetCall batch_get(const std::string& store, const std::vector<std::string>& keys, const GetOptions& options) {
  pb::BatchGetRequest request;
  request.set_store(store);
  request.mutable_keys()->Assign(keys.begin(), keys.end());
  request.set_without_values(!options.values);
  request.set_consistency(level_of(options.consistency));
  const auto read = [](pb::BatchGetResponse& answer, const Answered& told) {
    std::vector<Got> all;
    all.reserve(static_cast<std::size_t>(answer.items_size()));
    for (auto& item : *answer.mutable_items()) all.push_back(got_of(item, told.consistency));
    return all;
  };
  return {{&Stub::BatchGet, &Stub::PrepareAsyncBatchGet}, std::move(request), Nature::read, read, {}, options.timeout};
}

BatchWriteCall batch_write(const std::string& store, std::vector<Write> items, const BatchOptions& options) {
  pb::BatchWriteRequest request;
  request.set_store(store);
  for (Write& item : items) set_operation(*request.add_items(), std::move(item));
  request.set_consistency(level_of(options.consistency));
  request.set_want_records(options.want_records);
  const bool is_all_guarded = !items.empty() && std::ranges::all_of(request.items(), is_guarded);
  const auto read = [](pb::BatchWriteResponse& answer, const Answered& told) {
    return results_of(*answer.mutable_items(), told);
  };
  return {{&Stub::BatchWrite, &Stub::PrepareAsyncBatchWrite},
          std::move(request),
          is_all_guarded ? Nature::guarded : Nature::write,
          read,
          {},
          options.timeout};
}

TransactCall transact(const std::string& store, std::vector<Operation> operations, const BatchOptions& options) {
  pb::TransactRequest request;
  request.set_store(store);
  for (Operation& operation : operations) set_operation(*request.add_operations(), std::move(operation));
  request.set_consistency(level_of(options.consistency));
  request.set_want_records(options.want_records);
  const bool has_guard = std::ranges::any_of(request.operations(), is_guarded);
  const auto read = [](pb::TransactResponse& answer, const Answered& told) {
    return results_of(*answer.mutable_results(), told);
  };
  return {{&Stub::Transact, &Stub::PrepareAsyncTransact},
          std::move(request),
          has_guard ? Nature::guarded : Nature::write,
          read,
          {},
          options.timeout};
}

pb::WatchRequest watch(const std::string& store, const WatchOptions& options) {
  if (options.key && !options.prefix.empty())
    throw std::invalid_argument("a watch is of a prefix or of a key, not of both");
  pb::WatchRequest request;
  request.set_store(store);
  if (options.key)
    request.set_key(*options.key);
  else if (!options.prefix.empty())
    request.set_prefix(options.prefix);
  request.set_want_values(options.values);
  request.set_resume(options.resume);
  return request;
}

WatchEvent event_of(pb::WatchEvent& message, EventKind kind) {
  return {.kind = kind,
          .key = std::move(*message.mutable_key()),
          .record = optional_record(message, std::nullopt),
          .resume = message.resume()};
}

}  // namespace holdfast::detail
