// The rows with which state.etcd registers (stores/all.cc).
#pragma once

#include "state/component.h"

namespace holdfast::stores {

extern const state::StoreType kEtcdV1Type;
extern const state::StoreType kEtcdV2Type;

}  // namespace holdfast::stores
