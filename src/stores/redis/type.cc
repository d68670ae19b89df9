// In a file of its own, so that a test of the settings does not link the store.
#include "stores/redis/type.h"

#include "stores/redis/settings.h"

namespace holdfast::stores {

const state::StoreType kRedisType{
    .type = "state.redis",
    .summary = "Redis or Valkey: one node, a cluster, or sentinels",
    .settings = redis::kFields,
    .dapr_features = redis::kDaprFeatures,
    .prepare = redis::prepare_redis,
};

}  // namespace holdfast::stores
