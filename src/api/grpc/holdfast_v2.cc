// holdfast.v2.State: our own API over gRPC.
#include <fmt/format.h>

#include "api/grpc/dispatch.h"
#include "api/grpc/messages.h"
#include "api/status_map.h"
#include "api/v2.h"
#include "holdfast/v2/state.pb.h"

namespace holdfast::api {

namespace pb = ::holdfast::v2;
using holdfast::grpc::Code;

namespace {

GrpcStatus failure(const Error& error) {
  grpc::Metadata metadata;
  if (!error.current_etag.empty()) metadata.emplace_back("current_etag", entity_tag(error.current_etag));
  if (error.operation >= 0) metadata.emplace_back("operation", std::to_string(error.operation));
  GrpcStatus status{v2_grpc_code(error.code), error.message, {}};
  status.details.push_back(grpc::error_info(v2_reason(error.code), "holdfast", metadata));
  return status;
}

GrpcStatus malformed() { return {Code::internal, "grpc: failed to unmarshal the received message", {}}; }

void set_timestamp(google::protobuf::Timestamp& out, WallTime time) {
  out.set_seconds(time.us / 1'000'000);
  out.set_nanos(static_cast<int>(time.us % 1'000'000) * 1000);
}

state::Consistency level_of(pb::Consistency level) {
  using state::Consistency;
  switch (level) {
    case pb::CONSISTENCY_STRONG: return Consistency::strong;
    case pb::CONSISTENCY_QUORUM: return Consistency::quorum;
    case pb::CONSISTENCY_BOUNDED_STALENESS: return Consistency::bounded_staleness;
    case pb::CONSISTENCY_SESSION: return Consistency::session;
    case pb::CONSISTENCY_CONSISTENT_PREFIX: return Consistency::consistent_prefix;
    case pb::CONSISTENCY_EVENTUAL: return Consistency::eventual;
    default: return Consistency::unspecified;
  }
}

Conditions conditions_of(const pb::Precondition& from) {
  Conditions when;
  if (from.has_absent() && from.absent()) when.kind = state::Precondition::Kind::absent;
  if (from.has_present() && from.present()) when.kind = state::Precondition::Kind::present;
  if (from.has_etags() && from.etags().values_size() > 0) {
    when.kind = state::Precondition::Kind::one_of;
    for (const std::string& etag : from.etags().values()) when.etags.push_back(from_entity_tag(etag));
  }
  return when;
}

void fill_record(pb::Record& out, const std::string& store, const std::string& key, const state::Record& record) {
  out.set_store(store);
  out.set_key(key);
  out.set_value(record.value);
  out.set_content_type(content_type_of(record));
  out.set_etag(entity_tag(record.etag));
  if (record.expires_at) set_timestamp(*out.mutable_expires(), *record.expires_at);
  if (!record.fields) return;
  set_timestamp(*out.mutable_created(), record.fields->created);
  out.set_created_by(record.fields->created_by);
  set_timestamp(*out.mutable_modified(), record.fields->modified);
  out.set_modified_by(record.fields->modified_by);
  for (const auto& [name, value] : record.fields->tags) (*out.mutable_tags())[name] = value;
}

class HoldfastV2 final : public GrpcService {
 public:
  HoldfastV2(service::Service& service, const service::Runtime& runtime) : v2_(service, runtime) {
    unary_.emplace("/holdfast.v2.State/Put", [this](GrpcCall& call) { return put(call); });
    unary_.emplace("/holdfast.v2.State/Get", [this](GrpcCall& call) { return get(call); });
    unary_.emplace("/holdfast.v2.State/Delete", [this](GrpcCall& call) { return erase(call); });
    unary_.emplace("/holdfast.v2.State/List", [this](GrpcCall& call) { return list(call); });
  }

