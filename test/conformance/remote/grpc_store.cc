#include "conformance/remote/grpc_store.h"

#include <fmt/format.h>

#include "conformance/remote/grpc_forms.h"
#include "conformance/remote/reach.h"
#include "dapr/proto/runtime/v1/dapr.pb.h"
#include "grpc/health/v1/health.pb.h"

namespace holdfast::conformance {

using namespace state;

namespace pb = ::holdfast::v2;
namespace runtime = ::dapr::proto::runtime::v1;
namespace common = ::dapr::proto::common::v1;

namespace {

using grpc::Code;

void set_condition(common::StateItem& item, const Precondition& when) {
  if (when.kind == Precondition::Kind::absent)
    item.mutable_options()->set_concurrency(common::StateOptions::CONCURRENCY_FIRST_WRITE);
  if (when.kind == Precondition::Kind::one_of) item.mutable_etag()->set_value(std::string(when.etags[0]));
}

void fill(common::StateItem& item, const SetRequest& request) {
  item.set_key(std::string(request.key));
  item.set_value(std::string(request.value));
  auto& metadata = *item.mutable_metadata();
  if (request.shape == Shape::json) metadata["contentType"] = kJsonType;
  if (request.ttl) metadata["ttlInSeconds"] = std::to_string(whole_seconds(*request.ttl));
  if (!request.created_by.empty()) metadata["createdBy"] = request.created_by;
  if (!request.modified_by.empty()) metadata["modifiedBy"] = request.modified_by;
  set_condition(item, request.when);
}

// False when Dapr's transactions cannot say it.
bool fill(runtime::TransactionalStateOperation& out, const Operation& operation) {
  if (const auto* set = std::get_if<SetRequest>(&operation)) {
    out.set_operationtype("upsert");
    fill(*out.mutable_request(), *set);
    return is_plain(*set);
  }
  const auto* drop = std::get_if<DeleteRequest>(&operation);
  if (drop == nullptr || !is_plain(drop->when)) return false;
  out.set_operationtype("delete");
  out.mutable_request()->set_key(std::string(drop->key));
  set_condition(*out.mutable_request(), drop->when);
  return true;
}

}  // namespace

template <class Request, class Response>
Status RemoteGrpcStore::dapr(std::string_view method, const Request& request, Response& out) {
  const auto answer = client_->call("/dapr.proto.runtime.v1.Dapr/" + std::string(method), request.SerializeAsString());
  if (!answer) return fail(answer.error());
  if (answer->code != Code::ok) {
    const Errc otherwise = answer->code == Code::unavailable ? Errc::overloaded : code_of(answer->code, answer->reason);
    return fail(code_of_text(answer->message, otherwise), answer->message);
  }
  if (!out.ParseFromString(answer->body)) return fail(Errc::internal, "the answer's message cannot be read");
  return {};
}

Result<std::string> RemoteGrpcStore::call_v2(std::string_view method, const std::string& message) {
  auto answer = client_->call("/holdfast.v2.State/" + std::string(method), message);
  if (!answer) return fail(answer.error());
  if (answer->code == Code::ok) return std::move(answer->body);
  Error error(code_of(answer->code, answer->reason), answer->message);
  error.current_etag = etag_of(answer->etag_tag);
  if (!answer->operation.empty()) error.operation = std::stoi(answer->operation);
  return fail(std::move(error));
}

template <class Request, class Response>
Status RemoteGrpcStore::v2(std::string_view method, const Request& request, Response& out) {
  const auto answer = call_v2(method, request.SerializeAsString());
  if (!answer) return fail(answer.error());
  if (!out.ParseFromString(*answer)) return fail(Errc::internal, "the answer's message cannot be read");
  return {};
}

Task<Result<std::optional<Record>>> RemoteGrpcStore::get(CallContext context, GetRequest request) {
  pb::GetRequest ask;
  ask.set_store(store_);
  ask.set_key(std::string(request.key));
  ask.set_consistency(level_of(context.consistency));
  ask.set_without_value(!request.want_value);
  pb::Record record;
  const Status status = v2("Get", ask, record);
  if (!status && status.error().code == Errc::not_found) co_return std::nullopt;
  if (!status) co_return fail(status.error());
  co_return record_of(record, request.want_fields);
}

Task<Result<Written>> RemoteGrpcStore::set(CallContext context, SetRequest request) {
  pb::PutRequest ask;
  ask.set_store(store_);
  ask.set_key(std::string(request.key));
  ask.set_value(std::string(request.value));
  ask.set_content_type(std::string(request.shape == Shape::json ? kJsonType : request.content_type));
  ask.set_consistency(level_of(context.consistency));
  ask.set_want_record(request.want_record);
  ask.set_created_by(std::string(request.created_by));
  ask.set_modified_by(std::string(request.modified_by));
  if (request.ttl) ask.set_ttl_ms(request.ttl->count() <= 0 ? -1 : request.ttl->count());
  for (const auto& [name, value] : request.tags) (*ask.mutable_tags())[name] = value;
  for (const auto& [name, value] : request.indexes) (*ask.mutable_indexes())[name] = value;
  set_condition(ask, request.when);
  pb::PutResponse response;
  if (const Status status = v2("Put", ask, response); !status) co_return fail(status.error());
  Written written;
  written.etag = etag_of(response.etag());
  if (response.has_created()) written.created = response.created();
  if (request.want_record) {
    Record record = record_of(response.record(), true);
    written.expires_at = record.expires_at;
    written.fields = std::move(record.fields);
  }
  co_return written;
}

Task<Result<Deleted>> RemoteGrpcStore::erase(CallContext context, DeleteRequest request) {
  pb::DeleteRequest ask;
  ask.set_store(store_);
  ask.set_key(std::string(request.key));
  ask.set_consistency(level_of(context.consistency));
  set_condition(ask, request.when);
  pb::DeleteResponse response;
  if (const Status status = v2("Delete", ask, response); !status) co_return fail(status.error());
  Deleted deleted;
  if (response.has_existed()) deleted.existed = response.existed();
  co_return deleted;
}

Result<std::vector<Result<std::optional<Record>>>> RemoteGrpcStore::bulk_get(std::span<const GetRequest> requests) {
  runtime::GetBulkStateRequest ask;
  ask.set_store_name(store_);
  for (const GetRequest& request : requests) ask.add_keys(std::string(request.key));
  runtime::GetBulkStateResponse response;
  if (const Status status = dapr("GetBulkState", ask, response); !status) return fail(status.error());
  if (response.items_size() != static_cast<int>(requests.size()))
    return fail(Errc::internal, "the bulk answer has another number of items");
  std::vector<Result<std::optional<Record>>> records;
  for (const runtime::BulkStateItem& item : response.items()) {
    if (item.key() != requests[records.size()].key)
      return fail(Errc::internal, "the bulk answer is not in the order of its keys");
    Result<std::optional<Record>>& result = records.emplace_back();
    if (!item.error().empty()) result = fail(Errc::internal, item.error());
    if (!result || item.etag().empty()) continue;
    Record* const record = &result->emplace();
    record->value = item.data();
    record->etag = item.etag();
    const auto expires = item.metadata().find("ttlExpireTime");
    if (expires != item.metadata().end()) record->expires_at = parse_time(expires->second);
  }
  return records;
}

Task<std::vector<Result<std::optional<Record>>>> RemoteGrpcStore::get_many(CallContext context,
                                                                           std::span<const GetRequest> requests) {
  for (const GetRequest& request : requests)
    if (request.want_fields || !request.want_value) co_return co_await StateStore::get_many(context, requests);
  co_return co_await read_alone_what_failed(*this, context, requests, bulk_get(requests));
}

Task<std::vector<Result<Written>>> RemoteGrpcStore::set_many(CallContext context,
                                                             std::span<const SetRequest> requests) {
  // A save answers for all its items at once, and without etags: conditions are for single writes.
  runtime::SaveStateRequest ask;
  ask.set_store_name(store_);
  std::vector<GetRequest> reads;
  for (const SetRequest& request : requests) {
    if (!is_plain(request) || request.when.kind != Precondition::Kind::any)
      co_return co_await StateStore::set_many(context, requests);
    fill(*ask.add_states(), request);
    reads.push_back({.key = request.key});
  }
  google::protobuf::Empty nothing;
  const Status saved = dapr("SaveState", ask, nothing);
  if (!saved) co_return all_failed<Written>(requests.size(), saved.error());
  co_return written_as(co_await read_alone_what_failed(*this, context, reads, bulk_get(reads)));
}

Task<std::vector<Result<Deleted>>> RemoteGrpcStore::erase_many(CallContext context,
                                                               std::span<const DeleteRequest> requests) {
  runtime::DeleteBulkStateRequest ask;
  ask.set_store_name(store_);
  for (const DeleteRequest& request : requests) {
    if (request.when.kind != Precondition::Kind::any) co_return co_await StateStore::erase_many(context, requests);
    ask.add_states()->set_key(std::string(request.key));
  }
  google::protobuf::Empty nothing;
  const Status deleted = dapr("DeleteBulkState", ask, nothing);
  std::vector<Result<Deleted>> results;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (deleted) {
      results.emplace_back(Deleted());
    } else {
      results.emplace_back(fail(deleted.error()));
    }
  }
  co_return results;
}

