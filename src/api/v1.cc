#include "api/v1.h"

#include <fmt/format.h>

#include <array>
#include <deque>

#include "base/number.h"
#include "service/index_entries.h"

namespace holdfast::api {

using namespace state;
using service::Call;
using service::CallContext;
using service::Right;
using service::Rights;
using service::Scope;
using service::Service;
using service::StoreEntry;

namespace {

constexpr std::string_view kTtl = "ttlInSeconds";
constexpr std::string_view kSecondaryIndex = "secondaryIndex";

// The store-level checks of Dapr answer 500 / INTERNAL whatever is wrong with the request.
std::unexpected<Error> store_says(std::string message) { return fail(Errc::internal, std::move(message)); }

Result<std::optional<Milliseconds>> parse_ttl(const Pairs& metadata) {
  const std::string_view text = find_metadata(metadata, kTtl);
  if (text.empty()) return std::nullopt;
  std::int64_t seconds = 0;
  if (!read_number(text.substr(text.starts_with('+') ? 1 : 0), seconds))
    return store_says(fmt::format("{} value must be a valid integer: actual is '{}'", kTtl, text));
  if (seconds < -1 || seconds > std::numeric_limits<std::int32_t>::max())
    return store_says(fmt::format("{} value must be between -1 and 2147483647: actual is {}", kTtl, seconds));
  if (seconds <= 0) return std::nullopt;
  return std::chrono::seconds(seconds);
}

// Empty is unspecified; any other name than Dapr's two, or one of our six, is refused.
Result<Consistency> parse_level(std::string_view name) {
  if (name.empty()) return Consistency::unspecified;
  if (const auto level = parse_consistency(name)) return *level;
  return store_says(fmt::format("unrecognized consistency model '{}'", name));
}

}  // namespace

struct V1::Prepared {
  std::string_view etag;
  Pairs indexes;
};

std::string_view find_metadata(const Pairs& metadata, std::string_view name) {
  for (const auto& [key, value] : metadata)
    if (key == name) return value;
  return {};
}

void set_metadata(Pairs& metadata, std::string_view name, std::string_view value) {
  for (auto& [key, old] : metadata) {
    if (key == name) {
      old = value;
      return;
    }
  }
  metadata.emplace_back(name, value);
}

std::string ttl_expire_time(const Record& record) {
  return record.expires_at ? rfc3339_seconds(*record.expires_at) : std::string();
}

ApiResult<service::StoreRef> V1::find_store(std::string_view name, bool query_route) {
  if (service_.stores().empty()) return std::unexpected(store_not_configured(name, runtime_.app_id));
  service::StoreRef entry = service_.stores().find(name);
  if (entry == nullptr) return std::unexpected(store_not_found(name, runtime_.app_id, query_route));
  if (!entry->store) return std::unexpected(store_pending(name, entry->pending_reason));
  return entry;
}

namespace {

// etag, first-write and consistency of an item, as a precondition.
Result<Precondition> precondition_of(const V1Item& item, std::string_view& etag) {
  if (!item.concurrency.empty() && item.concurrency != "first-write" && item.concurrency != "last-write")
    return store_says(fmt::format("unrecognized concurrency model '{}'", item.concurrency));
  if (!item.etag.empty()) {
    etag = item.etag;
    return Precondition::one_of({&etag, 1});
  }
  return item.concurrency == "first-write" ? Precondition::absent() : Precondition::any();
}

Result<Consistency> level_of(const V1Item& item) {
  if (!item.consistency.empty()) return parse_level(item.consistency);
  // gRPC's enum has two values; the six names travel in item metadata.
  if (const auto level = parse_consistency(find_metadata(item.metadata, "consistency"))) return *level;
  return Consistency::unspecified;
}

}  // namespace

Result<SetRequest> V1::prepare_set(const StoreEntry& entry, const V1Item& item, Prepared& room, CallContext& context) {
  auto when = precondition_of(item, room.etag);
  if (!when) return fail(when.error());
  auto level = level_of(item);
  if (!level) return fail(level.error());
  auto ttl = parse_ttl(item.metadata);
  if (!ttl) return fail(ttl.error());
  context.consistency = *level;
  SetRequest request;
  request.key = item.key;
  request.value = item.value;
  request.shape = item.shape;
  request.when = *when;
  request.ttl = *ttl;
  // What the client said and no more: Redis keeps a document only for those who ask for one. Who reads a record without
  // a content type has it from the shape.
  request.content_type = find_metadata(item.metadata, "contentType");
  if (const std::string_view entries = find_metadata(item.metadata, kSecondaryIndex); !entries.empty()) {
    auto parsed = service::parse_index_entries(entries);
    if (!parsed) return fail(std::move(parsed.error()));
    request.indexes = room.indexes = std::move(*parsed);
  }
  if (entry.trust_created_by) {
    request.created_by = find_metadata(item.metadata, "createdBy");
    request.modified_by = find_metadata(item.metadata, "modifiedBy");
  }
  return request;
}

Result<DeleteRequest> V1::prepare_delete(const V1Item& item, Prepared& room, CallContext& context) {
  auto when = precondition_of(item, room.etag);
  if (!when) return fail(when.error());
  auto level = level_of(item);
  if (!level) return fail(level.error());
  context.consistency = *level;
  return DeleteRequest{item.key, *when};
}

namespace {

ApiError not_reached(Error error) {
  return error.code == Errc::denied ? permission_denied(std::move(error.message))
                                    : malformed_request(std::move(error.message));
}

// What speaks against a call as a whole: an illegal key, its token, its isolation key. Asked before anything is
// prepared: Dapr's texts for what a store answers, and the statuses that it gives them, are not for these.
template <class Items, class KeyOf>
std::optional<ApiError> objection(const StoreEntry& entry, const CallContext& context, Rights needed,
                                  const Items& items, KeyOf key_of) {
  for (const auto& item : items)
    if (auto ok = Service::check_key(key_of(item)); !ok) return illegal_key(entry.name, key_of(item), false);
  if (Scope::is_open(entry, context)) return std::nullopt;
  const auto scope = Scope::enter(entry, context, needed);
  if (!scope) return not_reached(scope.error());
  for (const auto& item : items)
    if (auto ok = scope->check_key(key_of(item)); !ok) return not_reached(std::move(ok.error()));
  return std::nullopt;
}

// Index entries that are none, or too many: not Dapr's to name, and the client's to mend, so 400.
std::optional<ApiError> objection_to_entries(const V1Item& item) {
  const std::string_view entries = find_metadata(item.metadata, kSecondaryIndex);
  if (entries.empty()) return std::nullopt;
  auto parsed = service::parse_index_entries(entries);
  if (parsed) return std::nullopt;
  return malformed_request(fmt::format("{} of key {}: {}", kSecondaryIndex, item.key, parsed.error().message));
}

constexpr auto kItself = [](std::string_view key) { return key; };
constexpr auto kOfItem = [](const V1Item& item) { return std::string_view(item.key); };
constexpr auto kOfOperation = [](const V1Operation& operation) { return std::string_view(operation.item.key); };

// The requests of the items that can be prepared, and the failures of the others. The call runs at the strongest level
// that any item asks for.
template <class Request, class Room, class Prepare>
std::vector<Request> prepare_all(std::vector<V1Item>& items, std::vector<Room>& room, CallContext& context,
                                 std::vector<Error>& errors, Prepare prepare) {
  std::vector<Request> requests;
  requests.reserve(items.size());
  Consistency strongest = Consistency::unspecified;
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto request = prepare(items[i], room[i]);
    if (request) {
      requests.push_back(*request);
      strongest = std::max(strongest, context.consistency);
    } else {
      errors.push_back(std::move(request.error()));
    }
  }
  context.consistency = strongest;
  return requests;
}

}  // namespace

