// The rows with which state.postgresql registers (stores/all.cc).
#pragma once

#include <memory>

#include "base/result.h"
#include "state/component.h"

namespace holdfast::stores {

extern const state::StoreType kPostgresqlV1Type;
extern const state::StoreType kPostgresqlV2Type;

namespace postgresql {
// Check the settings and make what the loops share. Nothing is connected: a server that is down is no error here.
Result<std::shared_ptr<state::StoreCore>> prepare_v1(const state::Component& component,
                                                     const state::StoreEnvironment& environment);
Result<std::shared_ptr<state::StoreCore>> prepare_v2(const state::Component& component,
                                                     const state::StoreEnvironment& environment);
}  // namespace postgresql

}  // namespace holdfast::stores