Task<Result<std::vector<Written>>> RemoteGrpcStore::transact(CallContext, std::span<const Operation> operations) {
  runtime::ExecuteStateTransactionRequest ask;
  ask.set_storename(store_);
  for (const Operation& operation : operations)
    if (!fill(*ask.add_operations(), operation))
      co_return fail(Errc::unsupported, "Dapr's transactions cannot say one of the operations");
  google::protobuf::Empty nothing;
  if (const Status done = dapr("ExecuteStateTransaction", ask, nothing); !done) co_return fail(done.error());
  co_return std::vector<Written>(operations.size());
}

Task<Result<ListPage>> RemoteGrpcStore::list(CallContext, ListRequest request) { return list(request, {}); }

Task<Result<ListPage>> RemoteGrpcStore::find(CallContext, FindRequest request) {
  pb::ListRequest ask;
  (*ask.mutable_indexes())[std::string(request.name)] = std::string(request.value);
  return list(request.of, std::move(ask));
}

Task<Result<ListPage>> RemoteGrpcStore::list(ListRequest request, pb::ListRequest ask) {
  ask.set_store(store_);
  ask.set_prefix(std::string(request.prefix));
  ask.set_limit(request.limit);
  ask.set_cursor(std::string(request.cursor));
  ask.set_want_values(request.want_values || request.want_fields);
  pb::ListResponse response;
  if (const Status status = v2("List", ask, response); !status) co_return fail(status.error());
  ListPage page;
  page.cursor = response.cursor();
  for (const pb::Record& item : response.items())
    page.items.push_back({item.key(), record_of(item, request.want_fields)});
  co_return page;
}

Task<Status> RemoteGrpcStore::ping(CallContext) {
  const auto answer = client_->call("/grpc.health.v1.Health/Check", "");
  if (!answer) co_return fail(answer.error());
  ::grpc::health::v1::HealthCheckResponse response;
  if (answer->code != Code::ok || !response.ParseFromString(answer->body) ||
      response.status() != ::grpc::health::v1::HealthCheckResponse::SERVING)
    co_return fail(Errc::unavailable, "the daemon does not serve: " + answer->message);
  co_return Status();
}

Task<Status> RemoteGrpcStore::close(CallContext) {
  client_.reset();
  co_return Status();
}

}  // namespace holdfast::conformance
