// PostgreSQL stores on real servers, for the tests of this folder.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "state/component.h"
#include "stores/postgresql/settings.h"
#include "stores/postgresql/type.h"
#include "support/loop_store.h"

namespace holdfast::stores::postgresql {

using Fields = std::vector<std::pair<std::string, std::string>>;

inline state::Component component_of(Fields fields, Layout layout) {
  state::Component component;
  component.name = "postgresql";
  component.type = "state.postgresql";
  component.version = layout == Layout::v1 ? "v1" : "v2";
  component.properties = std::move(fields);
  component.init_timeout = Milliseconds(20'000);  // the machine may be busy
  return component;
}

inline std::shared_ptr<state::StoreCore> core_of(const Fields& fields, Layout layout) {
  const auto prepare = layout == Layout::v1 ? prepare_v1 : prepare_v2;
  auto core = prepare(component_of(fields, layout), {.clock = Clock::system(), .loops = 1});
  if (!core) throw std::runtime_error(core.error().message);
  return *core;
}

}  // namespace holdfast::stores::postgresql
