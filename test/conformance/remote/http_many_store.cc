#include "conformance/remote/http_many_store.h"

#include <fmt/format.h>

#include "base/encoding.h"
#include "conformance/remote/http_forms.h"
#include "conformance/remote/http_watch.h"
#include "conformance/remote/reach.h"

namespace holdfast::conformance {

using namespace state;

namespace {

std::string pairs_text(PairsView pairs) {
  std::string out = "{";
  for (const auto& [name, value] : pairs) out += (out.size() > 1 ? "," : "") + json_text(name) + ":" + json_text(value);
  return out + "}";
}

std::string condition_text(const Precondition& when) {
  switch (when.kind) {
    case Precondition::Kind::any:
      return {};
    case Precondition::Kind::absent:
      return R"(,"ifNoneMatch":"*")";
    case Precondition::Kind::present:
      return R"(,"ifMatch":"*")";
    case Precondition::Kind::one_of:
      break;
  }
  std::string tags;
  for (const std::string_view etag : when.etags) tags += (tags.empty() ? "" : ",") + json_text(tag_of(etag));
  return when.etags.size() == 1 ? R"(,"ifMatch":)" + tags : R"(,"ifMatch":[)" + tags + "]";
}

std::string text_of(const SetRequest& request) {
  std::string out = R"({"op":"put","key":)" + json_text(request.key) + condition_text(request.when);
  if (request.shape == Shape::json) {
    out += R"(,"value":)" + std::string(request.value);
  } else {
    out += R"(,"valueBase64":)" + json_text(base64_encode(request.value));
    if (!request.content_type.empty()) out += R"(,"shape":"bytes","contentType":)" + json_text(request.content_type);
  }
  if (request.ttl) out += R"(,"ttl":)" + std::to_string(whole_seconds(*request.ttl));
  if (!request.tags.empty()) out += R"(,"tags":)" + pairs_text(request.tags);
  if (!request.indexes.empty()) out += R"(,"indexes":)" + pairs_text(request.indexes);
  if (!request.created_by.empty()) out += R"(,"createdBy":)" + json_text(request.created_by);
  if (!request.modified_by.empty()) out += R"(,"modifiedBy":)" + json_text(request.modified_by);
  return out + "}";
}
std::string text_of(const DeleteRequest& request) {
  return R"({"op":"delete","key":)" + json_text(request.key) + condition_text(request.when) + "}";
}
std::string text_of(const CheckRequest& request) {
  return R"({"op":"check","key":)" + json_text(request.key) + condition_text(request.when) + "}";
}

std::int64_t status_of(json::Object item) { return item["status"].get_int64().value(); }

Error failure_of(json::Object item) {
  json::Object problem;
  if (item["problem"].get(problem) != simdjson::SUCCESS) return {Errc::internal, "a failed item without a problem"};
  return error_of(problem);
}

}  // namespace

Result<json::Array> RemoteHttpManyStore::post(std::string_view verb, CallContext context, std::string body,
                                              bool want_records, std::string_view list, std::size_t count) {
  HttpRequest ask{"POST", "/v2/state/" + percent_encode(store()) + ":" + std::string(verb), {}, std::move(body)};
  add_level(ask.target, context.consistency);
  if (want_records) ask.headers.emplace_back("Prefer", "return=representation");
  const auto answer = client().send(ask);
  if (!answer) return fail(answer.error());
  if (answer->status != 200) return problem_of(*answer);
  const auto document = many_parser_.parse(answer->body);
  json::Array items;
  if (!document || (*document)[list].get(items) != simdjson::SUCCESS || items.size() != count)
    return fail(Errc::internal, "the answer has another number of items");
  return items;
}

Result<Written> RemoteHttpManyStore::written_of(json::Object item) {
  Written written;
  written.etag = etag_of(conformance::text_of(item, "etag"));
  if (capabilities().reports_created) written.created = status_of(item) == 201;
  json::Object document;
  if (item["record"].get(document) != simdjson::SUCCESS) return written;
  auto listed = read_record(document);
  if (!listed) return fail(listed.error());
  written.expires_at = listed->record.expires_at;
  written.fields = std::move(listed->record.fields);
  return written;
}

Task<std::vector<Result<std::optional<Record>>>> RemoteHttpManyStore::get_many(CallContext context,
                                                                               std::span<const GetRequest> requests) {
  if (!fits_a_batch(requests)) co_return co_await RemoteHttpStore::get_many(context, requests);
  std::string body = R"({"keys":[)";
  for (const GetRequest& request : requests) body += (body.ends_with('[') ? "" : ",") + json_text(request.key);
  auto items = post("batchGet", context, body + "]}", false, "items", requests.size());
  if (!items) co_return all_failed<std::optional<Record>>(requests.size(), items.error());
  std::vector<Result<std::optional<Record>>> records;
  for (const json::Element element : *items) {
    const json::Object item = element.get_object().value();
    json::Object document;
    if (status_of(item) == 404) {
      records.emplace_back(std::nullopt);
    } else if (status_of(item) != 200 || item["record"].get(document) != simdjson::SUCCESS) {
      records.emplace_back(fail(failure_of(item)));
    } else if (auto listed = read_record(document); !listed) {
      records.emplace_back(fail(listed.error()));
    } else {
      if (!requests[records.size()].want_fields) listed->record.fields.reset();
      records.emplace_back(std::move(listed->record));
    }
  }
  co_return records;
}

Task<std::vector<Result<Written>>> RemoteHttpManyStore::set_many(CallContext context,
                                                                 std::span<const SetRequest> requests) {
  if (!fits_a_batch(requests)) co_return co_await RemoteHttpStore::set_many(context, requests);
  std::string body = R"({"items":[)";
  bool want_records = false;
  for (const SetRequest& request : requests) {
    body += (body.ends_with('[') ? "" : ",") + text_of(request);
    want_records |= request.want_record;
  }
  auto items = post("batchWrite", context, body + "]}", want_records, "items", requests.size());
  if (!items) co_return all_failed<Written>(requests.size(), items.error());
  std::vector<Result<Written>> results;
  for (const json::Element element : *items) {
    const json::Object item = element.get_object().value();
    if (status_of(item) >= 400)
      results.emplace_back(fail(failure_of(item)));
    else
      results.push_back(written_of(item));
  }
  co_return results;
}

Task<std::vector<Result<Deleted>>> RemoteHttpManyStore::erase_many(CallContext context,
                                                                   std::span<const DeleteRequest> requests) {
  if (!fits_a_batch(requests)) co_return co_await RemoteHttpStore::erase_many(context, requests);
  std::string body = R"({"items":[)";
  for (const DeleteRequest& request : requests) body += (body.ends_with('[') ? "" : ",") + text_of(request);
  auto items = post("batchWrite", context, body + "]}", false, "items", requests.size());
  if (!items) co_return all_failed<Deleted>(requests.size(), items.error());
  std::vector<Result<Deleted>> results;
  for (const json::Element element : *items) {
    const json::Object item = element.get_object().value();
    const std::int64_t status = status_of(item);
    if (status != 204 && status != 404) {
      results.emplace_back(fail(failure_of(item)));
      continue;
    }
    Deleted deleted;
    if (capabilities().reports_created) deleted.existed = status == 204;
    results.emplace_back(std::move(deleted));
  }
  co_return results;
}

Task<Result<std::vector<Written>>> RemoteHttpManyStore::transact(CallContext context,
                                                                 std::span<const Operation> operations) {
  if (!fits_a_batch(operations)) co_return co_await RemoteHttpStore::transact(context, operations);
  std::string body = R"({"operations":[)";
  bool want_records = false;
  for (const Operation& operation : operations) {
    body += body.ends_with('[') ? "" : ",";
    body += std::visit([](const auto& one) { return text_of(one); }, operation);
    if (const auto* put = std::get_if<SetRequest>(&operation)) want_records |= put->want_record;
  }
  const auto items = post("transact", context, body + "]}", want_records, "results", operations.size());
  if (!items) co_return fail(items.error());
  std::vector<Written> results;
  for (const json::Element element : *items) {
    const bool is_put = std::holds_alternative<SetRequest>(operations[results.size()]);
    auto written = is_put ? written_of(element.get_object().value()) : Result<Written>(Written());
    if (!written) co_return fail(written.error());
    results.push_back(std::move(*written));
  }
  co_return results;
}

Task<Result<KeyPage>> RemoteHttpManyStore::keys_like(CallContext context, LikeRequest request) {
  KeyPage all;
  all.cursor = request.cursor;
  do {
    HttpRequest ask{"GET", "/v2/state/" + percent_encode(store()), {}, {}};
    add_parameter(ask.target, "like", request.pattern);
    add_parameter(ask.target, "limit", std::to_string(request.limit == 0 ? 1000 : request.limit));
    if (!all.cursor.empty()) add_parameter(ask.target, "cursor", all.cursor);
    add_level(ask.target, context.consistency);
    const auto answer = client().send(ask);
    if (!answer) co_return fail(answer.error());
    if (answer->status != 200) co_return problem_of(*answer);
    const auto document = many_parser_.parse(answer->body);
    if (!document || !document->is_object()) co_return fail(Errc::internal, "the listing is not an object");
    for (const json::Element element : (*document)["items"].get_array().value())
      all.keys.push_back(conformance::text_of(element.get_object().value(), "key"));
    all.cursor = conformance::text_of(document->get_object().value(), "cursor");
  } while (request.limit == 0 && !all.cursor.empty());
  co_return all;
}

Task<Result<std::uint64_t>> RemoteHttpManyStore::erase_prefix(CallContext context, DeletePrefixRequest request) {
  HttpRequest ask{"DELETE", "/v2/state/" + percent_encode(store()), {}, {}};
  add_parameter(ask.target, "prefix", request.prefix);
  add_level(ask.target, context.consistency);
  const auto answer = client().send(ask);
  if (!answer) co_return fail(answer.error());
  if (answer->status != 200) co_return problem_of(*answer);
  const auto document = many_parser_.parse(answer->body);
  if (!document || !document->is_object()) co_return fail(Errc::internal, "the answer is not an object");
  co_return (*document)["deleted"].get_uint64().value();
}

Task<Result<QueryPage>> RemoteHttpManyStore::query(CallContext context, const Query& query) {
  std::string body = query_text(query);
  body.pop_back();
  body += body.size() > 1 ? "," : "";
  body += R"("page":{"limit":)" + std::to_string(query.limit == 0 ? kPageMax : query.limit);
  if (!query.token.empty()) body += R"(,"token":)" + json_text(query.token);
  body += R"(},"prefix":)" + json_text(query.key_prefix) + "}";
  HttpRequest ask{"POST", "/v2/state/" + percent_encode(store()) + ":query", {}, std::move(body)};
  ask.headers.emplace_back("Content-Type", kJsonType);
  add_level(ask.target, context.consistency);
  const auto answer = client().send(ask);
  if (!answer) co_return fail(answer.error());
  if (answer->status != 200) co_return problem_of(*answer);
  const auto document = many_parser_.parse(answer->body);
  if (!document || !document->is_object()) co_return fail(Errc::internal, "the answer is not an object");
  QueryPage page;
  page.token = conformance::text_of(document->get_object().value(), "token");
  for (const json::Element element : (*document)["items"].get_array().value()) {
    auto item = read_record(element.get_object().value());
    if (!item) co_return fail(item.error());
    page.items.push_back(std::move(*item));
  }
  co_return page;
}

Task<Result<std::unique_ptr<Watcher>>> RemoteHttpManyStore::watch(CallContext, WatchRequest request) {
  auto events = HttpEvents::open(port_, store(), request, capabilities().record_fields);
  if (!events) co_return fail(events.error());
  co_return std::make_unique<RemoteWatcher>(std::move(*events), loop_);
}

}  // namespace holdfast::conformance
