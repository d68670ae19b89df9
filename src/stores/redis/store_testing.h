// Redis stores on real servers, for the tests of this folder.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "state/component.h"
#include "stores/redis/type.h"
#include "support/loop_store.h"

namespace holdfast::stores::redis {

using Fields = std::vector<std::pair<std::string, std::string>>;

// Addresses as redisHost has them.
inline std::string joined(const std::vector<std::string>& addresses) {
  std::string out;
  for (const std::string& address : addresses) out += (out.empty() ? "" : ",") + address;
  return out;
}

inline state::Component component_of(Fields fields) {
  state::Component component;
  component.name = "redis";
  component.type = "state.redis";
  component.properties = std::move(fields);
  return component;
}

inline std::shared_ptr<state::StoreCore> core_of(const Fields& fields) {
  auto core = prepare_redis(component_of(fields), {.clock = Clock::system(), .loops = 1});
  if (!core) throw std::runtime_error(core.error().message);
  return *core;
}

}  // namespace holdfast::stores::redis
