#include "stores/etcd/type.h"

#include "stores/etcd/settings.h"
#include "stores/etcd/store.h"

namespace holdfast::stores {
namespace etcd {
namespace {

template <Layout layout>
Result<std::shared_ptr<state::StoreCore>> prepare(const state::Component& component,
                                                  const state::StoreEnvironment& environment) {
  return EtcdCore::make(component, layout, environment);
}

}  // namespace
}  // namespace etcd

const state::StoreType kEtcdV1Type{
    .type = "state.etcd",
    .version = "v1",
    .summary = "etcd, values as they are",
    .settings = etcd::kFields,
    .dapr_features = etcd::kDaprFeatures,
    .prepare = etcd::prepare<etcd::Layout::v1>,
};

const state::StoreType kEtcdV2Type{
    .type = "state.etcd",
    .version = "v2",
    .summary = "etcd, values in messages that carry their expiry",
    .settings = etcd::kFields,
    .dapr_features = etcd::kDaprFeatures,
    .prepare = etcd::prepare<etcd::Layout::v2>,
};

}  // namespace holdfast::stores
