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

inline state::Component component_of(Fields fields, const state::StoreType& type) {
  state::Component component;
  component.name = "postgresql";
  component.type = type.type;
  component.version = type.version;
  component.properties = std::move(fields);
  component.init_timeout = Milliseconds(20'000);  // the machine may be busy
  return component;
}
inline const state::StoreType& type_of(Layout layout) {
  return layout == Layout::v1 ? kPostgresqlV1Type : kPostgresqlV2Type;
}

inline std::shared_ptr<state::StoreCore> core_of(const Fields& fields, const state::StoreType& type,
                                                 std::size_t loops = 1) {
  auto core = type.prepare(component_of(fields, type), {.clock = Clock::system(), .loops = loops});
  if (!core) throw std::runtime_error(core.error().message);
  return *core;
}
inline std::shared_ptr<state::StoreCore> core_of(const Fields& fields, Layout layout, std::size_t loops = 1) {
  return core_of(fields, type_of(layout), loops);
}

}  // namespace holdfast::stores::postgresql
