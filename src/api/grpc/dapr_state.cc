#include "api/grpc/dapr_state.h"

#include "api/grpc/messages.h"
#include "base/encoding.h"
#include "dapr/proto/runtime/v1/dapr.pb.h"
#include "wire/protobuf/fields.h"

namespace holdfast::api {

namespace pb = ::dapr::proto::runtime::v1;
namespace common = ::dapr::proto::common::v1;
using grpc::Code;

namespace {

constexpr std::string_view kService = "/dapr.proto.runtime.v1.Dapr/";

// An enum is the low 32 bits of its varint, as libprotobuf reads it.
std::string_view concurrency_name(std::uint64_t varint) {
  const auto number = static_cast<std::uint32_t>(varint);
  return number == 1 ? "first-write" : number == 2 ? "last-write" : "";
}
std::string_view consistency_name(std::uint64_t varint) {
  const auto number = static_cast<std::uint32_t>(varint);
  return number == 1 ? "eventual" : number == 2 ? "strong" : "";
}

bool decode_etag(std::string_view message, std::string& out) {
  protobuf::Reader r(message);
  while (r.next())
    if (r.field() == 1 && r.is_bytes()) out = r.bytes();
  return r.ok() && is_utf8(out);
}

bool decode_options(std::string_view message, V1Item& item) {
  protobuf::Reader r(message);
  while (r.next()) {
    if (r.field() == 1 && r.is_varint()) item.concurrency = concurrency_name(r.varint());
    if (r.field() == 2 && r.is_varint()) item.consistency = consistency_name(r.varint());
  }
  return r.ok();
}

bool decode_state_item(std::string_view message, V1Item& item) {
  protobuf::Reader r(message);
  bool ok = true;
  while (ok && r.next()) {
    if (!r.is_bytes()) continue;
    switch (r.field()) {
      case 1: item.key = r.bytes(); break;
      case 2: item.value = r.bytes(); break;
      case 3: ok = decode_etag(r.bytes(), item.etag); break;
      case 4: ok = decode_map_entry(r.bytes(), item.metadata); break;
      case 5: ok = decode_options(r.bytes(), item); break;
      default: break;
    }
  }
  return ok && r.ok() && is_utf8(item.key);
}

GrpcStatus malformed() { return {Code::internal, "grpc: failed to unmarshal the received message", {}}; }

// A level named in request metadata goes beyond the enum's two.
std::string level_of(std::string_view by_enum, const state::Pairs& metadata) {
  const std::string_view named = find_metadata(metadata, "consistency");
  return std::string(named.empty() ? by_enum : named);
}

V1Item item_of(const common::StateItem& from) {
  V1Item item;
  item.key = from.key();
  item.value = from.value();
  item.etag = from.etag().value();
  item.concurrency = concurrency_name(static_cast<std::uint64_t>(from.options().concurrency()));
  item.consistency = consistency_name(static_cast<std::uint64_t>(from.options().consistency()));
  item.metadata = pairs_of(from.metadata());
  return item;
}

}  // namespace

bool decode_get_state(std::string_view message, GetStateFields& out) {
  protobuf::Reader r(message);
  while (r.next()) {
    if (r.is_varint()) {
      if (r.field() == 3) out.consistency = r.varint();
    } else if (r.is_bytes()) {
      if (r.field() == 1) out.store = r.bytes();
      if (r.field() == 2) out.key = r.bytes();
      if (r.field() == 4 && !decode_map_entry(r.bytes(), out.metadata)) return false;
    }
  }
  return r.ok() && is_utf8(out.store) && is_utf8(out.key);
}

bool decode_bulk_get_state(std::string_view message, BulkGetFields& out) {
  protobuf::Reader r(message);
  while (r.next()) {
    if (!r.is_bytes()) continue;
    if (r.field() == 1) out.store = r.bytes();
    if (r.field() == 2) {
      if (!is_utf8(r.bytes())) return false;
      out.keys.push_back(r.bytes());
    }
    // Dapr's metadata of a bulk get changes nothing; that it is malformed does.
    state::Pairs metadata;
    if (r.field() == 4 && !decode_map_entry(r.bytes(), metadata)) return false;
  }
  return r.ok() && is_utf8(out.store);
}

bool decode_save_state(std::string_view message, SaveStateFields& out) {
  protobuf::Reader r(message);
  while (r.next()) {
    if (!r.is_bytes()) continue;
    if (r.field() == 1) out.store = r.bytes();
    if (r.field() == 2 && !decode_state_item(r.bytes(), out.items.emplace_back())) return false;
  }
  return r.ok() && is_utf8(out.store);
}

DaprState::DaprState(service::Service& service, const service::Runtime& runtime)
    : v1_(service, runtime, V1::Protocol::grpc) {
  const auto add = [this](std::string_view name, auto method) {
    unary_.emplace(std::string(kService) + std::string(name), [this, method](GrpcCall& call) { return (this->*method)(call); });
  };
  add("GetState", &DaprState::get);
  add("SaveState", &DaprState::save);
  add("GetBulkState", &DaprState::bulk_get);
  add("DeleteState", &DaprState::erase);
  add("DeleteBulkState", &DaprState::erase_bulk);
  add("ExecuteStateTransaction", &DaprState::transact);
  add("QueryStateAlpha1", &DaprState::query);
}

Task<GrpcStatus> DaprState::get(GrpcCall& call) {
  GetStateFields fields;
  if (!decode_get_state(call.message, fields)) co_return malformed();
  const auto entry = v1_.find_store(fields.store);
  if (!entry) co_return grpc_status(entry.error());
  const auto record = co_await v1_.get(**entry, call.context, std::string(fields.key),
                                       level_of(consistency_name(fields.consistency), fields.metadata));
  if (!record) co_return grpc_status(record.error());
  if (!*record) co_return GrpcStatus::ok();
  protobuf::append_bytes(call.out, 1, (*record)->value);
  protobuf::append_bytes(call.out, 2, (*record)->etag);
  if ((*record)->expires_at) protobuf::append_map_entry(call.out, 3, "ttlExpireTime", ttl_expire_time(**record));
  co_return GrpcStatus::ok();
}

Task<GrpcStatus> DaprState::save(GrpcCall& call) {
  SaveStateFields fields;
  if (!decode_save_state(call.message, fields)) co_return malformed();
  const auto entry = v1_.find_store(fields.store);
  if (!entry) co_return grpc_status(entry.error());
  for (V1Item& item : fields.items) {
    if (item.key.empty()) {
      ApiError error;
      error.http = 400;
      error.grpc = Code::invalid_argument;
      error.message = "state key cannot be empty";
      error.with(error_info("ERR_STATE_SAVE"));
      co_return grpc_status(error);
    }
    if (find_metadata(item.metadata, "contentType") != "application/json") continue;
    const auto parsed = parser_.parse(item.value, json::Reading::whole_text);
    if (!parsed) co_return GrpcStatus{Code::unknown, parsed.error().message, {}};
    std::string text;
    json::append_go(text, *parsed);
    item.value = std::move(text);
    item.shape = state::Shape::json;
  }
  const auto done = co_await v1_.save(**entry, call.context, fields.items);
  co_return done ? GrpcStatus::ok() : grpc_status(done.error());
}

namespace {

// One BulkStateItem, whose size has to stand in front of it.
void append_bulk_item(std::string& out, std::string_view key, const Result<std::optional<state::Record>>& result) {
  static constexpr std::string_view kExpires = "ttlExpireTime";
  using protobuf::bytes_field_size;
  std::string_view value, etag;
  std::string error, expires;
  if (!result) {
    error = describe(result.error()).text;
  } else if (const auto& record = *result) {
    value = record->value;
    etag = record->etag;
    expires = ttl_expire_time(*record);
  }
  protobuf::append_message_head(out, 1,
                                bytes_field_size(key) + bytes_field_size(value) + bytes_field_size(etag) +
                                    bytes_field_size(error) +
                                    (expires.empty() ? 0 : protobuf::map_entry_size(kExpires, expires)));
  protobuf::append_bytes(out, 1, key);
  protobuf::append_bytes(out, 2, value);
  protobuf::append_bytes(out, 3, etag);
  protobuf::append_bytes(out, 4, error);
  if (!expires.empty()) protobuf::append_map_entry(out, 5, kExpires, expires);
}

}  // namespace

Task<GrpcStatus> DaprState::bulk_get(GrpcCall& call) {
  BulkGetFields fields;
  if (!decode_bulk_get_state(call.message, fields)) co_return malformed();
  const auto entry = v1_.find_store(fields.store);
  if (!entry) co_return grpc_status(entry.error());
  const auto records = co_await v1_.bulk_get(**entry, call.context, fields.keys);
  if (!records) co_return grpc_status(records.error());
  for (std::size_t i = 0; i < fields.keys.size(); ++i) append_bulk_item(call.out, fields.keys[i], (*records)[i]);
  co_return GrpcStatus::ok();
}

Task<GrpcStatus> DaprState::erase(GrpcCall& call) {
  pb::DeleteStateRequest request;
  if (!parse_message(call.message, request)) co_return malformed();
  const auto entry = v1_.find_store(request.store_name());
  if (!entry) co_return grpc_status(entry.error());
  V1Item item;
  item.key = request.key();
  item.etag = request.etag().value();
  item.concurrency = concurrency_name(static_cast<std::uint64_t>(request.options().concurrency()));
  item.consistency = consistency_name(static_cast<std::uint64_t>(request.options().consistency()));
  item.metadata = pairs_of(request.metadata());
  const auto done = co_await v1_.erase(**entry, call.context, item);
  co_return done ? GrpcStatus::ok() : grpc_status(done.error());
}

Task<GrpcStatus> DaprState::erase_bulk(GrpcCall& call) {
  pb::DeleteBulkStateRequest request;
  if (!parse_message(call.message, request)) co_return malformed();
  const auto entry = v1_.find_store(request.store_name());
  if (!entry) co_return grpc_status(entry.error());
  std::vector<V1Item> items;
  for (const common::StateItem& item : request.states()) items.push_back(item_of(item));
  const auto done = co_await v1_.erase_bulk(**entry, call.context, items);
  co_return done ? GrpcStatus::ok() : grpc_status(done.error());
}

Task<GrpcStatus> DaprState::transact(GrpcCall& call) {
  pb::ExecuteStateTransactionRequest request;
  if (!parse_message(call.message, request)) co_return malformed();
  const auto entry = v1_.find_store(request.storename());
  if (!entry) co_return grpc_status(entry.error());
  if ((*entry)->store->capabilities().transaction_ops_max == 0)
    co_return grpc_status(transactions_unsupported(request.storename()));
  std::vector<V1Operation> operations;
  for (const pb::TransactionalStateOperation& from : request.operations()) {
    if (!service::Service::check_key(from.request().key()))
      co_return grpc_status(illegal_key(request.storename(), from.request().key(), false));
    if (from.operationtype() != "upsert" && from.operationtype() != "delete")
      co_return grpc_status(bad_operation(from.operationtype()));
    operations.push_back({from.operationtype() == "delete", item_of(from.request())});
  }
  const auto done = co_await v1_.transact(**entry, call.context, operations);
  co_return done ? GrpcStatus::ok() : grpc_status(done.error());
}

Task<GrpcStatus> DaprState::query(GrpcCall& call) {
  pb::QueryStateRequest request;
  if (!parse_message(call.message, request)) co_return malformed();
  const auto entry = v1_.find_store(request.store_name(), true);
  if (!entry) co_return grpc_status(entry.error());
  const auto index = request.metadata().find(std::string(kQueryIndexName));
  const auto page = co_await v1_.query(**entry, call.context, request.query(),
                                       index == request.metadata().end() ? std::string() : index->second);
  if (!page) co_return grpc_status(page.error());
  if (page->items.empty()) co_return GrpcStatus::ok();
  pb::QueryStateResponse response;
  for (const auto& item : page->items) {
    auto& result = *response.add_results();
    result.set_key(item.key);
    result.set_data(item.record.value);
    result.set_etag(item.record.etag);
  }
  response.set_token(page->token);
  response.AppendToString(&call.out);
  co_return GrpcStatus::ok();
}

}  // namespace holdfast::api
