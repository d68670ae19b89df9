// Etcd stores on real servers, for the tests of this folder.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "state/component.h"
#include "stores/etcd/type.h"
#include "support/etcd_servers.h"
#include "support/loop_store.h"

namespace holdfast::stores::etcd {

using Fields = std::vector<std::pair<std::string, std::string>>;

inline state::Component component_of(Fields fields) {
  state::Component component;
  component.name = "etcd";
  component.type = "state.etcd";
  component.properties = std::move(fields);
  return component;
}

inline std::shared_ptr<state::StoreCore> core_of(const state::StoreType& type, Fields fields) {
  auto core = type.prepare(component_of(std::move(fields)), {.clock = Clock::system(), .loops = 1});
  if (!core) throw std::runtime_error(core.error().message);
  return *core;
}

}  // namespace holdfast::stores::etcd
