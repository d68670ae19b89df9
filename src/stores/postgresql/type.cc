// In a file of its own, so that a test of the settings does not link the store.
#include "stores/postgresql/type.h"

#include <array>

#include "state/field_groups.h"

namespace holdfast::stores {
namespace {

constexpr std::array<std::string_view, 5> kFeaturesV1{"ETAG", "TRANSACTIONAL", "QUERY_API", "TTL", "KEYS_LIKE"};
constexpr std::array<std::string_view, 4> kFeaturesV2{"ETAG", "TRANSACTIONAL", "TTL", "KEYS_LIKE"};

}  // namespace

const state::StoreType kPostgresqlV1Type{
    .type = "state.postgresql",
    .alias = "state.postgres",
    .version = "v1",
    .summary = "PostgreSQL, values as jsonb",
    .settings = state::kPostgresqlFieldsV1,
    .dapr_features = kFeaturesV1,
    .prepare = postgresql::prepare_v1,
};

const state::StoreType kPostgresqlV2Type{
    .type = "state.postgresql",
    .alias = "state.postgres",
    .version = "v2",
    .summary = "PostgreSQL, values as bytes",
    .settings = state::kPostgresqlFieldsV2,
    .dapr_features = kFeaturesV2,
    .prepare = postgresql::prepare_v2,
};

}  // namespace holdfast::stores
