// The least a store can be: reads, writes and deletes in a map. It declares no ability and refuses
// what needs one, so it shows what a store owes for what it does not declare.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "state/store.h"

namespace holdfast::test {

class MapStore final : public state::StateStore {
 public:
  // What the stores of all loops share.
  struct Data {
    std::mutex mutex;
    std::map<std::string, std::pair<std::string, state::Shape>, std::less<>> map;
  };

  explicit MapStore(std::shared_ptr<Data> data = std::make_shared<Data>()) : data_(std::move(data)) {
    can_.reads = state::Capabilities::always_strong();
    can_.writes = state::Capabilities::always_strong();
    can_.exact_json = true;
  }

  const state::Capabilities& capabilities() const override { return can_; }

  Task<Result<std::optional<state::Record>>> get(state::CallContext, state::GetRequest request) override {
    const std::lock_guard lock(data_->mutex);
    const auto found = data_->map.find(request.key);
    if (found == data_->map.end()) co_return std::nullopt;
    state::Record record;
    if (request.want_value) record.value = found->second.first;
    record.shape = found->second.second;
    co_return record;
  }
  Task<Result<state::Written>> set(state::CallContext, state::SetRequest request) override {
    if (request.when.kind != state::Precondition::Kind::any) co_return unsupported("conditional writes");
    if (request.ttl && request.ttl->count() > 0) co_return unsupported("a time to live");
    const std::lock_guard lock(data_->mutex);
    data_->map.insert_or_assign(std::string(request.key), std::pair(std::string(request.value), request.shape));
    co_return state::Written();
  }
  Task<Result<state::Deleted>> erase(state::CallContext, state::DeleteRequest request) override {
    if (request.when.kind != state::Precondition::Kind::any) co_return unsupported("conditional deletions");
    const std::lock_guard lock(data_->mutex);
    if (const auto found = data_->map.find(request.key); found != data_->map.end()) data_->map.erase(found);
    co_return state::Deleted();
  }
  Task<Status> ping(state::CallContext) override { co_return Status(); }
  Task<Status> close(state::CallContext) override { co_return Status(); }

 private:
  std::shared_ptr<Data> data_;
  state::Capabilities can_;
};

}  // namespace holdfast::test
