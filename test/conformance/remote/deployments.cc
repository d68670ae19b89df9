#include "conformance/remote/deployments.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "support/etcd_servers.h"
#include "support/memcached_server.h"
#include "support/postgresql_servers.h"
#include "support/redis_servers.h"

namespace holdfast::conformance {

namespace {

using Fields = SidecarComponent::Fields;

struct Started {
  std::shared_ptr<void> servers;
  std::vector<SidecarComponent> components;
};

Started start_embedded() {
  return {nullptr,
          {{kMemory.name, "state.in-memory", "v1", {}},
           {kSqlite.name, "state.sqlite", "v1", {{"connectionString", "state.db"}, {"watch", "log"}}}}};
}

Started start_redis() {
  auto server = std::make_shared<test::RedisServer>();
  return {server, {{kRedis.name, "state.redis", "v1", {{"redisHost", fmt::format("127.0.0.1:{}", server->port())}}}}};
}

Started start_postgresql() {
  // Logging in with a password, which takes its time on purpose, is for other tests.
  auto server =
      std::make_shared<test::PostgresqlServer>(test::PostgresqlOptions{.access = {"host app app 127.0.0.1/32 trust"}});
  const std::string where = server->connection_string();
  return {server,
          {{kPostgresqlV1.name, "state.postgresql", "v1", {{"connectionString", where}}},
           {kPostgresqlV2.name,
            "state.postgresql",
            "v2",
            {{"connectionString", where}, {"tablePrefix", "v2_"}, {"watch", "log"}}}}};
}

// Both layouts on the same servers, each under a prefix of its own.
Started etcd(std::shared_ptr<void> servers, Fields fields, const RemoteStore& v1, const RemoteStore& v2) {
  Started started{.servers = std::move(servers), .components = {}};
  for (const auto& [store, version] : {std::pair(v1, "v1"), std::pair(v2, "v2")}) {
    SidecarComponent component{store.name, "state.etcd", version, fields};
    component.fields.emplace_back("keyPrefixPath", fmt::format("/app/{}", version));
    started.components.push_back(std::move(component));
  }
  return started;
}

Started start_etcd(test::EtcdVersion version, const RemoteStore& v1, const RemoteStore& v2) {
  auto server = std::make_shared<test::EtcdServer>(test::EtcdOptions{.version = version});
  Fields fields{{"endpoints", server->endpoints()}};
  return etcd(std::move(server), std::move(fields), v1, v2);
}

// Three members, whose certificates are checked, and a user who may use some keys and no others.
Started start_etcd_cluster() {
  auto cluster = std::make_shared<test::EtcdCluster>(test::EtcdOptions{.tls = test::EtcdTls::server, .auth = true});
  Fields fields{{"endpoints", cluster->endpoints()},
                {"tlsEnable", "true"},
                {"ca", cluster->certificates().authority},
                {"username", test::EtcdCluster::kUser},
                {"password", test::EtcdCluster::kPassword}};
  return etcd(std::move(cluster), std::move(fields), kEtcdV1OnCluster, kEtcdV2OnCluster);
}

template <std::size_t count>
Started start_memcached(const RemoteStore& store) {
  auto servers = std::make_shared<std::array<test::MemcachedServer, count>>();
  std::string hosts;
  for (const test::MemcachedServer& server : *servers) hosts += (hosts.empty() ? "" : ",") + server.address();
  return {std::move(servers), {{store.name, "state.memcached", "v1", {{"hosts", std::move(hosts)}}}}};
}

Started start(Deployment deployment) {
  switch (deployment) {
    case Deployment::embedded:
      return start_embedded();
    case Deployment::redis:
      return start_redis();
    case Deployment::postgresql:
      return start_postgresql();
    case Deployment::etcd_34:
      return start_etcd(test::EtcdVersion::v3_4, kEtcdV1On34, kEtcdV2On34);
    case Deployment::etcd_35:
      return start_etcd(test::EtcdVersion::v3_5, kEtcdV1On35, kEtcdV2On35);
    case Deployment::etcd_cluster:
      return start_etcd_cluster();
    case Deployment::memcached:
      return start_memcached<1>(kMemcached);
    case Deployment::memcached_three:
      return start_memcached<3>(kMemcachedThree);
  }
  std::unreachable();
}

}  // namespace

const Sidecar& Deployments::sidecar(Deployment deployment) {
  Running& running = running_[deployment];
  if (running.sidecar == nullptr) {
    Started started = start(deployment);
    running.servers = std::move(started.servers);
    running.sidecar = std::make_unique<Sidecar>(started.components);
  }
  return *running.sidecar;
}

std::string Deployments::stop() {
  std::string complaints;
  for (auto& [deployment, running] : running_)
    if (running.sidecar != nullptr) complaints += running.sidecar->stop();
  running_.clear();
  return complaints;
}

}  // namespace holdfast::conformance
