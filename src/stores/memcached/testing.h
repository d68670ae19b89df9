// memcached stores on real servers, for the tests of this folder.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "state/component.h"
#include "stores/memcached/type.h"
#include "support/loop_store.h"

namespace holdfast::stores::memcached {

using Fields = std::vector<std::pair<std::string, std::string>>;

// Patient enough for a busy machine, unless the fields say otherwise.
inline state::Component component_of(Fields fields) {
  state::Component component;
  component.name = "orders";
  component.type = "state.memcached";
  component.properties = {{"timeout", "30s"}};
  component.properties.insert(component.properties.end(), fields.begin(), fields.end());
  component.init_timeout = Milliseconds(30'000);
  return component;
}

inline std::shared_ptr<state::StoreCore> core_of(const Fields& fields) {
  auto core = prepare_memcached(component_of(fields), {.clock = Clock::system(), .loops = 1});
  if (!core) throw std::runtime_error(core.error().message);
  return *core;
}

}  // namespace holdfast::stores::memcached
