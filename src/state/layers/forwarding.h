// A store that hands every call to another: the base of layers, which override what they care
// about. A call it hands on costs one virtual call and no coroutine.
#pragma once

#include <memory>
#include <utility>

#include "state/layers/layers.h"
#include "state/query.h"
#include "state/store.h"

namespace holdfast::state {

class ForwardingStore : public StateStore {
 public:
  explicit ForwardingStore(std::unique_ptr<StateStore> inner) : inner_(std::move(inner)) {}

  const Capabilities& capabilities() const override { return inner_->capabilities(); }
  Task<Result<std::optional<Record>>> get(CallContext context, GetRequest request) override {
    return inner_->get(context, request);
  }
  Task<Result<Written>> set(CallContext context, SetRequest request) override { return inner_->set(context, request); }
  Task<Result<Deleted>> erase(CallContext context, DeleteRequest request) override {
    return inner_->erase(context, request);
  }
  Task<std::vector<Result<std::optional<Record>>>> get_many(CallContext context,
                                                            std::span<const GetRequest> requests) override {
    return inner_->get_many(context, requests);
  }
  Task<std::vector<Result<Written>>> set_many(CallContext context, std::span<const SetRequest> requests) override {
    return inner_->set_many(context, requests);
  }
  Task<std::vector<Result<Deleted>>> erase_many(CallContext context, std::span<const DeleteRequest> requests) override {
    return inner_->erase_many(context, requests);
  }
  Task<Result<std::vector<Written>>> transact(CallContext context, std::span<const Operation> operations) override {
    return inner_->transact(context, operations);
  }
  Task<Result<ListPage>> list(CallContext context, ListRequest request) override {
    return inner_->list(context, request);
  }
  Task<Result<ListPage>> find(CallContext context, FindRequest request) override {
    return inner_->find(context, request);
  }
  Task<Result<KeyPage>> keys_like(CallContext context, LikeRequest request) override {
    return inner_->keys_like(context, request);
  }
  Task<Result<std::uint64_t>> erase_prefix(CallContext context, DeletePrefixRequest request) override {
    return inner_->erase_prefix(context, request);
  }
  Task<Result<QueryPage>> query(CallContext context, const Query& query) override {
    return inner_->query(context, query);
  }
  Task<Result<std::unique_ptr<Watcher>>> watch(CallContext context, WatchRequest request) override {
    return inner_->watch(context, request);
  }
  Task<Result<std::uint64_t>> erase_with_dapr_prefix(CallContext context, std::string_view prefix) override {
    return inner_->erase_with_dapr_prefix(context, prefix);
  }
  Task<Status> ping(CallContext context) override { return inner_->ping(context); }
  Task<Status> close(CallContext context) override { return inner_->close(context); }

 protected:
  StateStore& inner() { return *inner_; }

 private:
  std::unique_ptr<StateStore> inner_;
};

// The first error of a call's result; null when there is none.
template <class T>
const Error* error_in(const Result<T>& result) {
  return result ? nullptr : &result.error();
}
template <class T>
const Error* error_in(const std::vector<Result<T>>& results) {
  for (const Result<T>& result : results)
    if (!result) return &result.error();
  return nullptr;
}

// A layer that does something around every call, whatever the call: Self::run(kind, context, task)
// makes of the inner call's task the one that is handed out. close() passes through.
template <class Self>
class AroundStore : public ForwardingStore {
 public:
  using ForwardingStore::ForwardingStore;

  Task<Result<std::optional<Record>>> get(CallContext context, GetRequest request) override {
    return around(OperationKind::get, context, inner().get(context, request));
  }
  Task<Result<Written>> set(CallContext context, SetRequest request) override {
    return around(OperationKind::set, context, inner().set(context, request));
  }
  Task<Result<Deleted>> erase(CallContext context, DeleteRequest request) override {
    return around(OperationKind::erase, context, inner().erase(context, request));
  }
  Task<std::vector<Result<std::optional<Record>>>> get_many(CallContext context,
                                                            std::span<const GetRequest> requests) override {
    return around(OperationKind::bulk_get, context, inner().get_many(context, requests));
  }
  Task<std::vector<Result<Written>>> set_many(CallContext context, std::span<const SetRequest> requests) override {
    return around(OperationKind::bulk_set, context, inner().set_many(context, requests));
  }
  Task<std::vector<Result<Deleted>>> erase_many(CallContext context, std::span<const DeleteRequest> requests) override {
    return around(OperationKind::bulk_delete, context, inner().erase_many(context, requests));
  }
  Task<Result<std::vector<Written>>> transact(CallContext context, std::span<const Operation> operations) override {
    return around(OperationKind::transaction, context, inner().transact(context, operations));
  }
  Task<Result<ListPage>> list(CallContext context, ListRequest request) override {
    return around(OperationKind::list, context, inner().list(context, request));
  }
  Task<Result<ListPage>> find(CallContext context, FindRequest request) override {
    return around(OperationKind::find, context, inner().find(context, request));
  }
  Task<Result<KeyPage>> keys_like(CallContext context, LikeRequest request) override {
    return around(OperationKind::keys_like, context, inner().keys_like(context, request));
  }
  Task<Result<std::uint64_t>> erase_prefix(CallContext context, DeletePrefixRequest request) override {
    return around(OperationKind::delete_prefix, context, inner().erase_prefix(context, request));
  }
  Task<Result<QueryPage>> query(CallContext context, const Query& query) override {
    return around(OperationKind::query, context, inner().query(context, query));
  }
  Task<Result<std::unique_ptr<Watcher>>> watch(CallContext context, WatchRequest request) override {
    return around(OperationKind::watch, context, inner().watch(context, request));
  }
  Task<Result<std::uint64_t>> erase_with_dapr_prefix(CallContext context, std::string_view prefix) override {
    return around(OperationKind::delete_prefix, context, inner().erase_with_dapr_prefix(context, prefix));
  }
  Task<Status> ping(CallContext context) override {
    return around(OperationKind::ping, context, inner().ping(context));
  }

 private:
  template <class T>
  Task<T> around(OperationKind kind, const CallContext& context, Task<T> call) {
    return static_cast<Self*>(this)->run(kind, context, std::move(call));
  }
};

}  // namespace holdfast::state
