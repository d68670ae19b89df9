// holdfast.v2.State: our own API over gRPC.
#include <fmt/format.h>

#include <expected>

#include "api/grpc/dispatch.h"
#include "api/grpc/messages.h"
#include "api/record_json.h"
#include "api/status_map.h"
#include "api/v2.h"
#include "holdfast/v2/state.pb.h"
#include "service/isolation.h"

namespace holdfast::api {

namespace pb = ::holdfast::v2;

namespace {

GrpcStatus failure(const Error& error) {
  grpc::Metadata metadata;
  if (!error.current_etag.empty()) metadata.emplace_back("current_etag", entity_tag(error.current_etag));
  if (error.operation >= 0) metadata.emplace_back("operation", std::to_string(error.operation));
  GrpcStatus status{v2_grpc_code(error.code), error.message, {}};
  status.details.push_back(grpc::error_info(v2_reason(error.code), "holdfast", metadata));
  return status;
}

GrpcStatus malformed() { return failure(Error(Errc::invalid_argument, "the request is no message of its type")); }

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

// Says what append_record_json() says.
void fill_record(pb::Record& out, const RecordPlace& place, const std::string& key, const state::Record& record) {
  out.set_store(place.entry.name);
  out.set_key(field_text(key));
  out.set_id(field_text(service::record_id(place.isolation.value_or(std::string_view()), key)));
  out.set_isolation_mode(place.isolation.has_value());
  out.set_isolation_key(std::string(place.isolation.value_or(std::string_view())));
  out.set_value(record.value);
  out.set_content_type(field_text(content_type_of(record)));
  out.set_etag(entity_tag(record.etag));
  if (record.expires_at) set_timestamp(*out.mutable_expires(), *record.expires_at);
  if (!record.fields) return;
  set_timestamp(*out.mutable_created(), record.fields->created);
  out.set_created_by(field_text(record.fields->created_by));
  set_timestamp(*out.mutable_modified(), record.fields->modified);
  out.set_modified_by(field_text(record.fields->modified_by));
  for (const auto& [name, value] : record.fields->tags) (*out.mutable_tags())[field_text(name)] = field_text(value);
}

void fill_failure(pb::Failure& out, const Error& error) {
  out.set_code(static_cast<int>(v2_grpc_code(error.code)));
  out.set_reason(std::string(v2_reason(error.code)));
  out.set_message(field_text(error.message));
  if (!error.current_etag.empty()) out.set_current_etag(entity_tag(error.current_etag));
}

void fill_result(pb::WriteResult& out, const RecordPlace& place, const Command& command, const Outcome& outcome) {
  out.set_key(key_of(command));
  if (outcome.existed) out.set_existed(*outcome.existed);
  const auto* put = std::get_if<PutCommand>(&command);
  if (put == nullptr) return;
  out.set_etag(outcome.etag);
  if (outcome.created) out.set_created(*outcome.created);
  if (!put->want_record) return;
  fill_record(*out.mutable_record(), place, put->key, outcome.record);
  out.mutable_record()->set_value(put->value);
}

Result<std::optional<Milliseconds>> ttl_of(std::int64_t ttl_ms) {
  if (ttl_ms < -1) return fail(Errc::invalid_argument, "ttl_ms is below -1");
  if (ttl_ms <= 0) return std::nullopt;
  return Milliseconds(ttl_ms);
}

Result<Command> put_of(pb::WriteOperation& from, bool want_record) {
  pb::WriteOperation::Put& put = *from.mutable_put();
  auto ttl = ttl_of(put.ttl_ms());
  if (!ttl) return fail(std::move(ttl.error()));
  PutCommand command;
  command.key = from.key();
  command.value = std::move(*put.mutable_value());
  command.content_type = put.content_type();
  command.when = conditions_of(from.when());
  command.ttl = *ttl;
  command.tags = pairs_of(put.tags());
  command.indexes = pairs_of(put.indexes());
  command.created_by = put.created_by();
  command.modified_by = put.modified_by();
  command.want_record = want_record;
  return command;
}

Result<std::vector<Command>> commands_of(google::protobuf::RepeatedPtrField<pb::WriteOperation>& from,
                                         std::string_view list, bool want_records) {
  std::vector<Command> commands;
  for (pb::WriteOperation& operation : from) {
    Result<Command> command = fail(Errc::invalid_argument, "there is neither put, delete nor check");
    if (operation.has_put()) command = put_of(operation, want_records);
    if (operation.has_delete_()) command = DeleteCommand{operation.key(), conditions_of(operation.when())};
    if (operation.has_check()) command = CheckCommand{operation.key(), conditions_of(operation.when())};
    if (!command) return fail(with_context(std::move(command.error()), fmt::format("{}[{}]", list, commands.size())));
    commands.push_back(std::move(*command));
  }
  return commands;
}

std::string increment_json(const pb::Increment& from) {
  std::string out = "{";
  const auto add = [&out](std::string_view name, const std::string& number) {
    if (!number.empty()) out += fmt::format("{}\"{}\":{}", out.size() > 1 ? "," : "", name, number);
  };
  add("by", from.by());
  add("initial", from.initial());
  add("min", from.min());
  add("max", from.max());
  return out + "}";
}

Result<PatchCommand> patch_of(pb::PatchRequest& from) {
  PatchCommand command;
  switch (from.patch_case()) {
    case pb::PatchRequest::kMerge:
      command.kind = PatchCommand::Kind::merge;
      command.body = std::move(*from.mutable_merge());
      break;
    case pb::PatchRequest::kIncrement:
      command.kind = PatchCommand::Kind::increment;
      command.body = increment_json(from.increment());
      break;
    case pb::PatchRequest::kAppend:
      command.kind = PatchCommand::Kind::append;
      command.body = std::move(*from.mutable_append());
      break;
    case pb::PatchRequest::kAppendElement:
      command.kind = PatchCommand::Kind::append_element;
      command.body = std::move(*from.mutable_append_element());
      break;
    default:
      return fail(Errc::invalid_argument, "there is no patch; set merge, increment, append or append_element");
  }
  if (from.has_ttl_ms()) {
    auto ttl = ttl_of(from.ttl_ms());
    if (!ttl) return fail(std::move(ttl.error()));
    command.ttl = ttl->value_or(Milliseconds(0));
  }
  command.key = from.key();
  command.when = conditions_of(from.when());
  command.want_record = from.want_record();
  command.modified_by = from.modified_by();
  return command;
}

class HoldfastV2 final : public GrpcService {
 public:
  HoldfastV2(service::Service& service, const service::Runtime& runtime) : v2_(service, runtime) {
    const auto add = [this](const char* name, auto method) {
      unary_.emplace(std::string("/holdfast.v2.State/") + name,
                     [this, method](GrpcCall& call) { return (this->*method)(call); });
    };
    add("Put", &HoldfastV2::put);
    add("Get", &HoldfastV2::get);
    add("Delete", &HoldfastV2::erase);
    add("Patch", &HoldfastV2::patch);
    add("List", &HoldfastV2::list);
    add("DeletePrefix", &HoldfastV2::erase_prefix);
    add("BatchGet", &HoldfastV2::batch_get);
    add("BatchWrite", &HoldfastV2::batch_write);
    add("Transact", &HoldfastV2::transact);
  }

