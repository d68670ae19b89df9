#include "conformance/remote/grpc_many_store.h"

#include "conformance/remote/grpc_forms.h"
#include "conformance/remote/grpc_watch.h"
#include "conformance/remote/reach.h"

namespace holdfast::conformance {

using namespace state;

namespace pb = ::holdfast::v2;

namespace {

Error error_of(const pb::Failure& failure) {
  Error error(code_of(static_cast<grpc::Code>(failure.code()), failure.reason()), failure.message());
  error.current_etag = etag_of(failure.current_etag());
  return error;
}

void fill(pb::WriteOperation& out, const SetRequest& request) {
  out.set_key(std::string(request.key));
  set_condition(out, request.when);
  pb::WriteOperation::Put& put = *out.mutable_put();
  put.set_value(std::string(request.value));
  put.set_content_type(std::string(request.shape == Shape::json ? kJsonType : request.content_type));
  if (request.ttl) put.set_ttl_ms(request.ttl->count() <= 0 ? -1 : request.ttl->count());
  for (const auto& [name, value] : request.tags) (*put.mutable_tags())[name] = value;
  for (const auto& [name, value] : request.indexes) (*put.mutable_indexes())[name] = value;
  put.set_created_by(std::string(request.created_by));
  put.set_modified_by(std::string(request.modified_by));
}
void fill(pb::WriteOperation& out, const DeleteRequest& request) {
  out.set_key(std::string(request.key));
  set_condition(out, request.when);
  out.mutable_delete_();
}
void fill(pb::WriteOperation& out, const CheckRequest& request) {
  out.set_key(std::string(request.key));
  set_condition(out, request.when);
  out.mutable_check();
}

Written written_of(const pb::WriteResult& from) {
  Written written;
  written.etag = etag_of(from.etag());
  if (from.has_created()) written.created = from.created();
  if (!from.has_record()) return written;
  Record record = record_of(from.record(), true);
  written.expires_at = record.expires_at;
  written.fields = std::move(record.fields);
  return written;
}

Error wrong_count() { return {Errc::internal, "the answer has another number of items"}; }

}  // namespace

template <class Response, class Request>
Result<Response> RemoteGrpcManyStore::ask(std::string_view method, const Request& request) {
  const auto answer = call_v2(method, request.SerializeAsString());
  if (!answer) return fail(answer.error());
  Response response;
  if (!response.ParseFromString(*answer)) return fail(Errc::internal, "the answer's message cannot be read");
  return response;
}

Task<std::vector<Result<std::optional<Record>>>> RemoteGrpcManyStore::get_many(CallContext context,
                                                                               std::span<const GetRequest> requests) {
  if (!fits_a_batch(requests)) co_return co_await RemoteGrpcStore::get_many(context, requests);
  pb::BatchGetRequest request;
  request.set_store(store());
  request.set_consistency(level_of(context.consistency));
  for (const GetRequest& one : requests) request.add_keys(std::string(one.key));
  const auto response = ask<pb::BatchGetResponse>("BatchGet", request);
  if (!response) co_return all_failed<std::optional<Record>>(requests.size(), response.error());
  if (response->items_size() != static_cast<int>(requests.size()))
    co_return all_failed<std::optional<Record>>(requests.size(), wrong_count());
  std::vector<Result<std::optional<Record>>> records;
  for (const pb::BatchGetResponse::Item& item : response->items()) {
    if (item.has_record())
      records.emplace_back(record_of(item.record(), requests[records.size()].want_fields));
    else if (item.failure().reason() == "NOT_FOUND")
      records.emplace_back(std::nullopt);
    else
      records.emplace_back(fail(error_of(item.failure())));
  }
  co_return records;
}

Task<std::vector<Result<Written>>> RemoteGrpcManyStore::set_many(CallContext context,
                                                                 std::span<const SetRequest> requests) {
  if (!fits_a_batch(requests)) co_return co_await RemoteGrpcStore::set_many(context, requests);
  pb::BatchWriteRequest request;
  request.set_store(store());
  request.set_consistency(level_of(context.consistency));
  for (const SetRequest& one : requests) {
    fill(*request.add_items(), one);
    if (one.want_record) request.set_want_records(true);
  }
  const auto response = ask<pb::BatchWriteResponse>("BatchWrite", request);
  if (!response) co_return all_failed<Written>(requests.size(), response.error());
  if (response->items_size() != static_cast<int>(requests.size()))
    co_return all_failed<Written>(requests.size(), wrong_count());
  std::vector<Result<Written>> results;
  for (const pb::WriteResult& item : response->items()) {
    if (item.has_failure())
      results.emplace_back(fail(error_of(item.failure())));
    else
      results.emplace_back(written_of(item));
  }
  co_return results;
}

Task<std::vector<Result<Deleted>>> RemoteGrpcManyStore::erase_many(CallContext context,
                                                                   std::span<const DeleteRequest> requests) {
  if (!fits_a_batch(requests)) co_return co_await RemoteGrpcStore::erase_many(context, requests);
  pb::BatchWriteRequest request;
  request.set_store(store());
  request.set_consistency(level_of(context.consistency));
  for (const DeleteRequest& one : requests) fill(*request.add_items(), one);
  const auto response = ask<pb::BatchWriteResponse>("BatchWrite", request);
  if (!response) co_return all_failed<Deleted>(requests.size(), response.error());
  if (response->items_size() != static_cast<int>(requests.size()))
    co_return all_failed<Deleted>(requests.size(), wrong_count());
  std::vector<Result<Deleted>> results;
  for (const pb::WriteResult& item : response->items()) {
    if (item.has_failure()) {
      results.emplace_back(fail(error_of(item.failure())));
      continue;
    }
    Deleted deleted;
    if (item.has_existed()) deleted.existed = item.existed();
    results.emplace_back(std::move(deleted));
  }
  co_return results;
}

Task<Result<std::vector<Written>>> RemoteGrpcManyStore::transact(CallContext context,
                                                                 std::span<const Operation> operations) {
  if (!fits_a_batch(operations)) co_return co_await RemoteGrpcStore::transact(context, operations);
  pb::TransactRequest request;
  request.set_store(store());
  request.set_consistency(level_of(context.consistency));
  for (const Operation& operation : operations) {
    std::visit([&request](const auto& one) { fill(*request.add_operations(), one); }, operation);
    if (const auto* put = std::get_if<SetRequest>(&operation); put != nullptr && put->want_record)
      request.set_want_records(true);
  }
  const auto response = ask<pb::TransactResponse>("Transact", request);
  if (!response) co_return fail(response.error());
  if (response->results_size() != static_cast<int>(operations.size())) co_return fail(wrong_count());
  std::vector<Written> results;
  for (const pb::WriteResult& item : response->results()) results.push_back(written_of(item));
  co_return results;
}

Task<Result<KeyPage>> RemoteGrpcManyStore::keys_like(CallContext context, LikeRequest request) {
  KeyPage all;
  all.cursor = request.cursor;
  do {
    pb::ListRequest page;
    page.set_store(store());
    page.set_like(std::string(request.pattern));
    page.set_limit(request.limit == 0 ? 1000 : request.limit);
    page.set_cursor(all.cursor);
    page.set_consistency(level_of(context.consistency));
    const auto response = ask<pb::ListResponse>("List", page);
    if (!response) co_return fail(response.error());
    for (const pb::Record& item : response->items()) all.keys.push_back(item.key());
    all.cursor = response->cursor();
  } while (request.limit == 0 && !all.cursor.empty());
  co_return all;
}

Task<Result<std::uint64_t>> RemoteGrpcManyStore::erase_prefix(CallContext context, DeletePrefixRequest request) {
  pb::DeletePrefixRequest erase;
  erase.set_store(store());
  erase.set_prefix(std::string(request.prefix));
  erase.set_consistency(level_of(context.consistency));
  const auto response = ask<pb::DeletePrefixResponse>("DeletePrefix", erase);
  if (!response) co_return fail(response.error());
  co_return response->deleted();
}

Task<Result<QueryPage>> RemoteGrpcManyStore::query(CallContext context, const Query& query) {
  pb::QueryRequest request;
  request.set_store(store());
  request.set_query(query_text(query));
  request.set_limit(query.limit == 0 ? kPageMax : query.limit);
  request.set_token(query.token);
  request.set_prefix(query.key_prefix);
  request.set_consistency(level_of(context.consistency));
  const auto response = ask<pb::QueryResponse>("Query", request);
  if (!response) co_return fail(response.error());
  QueryPage page;
  page.token = response->token();
  for (const pb::Record& item : response->items())
    page.items.push_back({item.key(), record_of(item, query.want_fields)});
  co_return page;
}

Task<Result<std::unique_ptr<Watcher>>> RemoteGrpcManyStore::watch(CallContext, WatchRequest request) {
  auto events = GrpcEvents::open(port_, store(), request);
  if (!events) co_return fail(events.error());
  co_return std::make_unique<RemoteWatcher>(std::move(*events), loop_);
}

}  // namespace holdfast::conformance
