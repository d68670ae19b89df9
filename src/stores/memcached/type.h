// The row with which state.memcached registers (stores/all.cc).
#pragma once

#include <memory>

#include "base/result.h"
#include "state/component.h"

namespace holdfast::stores {

extern const state::StoreType kMemcachedType;

namespace memcached {
// Checks the settings and makes what the loops share; opening connects.
Result<std::shared_ptr<state::StoreCore>> prepare_memcached(const state::Component& component,
                                                            const state::StoreEnvironment& environment);
}  // namespace memcached

}  // namespace holdfast::stores
