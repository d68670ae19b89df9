// holdfast.v2.State: our own API over gRPC.
#include <fmt/format.h>

#include <algorithm>
#include <expected>

#include "api/grpc/dispatch.h"
#include "api/grpc/messages.h"
#include "api/grpc/v2_record.h"
#include "api/grpc/v2_status.h"
#include "api/status_map.h"
#include "api/v2.h"
#include "holdfast/v2/state.pb.h"
#include "wire/protobuf/fields.h"

namespace holdfast::api {

namespace pb = ::holdfast::v2;

namespace {

state::Consistency level_of(int level) {
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

void fill_failure(pb::Failure& out, const Error& error) {
  out.set_code(static_cast<int>(v2_grpc_code(error.code)));
  out.set_reason(std::string(v2_reason(error.code)));
  out.set_message(field_text(error.message));
  if (!error.current_etag.empty()) out.set_current_etag(entity_tag(error.current_etag));
}

// A WriteResult as a field of the answer.
void append_result(std::string& out, int field, const RecordPlace& place, const Command& command,
                   const Outcome& outcome) {
  pb::WriteResult result;
  result.set_key(key_of(command));
  if (outcome.existed) result.set_existed(*outcome.existed);
  const auto* put = std::get_if<PutCommand>(&command);
  if (put != nullptr) result.set_etag(outcome.etag);
  if (put != nullptr && outcome.created) result.set_created(*outcome.created);
  std::string message = result.SerializeAsString();
  if (put != nullptr && put->want_record)
    append_record_field(message, pb::WriteResult::kRecordFieldNumber, place, put->key, outcome.record, put->value);
  protobuf::append_message(out, static_cast<std::uint32_t>(field), message);
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
    add("Query", &HoldfastV2::query);
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
    return begin(call, request.store(), static_cast<std::uint64_t>(request.consistency()));
  }
  // The same of a request that was read by hand.
  std::expected<service::StoreRef, GrpcStatus> begin(GrpcCall& call, std::string_view store,
                                                     std::uint64_t consistency) {
    auto entry = v2_.find_store(store);
    if (!entry) return std::unexpected(failure(entry.error()));
    call.context.consistency = level_of(static_cast<int>(consistency));
    return std::move(*entry);
  }
  static GrpcStatus answered(GrpcCall& call, const google::protobuf::MessageLite& response) {
    response.AppendToString(&call.out);
    return GrpcStatus::ok();
  }

  Task<GrpcStatus> put(GrpcCall& call) {
    PutRecordFields request;
    pb::Precondition when;
    const auto is_part = [&when](std::string_view part) { return when.MergeFromString(std::string(part)); };
    if (!decode_put_record(call.message, request) || !std::ranges::all_of(request.when, is_part)) co_return malformed();
    const auto entry = begin(call, request.store, request.consistency);
    if (!entry) co_return entry.error();
    const auto ttl = ttl_of(request.ttl_ms);
    if (!ttl) co_return failure(ttl.error());
    PutCommand command;
    command.key = request.key;
    command.value = request.value;
    command.content_type = request.content_type;
    command.when = conditions_of(when);
    command.ttl = *ttl;
    command.tags = std::move(request.tags);
    command.indexes = std::move(request.indexes);
    command.want_record = request.want_record;
    command.created_by = request.created_by;
    command.modified_by = request.modified_by;
    const auto outcome = co_await v2_.put(**entry, call.context, command);
    if (!outcome) co_return failure(outcome.error());
    append_put_response(call.out, outcome->etag, outcome->created);
    if (command.want_record)
      append_record_field(call.out, pb::PutResponse::kRecordFieldNumber, {**entry, call.context.isolation}, command.key,
                          outcome->record, command.value);
    co_return GrpcStatus::ok();
  }

  Task<GrpcStatus> get(GrpcCall& call) {
    GetRecordFields request;
    if (!decode_get_record(call.message, request)) co_return malformed();
    const auto entry = begin(call, request.store, request.consistency);
    if (!entry) co_return entry.error();
    const auto record = co_await v2_.get(**entry, call.context, request.key, !request.without_value);
    if (!record) co_return failure(record.error());
    if (!*record)
      co_return failure(
          Error(Errc::not_found, fmt::format("state store {} holds no record under this key", request.store)));
    append_record(call.out, {**entry, call.context.isolation}, request.key, **record, (*record)->value);
    co_return GrpcStatus::ok();
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
    ListCommand command{request.prefix(),      request.like(),           request.cursor(),           request.limit(),
                        request.want_values(), pairs_of(request.tags()), pairs_of(request.indexes())};
    const auto listing = co_await v2_.list(**entry, call.context, command);
    if (!listing) co_return failure(listing.error());
    using List = pb::ListResponse;
    for (const auto& item : listing->items) {
      if (command.want_values) {
        append_record_field(call.out, List::kItemsFieldNumber, {**entry, call.context.isolation}, item.key, item.record,
                            item.record.value);
      } else {
        pb::Record brief;
        brief.set_key(field_text(item.key));
        brief.set_etag(entity_tag(item.record.etag));
        protobuf::append_message(call.out, List::kItemsFieldNumber, brief.SerializeAsString());
      }
    }
    protobuf::append_bytes(call.out, List::kCursorFieldNumber, listing->cursor);
    co_return GrpcStatus::ok();
  }

  Task<GrpcStatus> query(GrpcCall& call) {
    pb::QueryRequest request;
    const auto entry = begin(call, request);
    if (!entry) co_return entry.error();
    QueryCommand command;
    if (auto ok = read_query(request.query(), command); !ok) co_return failure(ok.error());
    auto fields = Projection::of({request.fields().begin(), request.fields().end()});
    if (!fields) co_return failure(fields.error());
    command.fields = std::move(*fields);
    command.query.limit = request.limit();
    command.query.token = request.token();
    command.prefix = request.prefix();
    command.tags = pairs_of(request.tags());
    command.indexes = pairs_of(request.indexes());
    command.may_scan = request.scan();
    const auto page = co_await v2_.query(**entry, call.context, command);
    if (!page) co_return failure(page.error());
    for (const auto& item : page->items)
      append_record_field(call.out, pb::QueryResponse::kItemsFieldNumber, {**entry, call.context.isolation}, item.key,
                          item.record, item.record.value);
    protobuf::append_bytes(call.out, pb::QueryResponse::kTokenFieldNumber, page->token);
    co_return GrpcStatus::ok();
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
    response.AppendToString(&call.out);
    if (command->want_record)
      append_record_field(call.out, pb::PatchResponse::kRecordFieldNumber, {**entry, call.context.isolation},
                          request.key(), outcome->record, outcome->record.value);
    co_return GrpcStatus::ok();
  }

  Task<GrpcStatus> batch_get(GrpcCall& call) {
    pb::BatchGetRequest request;
    const auto entry = begin(call, request);
    if (!entry) co_return entry.error();
    const std::vector<std::string> keys(request.keys().begin(), request.keys().end());
    const auto records = co_await v2_.batch_get(**entry, call.context, keys, !request.without_values());
    if (!records) co_return failure(records.error());
    using Item = pb::BatchGetResponse::Item;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      Item item;
      item.set_key(keys[i]);
      const auto& found = (*records)[i];
      if (!found)
        fill_failure(*item.mutable_failure(), found.error());
      else if (!*found)
        fill_failure(*item.mutable_failure(), Error(Errc::not_found, "there is no record under this key"));
      std::string message = item.SerializeAsString();
      if (found && *found)
        append_record_field(message, Item::kRecordFieldNumber, {**entry, call.context.isolation}, keys[i], **found,
                            (*found)->value);
      protobuf::append_message(call.out, pb::BatchGetResponse::kItemsFieldNumber, message);
    }
    co_return GrpcStatus::ok();
  }