 private:
  Task<GrpcStatus> put(GrpcCall& call) {
    pb::PutRequest request;
    if (!parse_message(call.message, request)) co_return malformed();
    const auto entry = v2_.find_store(request.store());
    if (!entry) co_return failure(entry.error());
    if (request.ttl_ms() < -1) co_return failure(Error(Errc::invalid_argument, "ttl_ms is below -1"));
    PutCommand command;
    command.key = request.key();
    command.value = std::move(*request.mutable_value());
    command.content_type = request.content_type().empty() ? "application/octet-stream" : request.content_type();
    command.when = conditions_of(request.when());
    if (request.ttl_ms() > 0) command.ttl = Milliseconds(request.ttl_ms());
    command.tags = pairs_of(request.tags());
    command.indexes = pairs_of(request.indexes());
    command.want_record = request.want_record();
    command.created_by = request.created_by();
    command.modified_by = request.modified_by();
    call.context.consistency = level_of(request.consistency());
    auto outcome = co_await v2_.put(**entry, call.context, command);
    if (!outcome) co_return failure(outcome.error());
    pb::PutResponse response;
    response.set_etag(outcome->etag);
    if (outcome->created) response.set_created(*outcome->created);
    if (command.want_record) {
      outcome->record.value = std::move(command.value);
      fill_record(*response.mutable_record(), request.store(), request.key(), outcome->record);
    }
    response.AppendToString(&call.out);
    co_return GrpcStatus::ok();
  }

  Task<GrpcStatus> get(GrpcCall& call) {
    pb::GetRequest request;
    if (!parse_message(call.message, request)) co_return malformed();
    const auto entry = v2_.find_store(request.store());
    if (!entry) co_return failure(entry.error());
    call.context.consistency = level_of(request.consistency());
    const auto record = co_await v2_.get(**entry, call.context, request.key(), !request.without_value());
    if (!record) co_return failure(record.error());
    if (!*record)
      co_return failure(Error(Errc::not_found, fmt::format("state store {} holds no record under this key", request.store())));
    pb::Record response;
    fill_record(response, request.store(), request.key(), **record);
    response.AppendToString(&call.out);
    co_return GrpcStatus::ok();
  }

  Task<GrpcStatus> erase(GrpcCall& call) {
    pb::DeleteRequest request;
    if (!parse_message(call.message, request)) co_return malformed();
    const auto entry = v2_.find_store(request.store());
    if (!entry) co_return failure(entry.error());
    call.context.consistency = level_of(request.consistency());
    Conditions when = conditions_of(request.when());
    const auto deleted = co_await v2_.erase(**entry, call.context, request.key(), when);
    if (!deleted) co_return failure(deleted.error());
    pb::DeleteResponse response;
    if (deleted->existed) response.set_existed(*deleted->existed);
    response.AppendToString(&call.out);
    co_return GrpcStatus::ok();
  }

  Task<GrpcStatus> list(GrpcCall& call) {
    pb::ListRequest request;
    if (!parse_message(call.message, request)) co_return malformed();
    const auto entry = v2_.find_store(request.store());
    if (!entry) co_return failure(entry.error());
    state::ListRequest wanted;
    wanted.prefix = request.prefix();
    wanted.cursor = request.cursor();
    wanted.limit = request.limit();
    wanted.want_values = request.want_values();
    const auto listing = co_await v2_.list(**entry, call.context, wanted);
    if (!listing) co_return failure(listing.error());
    pb::ListResponse response;
    for (const auto& item : listing->items) {
      if (wanted.want_values) {
        fill_record(*response.add_items(), request.store(), item.key, item.record);
      } else {
        auto& brief = *response.add_items();
        brief.set_key(item.key);
        brief.set_etag(entity_tag(item.record.etag));
      }
    }
    response.set_cursor(listing->cursor);
    response.AppendToString(&call.out);
    co_return GrpcStatus::ok();
  }

  V2 v2_;
};

}  // namespace

std::unique_ptr<GrpcService> make_holdfast_v2(service::Service& service, const service::Runtime& runtime) {
  return std::make_unique<HoldfastV2>(service, runtime);
}

}  // namespace holdfast::api
