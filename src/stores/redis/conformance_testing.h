// Redis deployments as subjects of the conformance suite.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "conformance/conformance.h"
#include "stores/redis/store_testing.h"
#include "support/redis_servers.h"

namespace holdfast::conformance {

using stores::redis::Fields;

// Handles on one deployment, which serves all cases: each keeps to keys of its own.
class RedisInstance final : public Instance {
 public:
  explicit RedisInstance(const Fields& fields) : core_(stores::redis::core_of(fields)) {}

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

inline Subject subject(std::string name, std::function<Fields()> fields, std::string column = {}) {
  Subject subject;
  subject.name = std::move(name);
  subject.column = std::move(column);
  subject.start = [fields = std::move(fields)] { return std::make_shared<RedisInstance>(fields()); };
  return subject;
}

// Servers are started by the first case that needs them and end with the program. One of each type, and of each kind.
template <class Server>
Server& server() {
  static Server made;
  return made;
}
template <test::ServerKind kind>
test::RedisServer& server_of() {
  static test::RedisServer made(test::RedisOptions{.kind = kind});
  return made;
}

}  // namespace holdfast::conformance
