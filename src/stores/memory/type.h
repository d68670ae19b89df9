// The row with which state.in-memory registers (stores/all.cc).
#pragma once

#include "state/component.h"

namespace holdfast::stores {

extern const state::StoreType kMemoryType;

}  // namespace holdfast::stores
