#include "conformance/remote/grpc_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "conformance/remote/reach.h"
#include "dapr/proto/runtime/v1/dapr.pb.h"
#include "grpc/health/v1/health.pb.h"
#include "holdfast/v2/state.pb.h"

namespace holdfast::conformance {

using namespace state;

namespace pb = ::holdfast::v2;
namespace runtime = ::dapr::proto::runtime::v1;
namespace common = ::dapr::proto::common::v1;

namespace {

using grpc::Code;

Errc code_of(const GrpcAnswer& answer) {
  if (answer.reason == "ETAG_INVALID") return Errc::etag_invalid;
  if (answer.reason == "OUTCOME_UNKNOWN") return Errc::outcome_unknown;
  if (answer.reason == "OVERLOADED") return Errc::overloaded;
  if (answer.reason == "REPLICATION_SHORTFALL") return Errc::replication_shortfall;
  switch (answer.code) {
    case Code::invalid_argument:
      return Errc::invalid_argument;
    case Code::unimplemented:
      return Errc::unsupported;
    case Code::permission_denied:
      return Errc::denied;
    case Code::not_found:
      return Errc::not_found;
    case Code::failed_precondition:
      return Errc::precondition_failed;
    case Code::aborted:
      return Errc::conflict;
    case Code::unavailable:
      return Errc::unavailable;
    case Code::deadline_exceeded:
      return Errc::deadline_exceeded;
    default:
      return Errc::internal;
  }
}

pb::Consistency level_of(Consistency level) {
  switch (level) {
    case Consistency::unspecified:
      break;
    case Consistency::eventual:
      return pb::CONSISTENCY_EVENTUAL;
    case Consistency::consistent_prefix:
      return pb::CONSISTENCY_CONSISTENT_PREFIX;
    case Consistency::session:
      return pb::CONSISTENCY_SESSION;
    case Consistency::bounded_staleness:
      return pb::CONSISTENCY_BOUNDED_STALENESS;
    case Consistency::quorum:
      return pb::CONSISTENCY_QUORUM;
    case Consistency::strong:
      return pb::CONSISTENCY_STRONG;
  }
  return pb::CONSISTENCY_UNSPECIFIED;
}

// Sets `when` only where there is a condition.
template <class Request>
void set_condition(Request& request, const Precondition& when) {
  switch (when.kind) {
    case Precondition::Kind::any:
      return;
    case Precondition::Kind::absent:
      request.mutable_when()->set_absent(true);
      return;
    case Precondition::Kind::present:
      request.mutable_when()->set_present(true);
      return;
    case Precondition::Kind::one_of:
      break;
  }
  for (const std::string_view etag : when.etags) request.mutable_when()->mutable_etags()->add_values(tag_of(etag));
}

WallTime time_of(const google::protobuf::Timestamp& time) {
  return WallTime{time.seconds() * 1'000'000 + time.nanos() / 1000};
}

Record record_of(const pb::Record& from, bool want_fields) {
  Record record;
  record.value = from.value();
  record.shape = from.content_type() == kJsonType ? Shape::json : Shape::bytes;
  record.etag = etag_of(from.etag());
  if (from.has_expires()) record.expires_at = time_of(from.expires());
  if (!want_fields || !from.has_created()) return record;
  RecordFields& fields = record.fields.emplace();
  fields.created = time_of(from.created());
  fields.created_by = from.created_by();
  fields.modified = time_of(from.modified());
  fields.modified_by = from.modified_by();
  if (from.content_type() != kBytesType) fields.content_type = from.content_type();
  for (const auto& [name, value] : from.tags()) fields.tags.emplace_back(name, value);
  std::ranges::sort(fields.tags);
  return record;
}

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
    const Errc otherwise = answer->code == Code::unavailable ? Errc::overloaded : code_of(*answer);
    return fail(code_of_text(answer->message, otherwise), answer->message);
  }
  if (!out.ParseFromString(answer->body)) return fail(Errc::internal, "the answer's message cannot be read");
  return {};
}

template <class Request, class Response>
Status RemoteGrpcStore::v2(std::string_view method, const Request& request, Response& out) {
  const auto answer = client_->call("/holdfast.v2.State/" + std::string(method), request.SerializeAsString());
  if (!answer) return fail(answer.error());
  if (answer->code != Code::ok) {
    Error error(code_of(*answer), answer->message);
    error.current_etag = etag_of(answer->etag_tag);
    return fail(std::move(error));
  }
  if (!out.ParseFromString(answer->body)) return fail(Errc::internal, "the answer's message cannot be read");
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

Result<std::vector<std::optional<Record>>> RemoteGrpcStore::bulk_get(std::span<const GetRequest> requests) {
  runtime::GetBulkStateRequest ask;
  ask.set_store_name(store_);
  for (const GetRequest& request : requests) ask.add_keys(std::string(request.key));
  runtime::GetBulkStateResponse response;
  if (const Status status = dapr("GetBulkState", ask, response); !status) return fail(status.error());
  if (response.items_size() != static_cast<int>(requests.size()))
    return fail(Errc::internal, "the bulk answer has another number of items");
  std::vector<std::optional<Record>> records;
  for (const runtime::BulkStateItem& item : response.items()) {
    if (item.key() != requests[records.size()].key)
      return fail(Errc::internal, "the bulk answer is not in the order of its keys");
    if (!item.error().empty()) return fail(Errc::internal, item.error());
    std::optional<Record>& record = records.emplace_back();
    if (item.etag().empty()) continue;
    record.emplace();
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
  auto found = bulk_get(requests);
  std::vector<Result<std::optional<Record>>> records;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (found) {
      records.emplace_back(std::move((*found)[i]));
    } else {
      records.emplace_back(fail(found.error()));
    }
  }
  co_return records;
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
  Result<std::vector<std::optional<Record>>> after = fail(Errc::internal, "not read");
  if (saved) {
    after = bulk_get(reads);
  } else {
    after = fail(saved.error());
  }
  std::vector<Result<Written>> results;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (!after) {
      results.emplace_back(fail(after.error()));
    } else {
      Written written;
      if ((*after)[i]) written.etag = (*after)[i]->etag;
      results.emplace_back(std::move(written));
    }
  }
  co_return results;
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

Task<Result<ListPage>> RemoteGrpcStore::list(CallContext, ListRequest request) {
  pb::ListRequest ask;
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