  Task<GrpcStatus> batch_write(GrpcCall& call) {
    pb::BatchWriteRequest request;
    const auto entry = begin(call, request);
    if (!entry) co_return entry.error();
    auto commands = commands_of(*request.mutable_items(), "items", request.want_records());
    if (!commands) co_return failure(commands.error());
    const auto results = co_await v2_.batch_write(**entry, call.context, *commands);
    if (!results) co_return failure(results.error());
    constexpr int kItems = pb::BatchWriteResponse::kItemsFieldNumber;
    for (std::size_t i = 0; i < results->size(); ++i) {
      if ((*results)[i]) {
        append_result(call.out, kItems, {**entry, call.context.isolation}, (*commands)[i], *(*results)[i]);
      } else {
        pb::WriteResult item;
        item.set_key(key_of((*commands)[i]));
        fill_failure(*item.mutable_failure(), (*results)[i].error());
        protobuf::append_message(call.out, kItems, item.SerializeAsString());
      }
    }
    co_return GrpcStatus::ok();
  }

  Task<GrpcStatus> transact(GrpcCall& call) {
    pb::TransactRequest request;
    const auto entry = begin(call, request);
    if (!entry) co_return entry.error();
    auto commands = commands_of(*request.mutable_operations(), "operations", request.want_records());
    if (!commands) co_return failure(commands.error());
    const auto outcomes = co_await v2_.transact(**entry, call.context, *commands);
    if (!outcomes) co_return failure(outcomes.error());
    for (std::size_t i = 0; i < outcomes->size(); ++i)
      append_result(call.out, pb::TransactResponse::kResultsFieldNumber, {**entry, call.context.isolation},
                    (*commands)[i], (*outcomes)[i]);
    co_return GrpcStatus::ok();
  }

  V2 v2_;
};

}  // namespace

std::unique_ptr<GrpcService> make_holdfast_v2(service::Service& service, const service::Runtime& runtime) {
  return std::make_unique<HoldfastV2>(service, runtime);
}

}  // namespace holdfast::api
