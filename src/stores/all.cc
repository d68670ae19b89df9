#include "stores/all.h"

#include "stores/etcd/type.h"
#include "stores/memcached/type.h"
#include "stores/memory/type.h"
#include "stores/postgresql/type.h"
#include "stores/redis/type.h"
#include "stores/sqlite/type.h"

namespace holdfast::stores {

std::vector<const state::StoreType*> all() {
  return {&kEtcdV1Type,       &kEtcdV2Type,       &kMemcachedType,     &kMemoryType,
          &kPostgresqlV1Type, &kPostgresqlV2Type, &kCockroachdbV1Type, &kCockroachdbV2Type,
          &kYugabytedbType,   &kRedisType,        &kSqliteType};
}

}  // namespace holdfast::stores
