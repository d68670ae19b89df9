#include "stores/all.h"

#include "stores/memory/type.h"
#include "stores/sqlite/type.h"

namespace holdfast::stores {

std::vector<const state::StoreType*> all() { return {&kMemoryType, &kSqliteType}; }

}  // namespace holdfast::stores
