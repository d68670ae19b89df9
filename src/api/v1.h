// Dapr's state calls between decoding and encoding: what HTTP and gRPC share. Validation order, defaults and failures
// are Dapr's (doc/dapr-api.md); storage semantics are the store's.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "api/errors.h"
#include "service/runtime.h"
#include "service/service.h"

namespace holdfast::api {

template <class T>
using ApiResult = std::expected<T, ApiError>;

// One item of a save, a delete or a transaction, as a client sent it. Owns its bytes: the request's buffers and the
// JSON parser are reused while a store works.
struct V1Item {
  std::string key;
  std::string value;
  state::Shape shape = state::Shape::bytes;
  std::string etag;         // empty: none, as Dapr has it
  std::string concurrency;  // "", "first-write", "last-write"
  std::string consistency;
  state::Pairs metadata;
};

struct V1Operation {
  bool is_delete = false;
  V1Item item;
};

std::string_view find_metadata(const state::Pairs& metadata, std::string_view name);
// Replaces or adds.
void set_metadata(state::Pairs& metadata, std::string_view name, std::string_view value);
// Of a query's metadata: which of the store's indexes it asks.
inline constexpr std::string_view kQueryIndexName = "queryIndexName";

class V1 {
 public:
  enum class Protocol : std::uint8_t { http, grpc };

  V1(service::Service& service, const service::Runtime& runtime, Protocol protocol)
      : service_(service), runtime_(runtime), protocol_(protocol) {}

  ApiResult<service::StoreRef> find_store(std::string_view name, bool query_route = false);

  Task<ApiResult<std::optional<state::Record>>> get(service::StoreEntry& entry, service::CallContext context,
                                                    std::string key, std::string consistency);
  // A result for each key, in their order.
  Task<ApiResult<std::vector<Result<std::optional<state::Record>>>>> bulk_get(service::StoreEntry& entry,
                                                                              service::CallContext context,
                                                                              std::span<const std::string_view> keys);
  // Nothing is written when an item has no key, or an illegal one.
  Task<ApiResult<bool>> save(service::StoreEntry& entry, service::CallContext context, std::vector<V1Item>& items);
  Task<ApiResult<bool>> erase(service::StoreEntry& entry, service::CallContext context, V1Item& item);
  Task<ApiResult<bool>> erase_bulk(service::StoreEntry& entry, service::CallContext context,
                                   std::vector<V1Item>& items);
  Task<ApiResult<bool>> transact(service::StoreEntry& entry, service::CallContext context,
                                 std::vector<V1Operation>& operations);
  // `index`: request metadata queryIndexName.
  Task<ApiResult<state::QueryPage>> query(service::StoreEntry& entry, service::CallContext context, std::string query,
                                          std::string index);

 private:
  struct Prepared;
  // Options, TTL and authorship of an item; what Dapr's stores check, so a failure is this item's alone.
  Result<state::SetRequest> prepare_set(const service::StoreEntry& entry, const V1Item& item, Prepared& room,
                                        service::CallContext& context);
  Result<state::DeleteRequest> prepare_delete(const V1Item& item, Prepared& room, service::CallContext& context);

  service::Service& service_;
  const service::Runtime& runtime_;
  Protocol protocol_;
};

// "ttlExpireTime" of a record; empty when it does not expire.
std::string ttl_expire_time(const state::Record& record);

}  // namespace holdfast::api
