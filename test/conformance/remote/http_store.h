// A state store at the other end of HTTP: /v2 for single keys and listing, /v1.0 for bulk calls and transactions.
//
// Dapr's HTTP bodies carry JSON only. Bytes that go into one travel as a JSON string with a mark in front, and are
// unwrapped wherever a record comes back; single writes over /v2 keep their bytes as they are.
#pragma once

#include <memory>
#include <string>

#include "conformance/remote/http_client.h"
#include "state/store.h"
#include "wire/json/json.h"

namespace holdfast::conformance {

// A record document; its value is JSON, or bytes in base64. `has_fields`: the store keeps creation and modification
// data.
Result<state::ListedRecord> listed_record_of(json::Object from, bool has_fields);

class RemoteHttpStore : public state::StateStore {
 public:
  RemoteHttpStore(std::unique_ptr<HttpClient> client, std::string store, const state::Capabilities& can)
      : client_(std::move(client)), store_(std::move(store)), can_(can) {}

  const state::Capabilities& capabilities() const override { return can_; }
  Task<Result<std::optional<state::Record>>> get(state::CallContext context, state::GetRequest request) override;
  Task<Result<state::Written>> set(state::CallContext context, state::SetRequest request) override;
  Task<Result<state::Deleted>> erase(state::CallContext context, state::DeleteRequest request) override;
  Task<std::vector<Result<std::optional<state::Record>>>> get_many(
      state::CallContext context, std::span<const state::GetRequest> requests) override;
  Task<std::vector<Result<state::Written>>> set_many(state::CallContext context,
                                                     std::span<const state::SetRequest> requests) override;
  Task<Result<std::vector<state::Written>>> transact(state::CallContext context,
                                                     std::span<const state::Operation> operations) override;
  Task<Result<state::ListPage>> list(state::CallContext context, state::ListRequest request) override;
  Task<Result<state::ListPage>> find(state::CallContext context, state::FindRequest request) override;
  Task<Status> ping(state::CallContext context) override;
  Task<Status> close(state::CallContext context) override;

 protected:
  HttpClient& client() { return *client_; }
  const std::string& store() const { return store_; }
  Result<state::ListedRecord> read_record(json::Object from) const {
    return listed_record_of(from, can_.record_fields);
  }

 private:
  // `ask` has what else than the request restricts the listing.
  Task<Result<state::ListPage>> list(state::CallContext context, state::ListRequest request, HttpRequest ask);
  std::string target_of(std::string_view key) const;
  std::string v1_target(std::string_view verb) const;
  Result<state::Record> record_of(const HttpAnswer& answer, const state::GetRequest& request);
  Result<std::vector<Result<std::optional<state::Record>>>> bulk_get(std::span<const state::GetRequest> requests);

  std::unique_ptr<HttpClient> client_;
  std::string store_;
  state::Capabilities can_;
  json::Parser parser_;
};

}  // namespace holdfast::conformance
