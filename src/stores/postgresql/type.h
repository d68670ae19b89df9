// The rows with which state.postgresql and its kin register (stores/all.cc).
#pragma once

#include "state/component.h"

namespace holdfast::stores {

// Preparing one checks the settings and makes what the loops share. Nothing is connected: a server that is down is no
// error then.
extern const state::StoreType kPostgresqlV1Type;
extern const state::StoreType kPostgresqlV2Type;
extern const state::StoreType kCockroachdbV1Type;
extern const state::StoreType kCockroachdbV2Type;
extern const state::StoreType kYugabytedbType;

}  // namespace holdfast::stores
