// As RemoteGrpcStore, with holdfast.v2.State's own calls for many records in the place of Dapr's: batches, transactions
// with every condition, patterns and deletion by prefix, queries and watches.
#pragma once

#include "conformance/remote/grpc_store.h"

namespace holdfast::conformance {

class RemoteGrpcManyStore final : public RemoteGrpcStore {
 public:
  // Watches come over connections of their own to `port`, and end on `loop`.
  RemoteGrpcManyStore(std::unique_ptr<GrpcClient> client, std::string store, const state::Capabilities& can,
                      std::uint16_t port, Scheduler& loop)
      : RemoteGrpcStore(std::move(client), std::move(store), can), port_(port), loop_(loop) {}

  Task<std::vector<Result<std::optional<state::Record>>>> get_many(
      state::CallContext context, std::span<const state::GetRequest> requests) override;
  Task<std::vector<Result<state::Written>>> set_many(state::CallContext context,
                                                     std::span<const state::SetRequest> requests) override;
  Task<std::vector<Result<state::Deleted>>> erase_many(state::CallContext context,
                                                       std::span<const state::DeleteRequest> requests) override;
  Task<Result<std::vector<state::Written>>> transact(state::CallContext context,
                                                     std::span<const state::Operation> operations) override;
  Task<Result<state::KeyPage>> keys_like(state::CallContext context, state::LikeRequest request) override;
  Task<Result<std::uint64_t>> erase_prefix(state::CallContext context, state::DeletePrefixRequest request) override;
  Task<Result<state::QueryPage>> query(state::CallContext context, const state::Query& query) override;
  Task<Result<std::unique_ptr<state::Watcher>>> watch(state::CallContext context, state::WatchRequest request) override;

 private:
  template <class Response, class Request>
  Result<Response> ask(std::string_view method, const Request& request);

  const std::uint16_t port_;
  Scheduler& loop_;
};

}  // namespace holdfast::conformance
