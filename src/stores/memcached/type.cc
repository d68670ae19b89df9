#include "stores/memcached/type.h"

#include "stores/memcached/settings.h"

namespace holdfast::stores {

const state::StoreType kMemcachedType{
    .type = "state.memcached",
    .summary = "memcached, one or several",
    .settings = memcached::kFields,
    .dapr_features = memcached::kDaprFeatures,
    .prepare = memcached::prepare_memcached,
};

}  // namespace holdfast::stores