Task<ApiResult<std::optional<Record>>> V1::get(StoreEntry& entry, CallContext context, std::string key,
                                               std::string consistency) {
  const std::string_view keys[] = {key};
  if (auto refused = objection(entry, context, Right::get, keys, kItself))
    co_return std::unexpected(std::move(*refused));
  // Dapr's stores ignore a level they do not know on reads.
  context.consistency = parse_consistency(consistency).value_or(Consistency::unspecified);
  GetRequest request;
  request.key = key;
  auto record = co_await service_.get(Call{entry, context}, request);
  if (!record) co_return std::unexpected(get_failed(entry.name, key, record.error()));
  if (*record && entry.dapr_hides_empty && (*record)->value.empty() && protocol_ == Protocol::http)
    co_return std::nullopt;
  co_return std::move(*record);
}

Task<ApiResult<std::vector<Result<std::optional<Record>>>>> V1::bulk_get(StoreEntry& entry, CallContext context,
                                                                         std::span<const std::string_view> keys) {
  if (auto refused = objection(entry, context, Right::get, keys, kItself))
    co_return std::unexpected(std::move(*refused));
  std::vector<GetRequest> requests(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) requests[i].key = keys[i];
  co_return co_await service_.get_many(Call{entry, context}, requests);
}

Task<ApiResult<bool>> V1::save(StoreEntry& entry, CallContext context, std::vector<V1Item>& items) {
  if (auto refused = objection(entry, context, Right::write, items, kOfItem))
    co_return std::unexpected(std::move(*refused));
  for (const V1Item& item : items)
    if (auto refused = objection_to_entries(item)) co_return std::unexpected(std::move(*refused));
  if (items.empty()) co_return true;
  if (items.size() == 1) {
    Prepared room;
    auto request = prepare_set(entry, items[0], room, context);
    if (!request) co_return std::unexpected(save_failed(entry.name, describe(request.error())));
    auto written = co_await service_.set(Call{entry, context}, *request);
    if (!written) co_return std::unexpected(save_failed(entry.name, describe(written.error())));
    co_return true;
  }
  std::vector<Error> errors;
  std::vector<Prepared> room(items.size());
  const auto requests = prepare_all<SetRequest>(items, room, context, errors, [&](V1Item& item, Prepared& held) {
    return prepare_set(entry, item, held, context);
  });
  const auto results = co_await service_.set_many(Call{entry, context}, requests);
  for (const auto& result : results)
    if (!result) errors.push_back(result.error());
  if (!errors.empty())
    co_return std::unexpected(save_failed(entry.name, describe_bulk(errors, protocol_ == Protocol::http)));
  co_return true;
}

