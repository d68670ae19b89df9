// A store that lives on a net::Loop, used from a TestLoop: every call goes over to the loop's thread and comes back.
// For stores with sockets, whose tests run the suites that other stores run on a TestLoop.
#pragma once

#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "net/loop_thread.h"
#include "net/on_loop.h"
#include "state/query.h"
#include "state/store.h"

namespace holdfast::test {

using net::LoopThread;

// A watcher of the other loop. Each wait() fetches the event that the next take() gives.
class LoopWatcher final : public state::Watcher {
 public:
  LoopWatcher(std::unique_ptr<Watcher> inner, LoopThread& there, Scheduler& here)
      : inner_(std::move(inner)), there_(there), here_(here) {}
  ~LoopWatcher() override {
    std::promise<void> gone;
    there_.loop().post([&] {
      inner_.reset();
      gone.set_value();
    });
    gone.get_future().wait();
  }

  Task<bool> wait() override {
    if (event_ || cancelled_) co_return !cancelled_;
    co_await resume_on(there_.loop());
    std::optional<state::WatchEvent> event;
    while (!event && co_await inner_->wait()) event = inner_->poll();
    co_await resume_on(here_);
    event_ = std::move(event);
    co_return event_ && !cancelled_;
  }
  bool take(state::WatchEvent& event) override {
    if (cancelled_ || !event_) return false;
    event = std::move(*std::exchange(event_, std::nullopt));
    return true;
  }
  void cancel() override {
    cancelled_ = true;
    there_.loop().post([this] { inner_->cancel(); });
  }

 private:
  std::unique_ptr<Watcher> inner_;
  LoopThread& there_;
  Scheduler& here_;
  std::optional<state::WatchEvent> event_;
  bool cancelled_ = false;
};

class LoopStore final : public state::StateStore {
 public:
  // Opens a handle of `core` on the loop of `there`; both outlive it, and the core its closing.
  static Result<std::unique_ptr<StateStore>> open(std::shared_ptr<state::StoreCore> core, LoopThread& there,
                                                  Scheduler& here) {
    using Opened = Result<std::unique_ptr<StateStore>>;
    auto opened = net::on_loop<Opened>(there.loop(), Milliseconds(60'000),
                                       [core, &there] { return core->open(there.loop()); });
    if (!opened) throw std::runtime_error("the store did not open within a minute");
    if (!*opened) return fail((*opened).error());
    return std::unique_ptr<StateStore>(new LoopStore(std::move(core), there, here, std::move(**opened)));
  }
  ~LoopStore() override {
    std::promise<void> gone;
    there_.loop().post([&] {
      inner_.reset();
      gone.set_value();
    });
    gone.get_future().wait();
  }

  const state::Capabilities& capabilities() const override { return inner_->capabilities(); }
  Task<Result<std::optional<state::Record>>> get(state::CallContext context, state::GetRequest request) override {
    return there([=, this] { return inner_->get(context, request); });
  }
  Task<Result<state::Written>> set(state::CallContext context, state::SetRequest request) override {
    return there([=, this] { return inner_->set(context, request); });
  }
  Task<Result<state::Deleted>> erase(state::CallContext context, state::DeleteRequest request) override {
    return there([=, this] { return inner_->erase(context, request); });
  }
  Task<std::vector<Result<std::optional<state::Record>>>> get_many(
      state::CallContext context, std::span<const state::GetRequest> requests) override {
    return there([=, this] { return inner_->get_many(context, requests); });
  }
  Task<std::vector<Result<state::Written>>> set_many(state::CallContext context,
                                                     std::span<const state::SetRequest> requests) override {
    return there([=, this] { return inner_->set_many(context, requests); });
  }
  Task<std::vector<Result<state::Deleted>>> erase_many(state::CallContext context,
                                                       std::span<const state::DeleteRequest> requests) override {
    return there([=, this] { return inner_->erase_many(context, requests); });
  }
  Task<Result<std::vector<state::Written>>> transact(state::CallContext context,
                                                     std::span<const state::Operation> operations) override {
    return there([=, this] { return inner_->transact(context, operations); });
  }
  Task<Result<state::ListPage>> list(state::CallContext context, state::ListRequest request) override {
    return there([=, this] { return inner_->list(context, request); });
  }
  Task<Result<state::ListPage>> find(state::CallContext context, state::FindRequest request) override {
    return there([=, this] { return inner_->find(context, request); });
  }
  Task<Result<state::KeyPage>> keys_like(state::CallContext context, state::LikeRequest request) override {
    return there([=, this] { return inner_->keys_like(context, request); });
  }
  Task<Result<std::uint64_t>> erase_prefix(state::CallContext context, state::DeletePrefixRequest request) override {
    return there([=, this] { return inner_->erase_prefix(context, request); });
  }
  Task<Result<std::uint64_t>> erase_with_dapr_prefix(state::CallContext context, std::string_view prefix) override {
    return there([=, this] { return inner_->erase_with_dapr_prefix(context, prefix); });
  }
  Task<Result<state::QueryPage>> query(state::CallContext context, const state::Query& query) override {
    return there([this, context, &query] { return inner_->query(context, query); });
  }
  Task<Result<std::unique_ptr<state::Watcher>>> watch(state::CallContext context, state::WatchRequest request) override {
    auto watcher = co_await there([=, this] { return inner_->watch(context, request); });
    if (!watcher) co_return fail(std::move(watcher.error()));
    co_return std::make_unique<LoopWatcher>(std::move(*watcher), there_, here_);
  }
  Task<Status> ping(state::CallContext context) override {
    return there([=, this] { return inner_->ping(context); });
  }
  Task<Status> close(state::CallContext context) override {
    return there([=, this] { return inner_->close(context); });
  }

 private:
  LoopStore(std::shared_ptr<state::StoreCore> core, LoopThread& there, Scheduler& here,
            std::unique_ptr<StateStore> inner)
      : core_(std::move(core)), there_(there), here_(here), inner_(std::move(inner)) {}

  // `call` makes the inner task, on the other thread; kept in this frame, which the lambda is not.
  template <class Call>
  auto there(Call call) -> decltype(call()) {
    return hop<typename decltype(call())::value_type>(std::move(call));
  }
  template <class T, class Call>
  Task<T> hop(Call call) {
    co_await resume_on(there_.loop());
    T result = co_await call();
    co_await resume_on(here_);
    co_return std::move(result);
  }

  const std::shared_ptr<state::StoreCore> core_;
  LoopThread& there_;
  Scheduler& here_;
  std::unique_ptr<StateStore> inner_;
};

}  // namespace holdfast::test
