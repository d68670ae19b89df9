// The row with which state.sqlite registers (stores/all.cc).
#pragma once

#include "state/component.h"

namespace holdfast::stores {

extern const state::StoreType kSqliteType;

}  // namespace holdfast::stores