 private:
  // Reads the request and finds its store; else the status that the call ends with.
  template <class Request>
  std::expected<service::StoreRef, GrpcStatus> begin(GrpcCall& call, Request& request) {
    if (!parse_message(call.message, request)) return std::unexpected(malformed());
    auto entry = v2_.find_store(request.store());
    if (!entry) return std::unexpected(failure(entry.error()));
    call.context.consistency = level_of(request.consistency());
    return std::move(*entry);
  }
  static GrpcStatus answered(GrpcCall& call, const google::protobuf::MessageLite& response) {
    response.AppendToString(&call.out);
    return GrpcStatus::ok();
  }

  Task<GrpcStatus> put(GrpcCall& call) {
    pb::PutRequest request;
    const auto entry = begin(call, request);
    if (!entry) co_return entry.error();
    const auto ttl = ttl_of(request.ttl_ms());
    if (!ttl) co_return failure(ttl.error());
    PutCommand command;
    command.key = request.key();
    command.value = std::move(*request.mutable_value());
    command.content_type = request.content_type();
    command.when = conditions_of(request.when());
    command.ttl = *ttl;
    command.tags = pairs_of(request.tags());
    command.indexes = pairs_of(request.indexes());
    command.want_record = request.want_record();
    command.created_by = request.created_by();
    command.modified_by = request.modified_by();
    auto outcome = co_await v2_.put(**entry, call.context, command);
    if (!outcome) co_return failure(outcome.error());
    pb::PutResponse response;
    response.set_etag(outcome->etag);
    if (outcome->created) response.set_created(*outcome->created);
    if (command.want_record) {
      outcome->record.value = std::move(command.value);
      fill_record(*response.mutable_record(), {**entry, call.context.isolation}, request.key(), outcome->record);
    }
    co_return answered(call, response);
  }

  Task<GrpcStatus> get(GrpcCall& call) {
    pb::GetRequest request;
    const auto entry = begin(call, request);
    if (!entry) co_return entry.error();
    const auto record = co_await v2_.get(**entry, call.context, request.key(), !request.without_value());
    if (!record) co_return failure(record.error());
    if (!*record)
      co_return failure(Error(Errc::not_found, fmt::format("state store {} holds no record under this key", request.store())));
    pb::Record response;
    fill_record(response, {**entry, call.context.isolation}, request.key(), **record);
    co_return answered(call, response);
  }

  Task<GrpcStatus> erase(GrpcCall& call) {
    pb::DeleteRequest request;
    const auto entry = begin(call, request);
    if (!entry) co_return entry.error();
    Conditions when = conditions_of(request.when());
    const auto deleted = co_await v2_.erase(**entry, call.context, request.key(), when);
    if (!deleted) co_return failure(deleted.error());
    pb::DeleteResponse response;
    if (deleted->existed) response.set_existed(*deleted->existed);
    co_return answered(call, response);
  }

