// A store with sockets as a subject of the conformance suite: handles on one component, each on a loop of its own,
// whose servers serve all cases, which keep to keys of their own.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <utility>

#include "conformance/conformance.h"
#include "support/loop_store.h"

namespace holdfast::conformance {

class LoopInstance final : public Instance {
 public:
  explicit LoopInstance(std::shared_ptr<state::StoreCore> core) : core_(std::move(core)) {}

  Result<std::unique_ptr<state::StateStore>> open(test::TestLoop& loop) override {
    test::LoopThread* thread = nullptr;
    {
      const std::lock_guard lock(mutex_);
      thread = &threads_.emplace_back();
    }
    return test::LoopStore::open(core_, *thread, loop);
  }

 private:
  const std::shared_ptr<state::StoreCore> core_;
  std::mutex mutex_;
  std::deque<test::LoopThread> threads_;
};

}  // namespace holdfast::conformance
