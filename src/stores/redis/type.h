// The row with which state.redis registers (stores/all.cc).
#pragma once

#include <memory>

#include "base/result.h"
#include "state/component.h"

namespace holdfast::stores {

extern const state::StoreType kRedisType;

namespace redis {
// Checks the settings and makes what the loops share. Connects lazily: a server that is down is no error here.
Result<std::shared_ptr<state::StoreCore>> prepare_redis(const state::Component& component,
                                                        const state::StoreEnvironment& environment);
}  // namespace redis

}  // namespace holdfast::stores
