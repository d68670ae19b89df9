#include "conformance/remote/http_store.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "conformance/remote/http_forms.h"
#include "conformance/remote/reach.h"

namespace holdfast::conformance {

using namespace state;

namespace {

constexpr std::string_view kRecordType = "application/vnd.holdfast.record+json";
constexpr std::string_view kMark = "\"bytes in JSON: ";  // as it begins in JSON text

std::string wrapped(std::string_view bytes) { return std::string(kMark) + base64_encode(bytes) + "\""; }

// Takes the wrapping off a record that was written by one of Dapr's calls.
void unwrap(Record& record) {
  if (!record.value.starts_with(kMark)) return;
  const std::string_view inside = std::string_view(record.value).substr(kMark.size());
  auto bytes = base64_decode(inside.substr(0, inside.size() - 1));
  if (!bytes) return;
  record.value = std::move(*bytes);
  record.shape = Shape::bytes;
}

void add_conditions(HttpRequest& request, const Precondition& when) {
  switch (when.kind) {
    case Precondition::Kind::any:
      return;
    case Precondition::Kind::absent:
      request.headers.emplace_back("If-None-Match", "*");
      return;
    case Precondition::Kind::present:
      request.headers.emplace_back("If-Match", "*");
      return;
    case Precondition::Kind::one_of:
      break;
  }
  std::string tags;
  for (const std::string_view etag : when.etags) tags += (tags.empty() ? "" : ", ") + tag_of(etag);
  request.headers.emplace_back("If-Match", tags);
}

// Of Dapr's routes.
std::unexpected<Error> dapr_error_of(const HttpAnswer& answer) {
  Errc code = Errc::internal;
  if (answer.status == 400) code = Errc::invalid_argument;
  if (answer.status == 503) code = Errc::overloaded;
  if (answer.body.contains("ERR_STATE_STORE_NOT_SUPPORTED")) code = Errc::unsupported;
  return fail(code_of_text(answer.body, code), fmt::format("status {}: {}", answer.status, answer.body));
}

// "key":..., and for writes value, etag, options and metadata, as Dapr's bodies have them.
std::string item_of(const SetRequest& request) {
  std::string item = fmt::format(R"("key":{},"value":{})", json_text(request.key),
                                 request.shape == Shape::json ? std::string(request.value) : wrapped(request.value));
  Pairs metadata;
  if (request.ttl) metadata.emplace_back("ttlInSeconds", std::to_string(whole_seconds(*request.ttl)));
  if (!request.created_by.empty()) metadata.emplace_back("createdBy", request.created_by);
  if (!request.modified_by.empty()) metadata.emplace_back("modifiedBy", request.modified_by);
  if (metadata.empty()) return item;
  item += R"(,"metadata":{)";
  for (const auto& [name, value] : metadata)
    item += std::string(item.ends_with('{') ? "" : ",") + json_text(name) + ":" + json_text(value);
  return item + "}";
}

std::string conditions_of(const Precondition& when) {
  if (when.kind == Precondition::Kind::absent) return R"(,"options":{"concurrency":"first-write"})";
  if (when.kind == Precondition::Kind::one_of) return R"(,"etag":)" + json_text(when.etags[0]);
  return {};
}

// Empty when Dapr's transactions cannot say it.
std::string operation_of(const Operation& operation) {
  if (const auto* set = std::get_if<SetRequest>(&operation); set != nullptr && is_plain(*set))
    return fmt::format(R"({{"operation":"upsert","request":{{{}{}}}}})", item_of(*set), conditions_of(set->when));
  if (const auto* drop = std::get_if<DeleteRequest>(&operation); drop != nullptr && is_plain(drop->when))
    return fmt::format(R"({{"operation":"delete","request":{{"key":{}{}}}}})", json_text(drop->key),
                       conditions_of(drop->when));
  return {};
}

Pairs pairs_of(json::Object from, std::string_view name) {
  Pairs pairs;
  json::Object members;
  if (from[name].get(members) == simdjson::SUCCESS)
    for (const auto [name, value] : members) pairs.emplace_back(name, value.get_string().value());
  return pairs;
}

RecordFields fields_of(json::Object from) {
  RecordFields fields;
  fields.created = parse_time(text_of(from, "created")).value_or(WallTime{});
  fields.created_by = text_of(from, "createdBy");
  fields.modified = parse_time(text_of(from, "modified")).value_or(WallTime{});
  fields.modified_by = text_of(from, "modifiedBy");
  fields.content_type = text_of(from, "contentType");
  if (fields.content_type == kBytesType) fields.content_type.clear();
  fields.tags = pairs_of(from, "tags");
  fields.indexes = pairs_of(from, "indexes");
  return fields;
}

}  // namespace

// Slashes stand as they are, as a person would type them.
std::string RemoteHttpStore::target_of(std::string_view key) const {
  std::string target = "/v2/state/" + percent_encode(store_);
  while (true) {
    const std::size_t slash = key.find('/');
    target += '/' + percent_encode(key.substr(0, slash));
    if (slash == std::string_view::npos) return target;
    key.remove_prefix(slash + 1);
  }
}

std::string RemoteHttpStore::v1_target(std::string_view verb) const {
  return "/v1.0/state/" + percent_encode(store_) + std::string(verb);
}

Result<ListedRecord> listed_record_of(json::Object from, bool has_fields) {
  ListedRecord item;
  item.key = text_of(from, "key");
  item.record.etag = etag_of(text_of(from, "etag"));
  if (has_fields) item.record.fields = fields_of(from);
  item.record.expires_at = parse_time(text_of(from, "expires"));
  if (json::Element value; from["value"].get(value) == simdjson::SUCCESS) {
    item.record.shape = Shape::json;
    json::append_go(item.record.value, value);
  } else {
    auto bytes = base64_decode(text_of(from, "valueBase64"));
    if (!bytes) return fail(Errc::internal, "a record document without a value");
    item.record.value = std::move(*bytes);
  }
  unwrap(item.record);
  return item;
}

Result<Record> RemoteHttpStore::record_of(const HttpAnswer& answer, const GetRequest& request) {
  Record record;
  if (request.want_value && request.want_fields) {
    const auto document = parser_.parse(answer.body);
    if (!document || !document->is_object()) return fail(Errc::internal, "the record is not JSON");
    auto item = read_record(document->get_object().value());
    if (!item) return fail(item.error());
    record = std::move(item->record);
  } else {
    record.value = answer.body;
    record.shape = answer.header("content-type") == kJsonType ? Shape::json : Shape::bytes;
    unwrap(record);
  }
  record.etag = etag_of(answer.header("etag"));
  record.expires_at = parse_time(answer.header("holdfast-expires"));
  return record;
}

Task<Result<std::optional<Record>>> RemoteHttpStore::get(CallContext context, GetRequest request) {
  HttpRequest ask{request.want_value ? "GET" : "HEAD", target_of(request.key), {}, {}};
  add_level(ask.target, context.consistency);
  if (request.want_fields) ask.headers.emplace_back("Accept", kRecordType);
  const auto answer = client_->send(ask);
  if (!answer) co_return fail(answer.error());
  if (answer->status == 404) co_return std::nullopt;
  if (answer->status != 200) co_return problem_of(*answer);
  auto record = record_of(*answer, request);
  if (!record) co_return fail(record.error());
  co_return std::move(*record);
}

Task<Result<Written>> RemoteHttpStore::set(CallContext context, SetRequest request) {
  HttpRequest ask{"PUT", target_of(request.key), {}, std::string(request.value)};
  add_level(ask.target, context.consistency);
  if (request.ttl) add_parameter(ask.target, "ttl", std::to_string(whole_seconds(*request.ttl)));
  for (const auto& [name, value] : request.tags) add_parameter(ask.target, "tag." + name, value);
  for (const auto& [name, value] : request.indexes) add_parameter(ask.target, "index." + name, value);
  if (!request.created_by.empty()) add_parameter(ask.target, "createdBy", request.created_by);
  if (!request.modified_by.empty()) add_parameter(ask.target, "modifiedBy", request.modified_by);
  if (request.shape == Shape::json) {
    ask.headers.emplace_back("Content-Type", kJsonType);
  } else if (!request.content_type.empty()) {
    ask.headers.emplace_back("Content-Type", request.content_type);
    ask.headers.emplace_back("Holdfast-Shape", "bytes");
  }
  if (request.want_record) ask.headers.emplace_back("Prefer", "return=representation");
  add_conditions(ask, request.when);
  const auto answer = client_->send(ask);
  if (!answer) co_return fail(answer.error());
  if (answer->status != 200 && answer->status != 201) co_return problem_of(*answer);
  Written written;
  written.etag = etag_of(answer->header("etag"));
  if (can_.reports_created) written.created = answer->status == 201;
  if (!request.want_record) co_return written;
  const auto document = parser_.parse(answer->body);
  if (!document || !document->is_object()) co_return fail(Errc::internal, "the record is not JSON");
  auto item = read_record(document->get_object().value());
  if (!item) co_return fail(item.error());
  written.fields = std::move(item->record.fields);
  co_return written;
}

Task<Result<Deleted>> RemoteHttpStore::erase(CallContext context, DeleteRequest request) {
  HttpRequest ask{"DELETE", target_of(request.key), {}, {}};
  add_level(ask.target, context.consistency);
  add_conditions(ask, request.when);
  const auto answer = client_->send(ask);
  if (!answer) co_return fail(answer.error());
  if (answer->status != 204 && answer->status != 404) co_return problem_of(*answer);
  Deleted deleted;
  if (can_.reports_created) deleted.existed = answer->status == 204;
  co_return deleted;
}

Result<std::vector<Result<std::optional<Record>>>> RemoteHttpStore::bulk_get(std::span<const GetRequest> requests) {
  std::string body = R"({"keys":[)";
  for (const GetRequest& request : requests)
    body += std::string(body.ends_with('[') ? "" : ",") + json_text(request.key);
  body += "]}";
  const auto answer = client_->send({"POST", v1_target("/bulk"), {}, std::move(body)});
  if (!answer) return fail(answer.error());
  if (answer->status != 200) return dapr_error_of(*answer);
  const auto document = parser_.parse(answer->body);
  if (!document || !document->is_array()) return fail(Errc::internal, "the bulk answer is not an array");
  std::vector<Result<std::optional<Record>>> records;
  for (const json::Element element : document->get_array().value()) {
    const json::Object item = element.get_object().value();
    if (records.size() == requests.size() || text_of(item, "key") != requests[records.size()].key)
      return fail(Errc::internal, "the bulk answer is not in the order of its keys");
    Result<std::optional<Record>>& record = records.emplace_back();
    if (item["error"].error() == simdjson::SUCCESS) record = fail(Errc::internal, text_of(item, "error"));
    Record found;
    found.etag = text_of(item, "etag");
    if (!record || found.etag.empty()) continue;
    found.shape = Shape::json;
    if (json::Element data; item["data"].get(data) == simdjson::SUCCESS) json::append_go(found.value, data);
    json::Object metadata;
    if (item["metadata"].get(metadata) == simdjson::SUCCESS)
      found.expires_at = parse_time(text_of(metadata, "ttlExpireTime"));
    unwrap(found);
    record = std::move(found);
  }
  if (records.size() != requests.size()) return fail(Errc::internal, "the bulk answer has another number of items");
  return records;
}

Task<std::vector<Result<std::optional<Record>>>> RemoteHttpStore::get_many(CallContext context,
                                                                           std::span<const GetRequest> requests) {
  for (const GetRequest& request : requests)
    if (request.want_fields || !request.want_value) co_return co_await StateStore::get_many(context, requests);
  co_return co_await read_alone_what_failed(*this, context, requests, bulk_get(requests));
}

Task<std::vector<Result<Written>>> RemoteHttpStore::set_many(CallContext context,
                                                             std::span<const SetRequest> requests) {
  // A save answers for all its items at once, and without etags: conditions are for single writes.
  for (const SetRequest& request : requests)
    if (!is_plain(request) || request.when.kind != Precondition::Kind::any)
      co_return co_await StateStore::set_many(context, requests);
  std::string body = "[";
  for (const SetRequest& request : requests) body += (body.size() > 1 ? ",{" : "{") + item_of(request) + "}";
  body += "]";
  const auto answer = client_->send({"POST", v1_target(""), {}, std::move(body)});
  std::vector<GetRequest> reads;
  for (const SetRequest& request : requests) reads.push_back({.key = request.key});
  if (!answer) co_return all_failed<Written>(requests.size(), answer.error());
  if (answer->status != 204) co_return all_failed<Written>(requests.size(), dapr_error_of(*answer).error());
  co_return written_as(co_await read_alone_what_failed(*this, context, reads, bulk_get(reads)));
}

Task<Result<std::vector<Written>>> RemoteHttpStore::transact(CallContext, std::span<const Operation> operations) {
  std::string body = R"({"operations":[)";
  for (const Operation& operation : operations) {
    const std::string text = operation_of(operation);
    if (text.empty()) co_return fail(Errc::unsupported, "Dapr's transactions cannot say one of the operations");
    body += (body.ends_with('[') ? "" : ",") + text;
  }
  body += "]}";
  const auto answer = client_->send({"POST", v1_target("/transaction"), {}, std::move(body)});
  if (!answer) co_return fail(answer.error());
  if (answer->status != 204) co_return dapr_error_of(*answer);
  co_return std::vector<Written>(operations.size());
}

Task<Result<ListPage>> RemoteHttpStore::list(CallContext context, ListRequest request) {
  return list(context, request, HttpRequest{"GET", "/v2/state/" + percent_encode(store_), {}, {}});
}

Task<Result<ListPage>> RemoteHttpStore::find(CallContext context, FindRequest request) {
  HttpRequest ask{"GET", "/v2/state/" + percent_encode(store_), {}, {}};
  add_parameter(ask.target, "index." + std::string(request.name), request.value);
  return list(context, request.of, std::move(ask));
}

Task<Result<ListPage>> RemoteHttpStore::list(CallContext context, ListRequest request, HttpRequest ask) {
  add_parameter(ask.target, "prefix", request.prefix);
  add_parameter(ask.target, "limit", std::to_string(request.limit));
  if (!request.cursor.empty()) add_parameter(ask.target, "cursor", request.cursor);
  if (request.want_values || request.want_fields) add_parameter(ask.target, "values", "true");
  add_level(ask.target, context.consistency);
  const auto answer = client_->send(ask);
  if (!answer) co_return fail(answer.error());
  if (answer->status != 200) co_return problem_of(*answer);
  const auto document = parser_.parse(answer->body);
  if (!document || !document->is_object()) co_return fail(Errc::internal, "the listing is not an object");
  ListPage page;
  page.cursor = text_of(document->get_object().value(), "cursor");
  for (const json::Element element : (*document)["items"].get_array().value()) {
    const json::Object item = element.get_object().value();
    if (request.want_values || request.want_fields) {
      auto record = read_record(item);
      if (!record) co_return fail(record.error());
      page.items.push_back(std::move(*record));
      continue;
    }
    ListedRecord& brief = page.items.emplace_back();
    brief.key = text_of(item, "key");
    brief.record.etag = etag_of(text_of(item, "etag"));
  }
  co_return page;
}

Task<Status> RemoteHttpStore::ping(CallContext) {
  const auto answer = client_->send({"GET", "/v2/health", {}, {}});
  if (!answer) co_return fail(answer.error());
  if (answer->status != 200) co_return fail(Errc::unavailable, answer->body);
  co_return Status();
}

Task<Status> RemoteHttpStore::close(CallContext) {
  client_.reset();
  co_return Status();
}

}  // namespace holdfast::conformance
