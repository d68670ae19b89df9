#include "stores/all.h"

#include "stores/memory/type.h"
#include "stores/redis/type.h"
#include "stores/sqlite/type.h"

namespace holdfast::stores {

std::vector<const state::StoreType*> all() { return {&kMemoryType, &kRedisType, &kSqliteType}; }

}  // namespace holdfast::stores
