#include "stores/postgresql/type.h"

#include <array>

#include "state/field_groups.h"
#include "stores/postgresql/store.h"

namespace holdfast::stores {
namespace {

using postgresql::Engine;
using postgresql::Layout;

constexpr std::array<std::string_view, 5> kFeaturesV1{"ETAG", "TRANSACTIONAL", "QUERY_API", "TTL", "KEYS_LIKE"};
constexpr std::array<std::string_view, 4> kFeaturesV2{"ETAG", "TRANSACTIONAL", "TTL", "KEYS_LIKE"};

template <Engine engine, Layout layout>
Result<std::shared_ptr<state::StoreCore>> prepare(const state::Component& component,
                                                  const state::StoreEnvironment& environment) {
  return postgresql::PostgresqlCore::make(component, engine, layout, environment);
}

}  // namespace

const state::StoreType kPostgresqlV1Type{
    .type = "state.postgresql",
    .alias = "state.postgres",
    .version = "v1",
    .summary = "PostgreSQL, values as jsonb",
    .settings = state::kPostgresqlFieldsV1,
    .dapr_features = kFeaturesV1,
    .prepare = prepare<Engine::postgresql, Layout::v1>,
};

const state::StoreType kPostgresqlV2Type{
    .type = "state.postgresql",
    .alias = "state.postgres",
    .version = "v2",
    .summary = "PostgreSQL, values as bytes",
    .settings = state::kPostgresqlFieldsV2,
    .dapr_features = kFeaturesV2,
    .prepare = prepare<Engine::postgresql, Layout::v2>,
};

const state::StoreType kCockroachdbV1Type{
    .type = "state.cockroachdb",
    .version = "v1",
    .summary = "CockroachDB, values as jsonb",
    .settings = state::kPostgresqlFieldsV1,
    .dapr_features = kFeaturesV1,
    .prepare = prepare<Engine::cockroachdb, Layout::v1>,
};

const state::StoreType kCockroachdbV2Type{
    .type = "state.cockroachdb",
    .version = "v2",
    .summary = "CockroachDB, in PostgreSQL's layout v2",
    .settings = state::kPostgresqlFieldsV2,
    .dapr_features = kFeaturesV2,
    .prepare = prepare<Engine::cockroachdb, Layout::v2>,
};

const state::StoreType kYugabytedbType{
    .type = "state.yugabytedb",
    .alias = "state.yugabyte",
    .version = "v2",
    .summary = "YugabyteDB, in PostgreSQL's layout v2",
    .settings = state::kPostgresqlFieldsV2,
    .dapr_features = kFeaturesV2,
    .prepare = prepare<Engine::yugabytedb, Layout::v2>,
};

}  // namespace holdfast::stores
