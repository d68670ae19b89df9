// Redis deployments as subjects of the conformance suite.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "conformance/loop_instance.h"
#include "stores/redis/store_testing.h"
#include "support/redis_servers.h"

namespace holdfast::conformance {

using stores::redis::Fields;

inline Subject subject(std::string name, std::function<Fields()> fields, std::string column = {}) {
  Subject subject;
  subject.name = std::move(name);
  subject.column = std::move(column);
  subject.start = [fields = std::move(fields)] {
    return std::make_shared<LoopInstance>(stores::redis::core_of(fields()));
  };
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
