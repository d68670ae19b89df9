// The state methods of dapr.proto.runtime.v1.Dapr. GetState, SaveState and GetBulkState, the hottest, are read and
// written by hand; the rest by libprotobuf.
#pragma once

#include "api/grpc/dispatch.h"
#include "wire/json/json.h"

namespace holdfast::api {

class DaprState final : public GrpcService {
 public:
  DaprState(service::Service& service, const service::Runtime& runtime);

  Task<GrpcStatus> get(GrpcCall& call);
  Task<GrpcStatus> save(GrpcCall& call);

 private:
  Task<GrpcStatus> bulk_get(GrpcCall& call);
  Task<GrpcStatus> erase(GrpcCall& call);
  Task<GrpcStatus> erase_bulk(GrpcCall& call);
  Task<GrpcStatus> transact(GrpcCall& call);
  Task<GrpcStatus> query(GrpcCall& call);

  V1 v1_;
  json::Parser parser_;
};

// Decoding of the hot requests, apart for tests and fuzzing. False for malformed input.
struct GetStateFields {
  std::string_view store;
  std::string_view key;
  std::uint64_t consistency = 0;
  state::Pairs metadata;
};
bool decode_get_state(std::string_view message, GetStateFields& out);
struct BulkGetFields {
  std::string_view store;
  std::vector<std::string_view> keys;
};
bool decode_bulk_get_state(std::string_view message, BulkGetFields& out);
struct SaveStateFields {
  std::string_view store;
  std::vector<V1Item> items;
};
bool decode_save_state(std::string_view message, SaveStateFields& out);

}  // namespace holdfast::api