  Task<GrpcStatus> list(GrpcCall& call) {
    pb::ListRequest request;
    const auto entry = begin(call, request);
    if (!entry) co_return entry.error();
    if (request.has_like() && request.like().empty())
      co_return failure(Error(Errc::invalid_argument, "like is an empty pattern, which matches no key"));
    ListCommand command{request.prefix(), request.like(),        request.cursor(),
                        request.limit(),  request.want_values(), pairs_of(request.tags())};
    const auto listing = co_await v2_.list(**entry, call.context, command);
    if (!listing) co_return failure(listing.error());
    pb::ListResponse response;
    for (const auto& item : listing->items) {
      if (command.want_values) {
        fill_record(*response.add_items(), {**entry, call.context.isolation}, item.key, item.record);
      } else {
        auto& brief = *response.add_items();
        brief.set_key(field_text(item.key));
        brief.set_etag(entity_tag(item.record.etag));
      }
    }
    response.set_cursor(listing->cursor);
    co_return answered(call, response);
  }

  Task<GrpcStatus> erase_prefix(GrpcCall& call) {
    pb::DeletePrefixRequest request;
    const auto entry = begin(call, request);
    if (!entry) co_return entry.error();
    const auto erased =
        co_await v2_.erase_prefix(**entry, call.context, request.prefix(), request.all(), request.limit());
    if (!erased) co_return failure(erased.error());
    pb::DeletePrefixResponse response;
    response.set_deleted(erased->erased);
    response.set_more(erased->is_more);
    co_return answered(call, response);
  }

  Task<GrpcStatus> patch(GrpcCall& call) {
    pb::PatchRequest request;
    const auto entry = begin(call, request);
    if (!entry) co_return entry.error();
    auto command = patch_of(request);
    if (!command) co_return failure(command.error());
    const auto outcome = co_await v2_.patch(**entry, call.context, *command);
    if (!outcome) co_return failure(outcome.error());
    pb::PatchResponse response;
    response.set_etag(outcome->etag);
    if (outcome->created) response.set_created(*outcome->created);
    response.set_value(outcome->record.value);
    if (command->want_record)
      fill_record(*response.mutable_record(), {**entry, call.context.isolation}, request.key(), outcome->record);
    co_return answered(call, response);
  }

  Task<GrpcStatus> batch_get(GrpcCall& call) {
    pb::BatchGetRequest request;
    const auto entry = begin(call, request);
    if (!entry) co_return entry.error();
    const std::vector<std::string> keys(request.keys().begin(), request.keys().end());
    const auto records = co_await v2_.batch_get(**entry, call.context, keys, !request.without_values());
    if (!records) co_return failure(records.error());
    pb::BatchGetResponse response;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      pb::BatchGetResponse::Item& item = *response.add_items();
      item.set_key(keys[i]);
      const auto& found = (*records)[i];
      if (!found)
        fill_failure(*item.mutable_failure(), found.error());
      else if (*found)
        fill_record(*item.mutable_record(), {**entry, call.context.isolation}, keys[i], **found);
      else
        fill_failure(*item.mutable_failure(), Error(Errc::not_found, "there is no record under this key"));
    }
    co_return answered(call, response);
  }

  Task<GrpcStatus> batch_write(GrpcCall& call) {
    pb::BatchWriteRequest request;
    const auto entry = begin(call, request);
    if (!entry) co_return entry.error();
    auto commands = commands_of(*request.mutable_items(), "items", request.want_records());
    if (!commands) co_return failure(commands.error());
    const auto results = co_await v2_.batch_write(**entry, call.context, *commands);
    if (!results) co_return failure(results.error());
    pb::BatchWriteResponse response;
    for (std::size_t i = 0; i < results->size(); ++i) {
      pb::WriteResult& item = *response.add_items();
      if ((*results)[i]) {
        fill_result(item, {**entry, call.context.isolation}, (*commands)[i], *(*results)[i]);
      } else {
        item.set_key(key_of((*commands)[i]));
        fill_failure(*item.mutable_failure(), (*results)[i].error());
      }
    }
    co_return answered(call, response);
  }

  Task<GrpcStatus> transact(GrpcCall& call) {
    pb::TransactRequest request;
    const auto entry = begin(call, request);
    if (!entry) co_return entry.error();
    auto commands = commands_of(*request.mutable_operations(), "operations", request.want_records());
    if (!commands) co_return failure(commands.error());
    const auto outcomes = co_await v2_.transact(**entry, call.context, *commands);
    if (!outcomes) co_return failure(outcomes.error());
    pb::TransactResponse response;
    for (std::size_t i = 0; i < outcomes->size(); ++i)
      fill_result(*response.add_results(), {**entry, call.context.isolation}, (*commands)[i], (*outcomes)[i]);
    co_return answered(call, response);
  }

  V2 v2_;
};

}  // namespace

std::unique_ptr<GrpcService> make_holdfast_v2(service::Service& service, const service::Runtime& runtime) {
  return std::make_unique<HoldfastV2>(service, runtime);
}

}  // namespace holdfast::api
