// The servers behind the stores, and a sidecar of this build in front of each deployment of them. A deployment is
// started by the first case that asks for it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "conformance/remote/sidecar.h"

namespace holdfast::conformance {

enum class Deployment : std::uint8_t {
  embedded,  // no server at all
  redis,
  postgresql,
  etcd_34,
  etcd_35,
  etcd_cluster,
  memcached,
  memcached_three,
};

struct RemoteStore {
  const char* name;  // of the component
  Deployment deployment;
};

inline constexpr RemoteStore kMemory{"memory", Deployment::embedded};
inline constexpr RemoteStore kSqlite{"sqlite", Deployment::embedded};
inline constexpr RemoteStore kRedis{"redis", Deployment::redis};
inline constexpr RemoteStore kPostgresqlV1{"postgresql_v1", Deployment::postgresql};
inline constexpr RemoteStore kPostgresqlV2{"postgresql_v2", Deployment::postgresql};
inline constexpr RemoteStore kEtcdV1On34{"etcd_v1_34", Deployment::etcd_34};
inline constexpr RemoteStore kEtcdV2On34{"etcd_v2_34", Deployment::etcd_34};
inline constexpr RemoteStore kEtcdV1On35{"etcd_v1_35", Deployment::etcd_35};
inline constexpr RemoteStore kEtcdV2On35{"etcd_v2_35", Deployment::etcd_35};
inline constexpr RemoteStore kEtcdV1OnCluster{"etcd_v1_cluster", Deployment::etcd_cluster};
inline constexpr RemoteStore kEtcdV2OnCluster{"etcd_v2_cluster", Deployment::etcd_cluster};
inline constexpr RemoteStore kMemcached{"memcached", Deployment::memcached};
inline constexpr RemoteStore kMemcachedThree{"memcached_three", Deployment::memcached_three};

// Of one thread.
class Deployments {
 public:
  // Throws when it does not start. The sidecar has all stores of the deployment.
  const Sidecar& sidecar(Deployment deployment);
  // Ends those that run: what their sidecars have to say against it.
  std::string stop();

 private:
  struct Running {
    std::shared_ptr<void> servers;  // may be nothing
    std::unique_ptr<Sidecar> sidecar;
  };
  std::map<Deployment, Running> running_;
};

}  // namespace holdfast::conformance