Task<ApiResult<bool>> V1::erase(StoreEntry& entry, CallContext context, V1Item& item) {
  if (auto refused = objection(entry, context, Right::erase, std::span(&item, 1), kOfItem))
    co_return std::unexpected(std::move(*refused));
  Prepared room;
  auto request = prepare_delete(item, room, context);
  if (!request) co_return std::unexpected(delete_failed(item.key, request.error()));
  auto deleted = co_await service_.erase(Call{entry, context}, *request);
  if (!deleted) co_return std::unexpected(delete_failed(item.key, deleted.error()));
  co_return true;
}

Task<ApiResult<bool>> V1::erase_bulk(StoreEntry& entry, CallContext context, std::vector<V1Item>& items) {
  if (auto refused = objection(entry, context, Right::erase, items, kOfItem))
    co_return std::unexpected(std::move(*refused));
  std::vector<Error> errors;
  std::vector<Prepared> room(items.size());
  const auto requests = prepare_all<DeleteRequest>(items, room, context, errors, [&](V1Item& item, Prepared& held) {
    return prepare_delete(item, held, context);
  });
  const auto results = co_await service_.erase_many(Call{entry, context}, requests);
  for (const auto& result : results)
    if (!result) errors.push_back(result.error());
  if (errors.empty()) co_return true;
  const StoreFailure failure =
      items.size() == 1 ? describe(errors[0]) : describe_bulk(errors, protocol_ == Protocol::http);
  co_return std::unexpected(bulk_delete_failed(entry.name, failure));
}

Task<ApiResult<bool>> V1::transact(StoreEntry& entry, CallContext context, std::vector<V1Operation>& operations) {
  Rights needed;
  for (const V1Operation& operation : operations) needed |= operation.is_delete ? Right::erase : Right::write;
  if (auto refused = objection(entry, context, needed, operations, kOfOperation))
    co_return std::unexpected(std::move(*refused));
  for (const V1Operation& operation : operations)
    if (auto refused = operation.is_delete ? std::nullopt : objection_to_entries(operation.item))
      co_return std::unexpected(std::move(*refused));
  const std::uint32_t max = entry.store->capabilities().transaction_ops_max;
  if (max != kUnlimited && operations.size() > max)
    co_return std::unexpected(too_many_operations(entry.name, operations.size(), max));
  std::vector<Operation> prepared;
  std::vector<Prepared> room(operations.size());
  prepared.reserve(operations.size());
  Consistency strongest = Consistency::unspecified;
  for (std::size_t i = 0; i < operations.size(); ++i) {
    Error error;
    bool ok = true;
    if (operations[i].is_delete) {
      auto request = prepare_delete(operations[i].item, room[i], context);
      ok = request.has_value();
      if (ok) prepared.emplace_back(*request);
      else error = request.error();
    } else {
      auto request = prepare_set(entry, operations[i].item, room[i], context);
      ok = request.has_value();
      if (ok) prepared.emplace_back(*request);
      else error = request.error();
    }
    if (!ok) co_return std::unexpected(transaction_failed(error));
    strongest = std::max(strongest, context.consistency);
  }
  context.consistency = strongest;
  auto done = co_await service_.transact(Call{entry, context}, prepared);
  if (!done) co_return std::unexpected(transaction_failed(done.error()));
  co_return true;
}

Task<ApiResult<QueryPage>> V1::query(StoreEntry& entry, CallContext context, std::string text, std::string index) {
  if (!entry.dapr_declares("QUERY_API") && !(entry.v1_query && entry.store->capabilities().query))
    co_return std::unexpected(query_unsupported(entry.name));
  if (auto refused = objection(entry, context, {Right::get, Right::list}, std::span<const std::string_view>(), kItself))
    co_return std::unexpected(std::move(*refused));
  auto query = parse_query(text);
  if (!query)
    co_return std::unexpected(query_failed(entry.name, "failed to parse JSON query body: " + query.error().message));
  query->index = std::move(index);
  auto page = co_await service_.query(Call{entry, context}, std::move(*query));
  if (!page) co_return std::unexpected(query_failed(entry.name, page.error().message));
  co_return std::move(*page);
}

}  // namespace holdfast::api
