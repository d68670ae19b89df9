// The only list of backends.
#pragma once

#include <vector>

#include "state/component.h"

namespace holdfast::stores {

std::vector<const state::StoreType*> all();

}  // namespace holdfast::stores
