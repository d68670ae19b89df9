// A state store at the other end of gRPC: holdfast.v2.State for single keys and listing, Dapr's service for bulk calls
// and transactions.
#pragma once

#include <memory>
#include <string>

#include "conformance/remote/grpc_client.h"
#include "state/store.h"

namespace holdfast::v2 {
class ListRequest;
}

namespace holdfast::conformance {

class RemoteGrpcStore : public state::StateStore {
 public:
  RemoteGrpcStore(std::unique_ptr<GrpcClient> client, std::string store, const state::Capabilities& can)
      : client_(std::move(client)), store_(std::move(store)), can_(can) {}

  const state::Capabilities& capabilities() const override { return can_; }
  Task<Result<std::optional<state::Record>>> get(state::CallContext context, state::GetRequest request) override;
  Task<Result<state::Written>> set(state::CallContext context, state::SetRequest request) override;
  Task<Result<state::Deleted>> erase(state::CallContext context, state::DeleteRequest request) override;
  Task<std::vector<Result<std::optional<state::Record>>>> get_many(
      state::CallContext context, std::span<const state::GetRequest> requests) override;
  Task<std::vector<Result<state::Written>>> set_many(state::CallContext context,
                                                     std::span<const state::SetRequest> requests) override;
  Task<std::vector<Result<state::Deleted>>> erase_many(state::CallContext context,
                                                       std::span<const state::DeleteRequest> requests) override;
  Task<Result<std::vector<state::Written>>> transact(state::CallContext context,
                                                     std::span<const state::Operation> operations) override;
  Task<Result<state::ListPage>> list(state::CallContext context, state::ListRequest request) override;
  Task<Result<state::ListPage>> find(state::CallContext context, state::FindRequest request) override;
  Task<Status> ping(state::CallContext context) override;
  Task<Status> close(state::CallContext context) override;

 protected:
  const std::string& store() const { return store_; }
  // One of our calls: the message of its answer.
  Result<std::string> call_v2(std::string_view method, const std::string& message);

 private:
  // `ask` has what else than the request restricts the listing.
  Task<Result<state::ListPage>> list(state::ListRequest request, ::holdfast::v2::ListRequest ask);
  // The status of one of Dapr's calls, and its message into `out`.
  template <class Request, class Response>
  Status dapr(std::string_view method, const Request& request, Response& out);
  // The same of ours.
  template <class Request, class Response>
  Status v2(std::string_view method, const Request& request, Response& out);
  Result<std::vector<Result<std::optional<state::Record>>>> bulk_get(std::span<const state::GetRequest> requests);

  std::unique_ptr<GrpcClient> client_;
  std::string store_;
  state::Capabilities can_;
};

}  // namespace holdfast::conformance
