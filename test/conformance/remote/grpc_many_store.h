// As RemoteGrpcStore, with holdfast.v2.State's own calls for many records in the place of Dapr's: batches, transactions
// with every condition, patterns and deletion by prefix.
#pragma once

#include "conformance/remote/grpc_store.h"

namespace holdfast::conformance {

class RemoteGrpcManyStore final : public RemoteGrpcStore {
 public:
  using RemoteGrpcStore::RemoteGrpcStore;

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

 private:
  template <class Response, class Request>
  Result<Response> ask(std::string_view method, const Request& request);
};

}  // namespace holdfast::conformance
