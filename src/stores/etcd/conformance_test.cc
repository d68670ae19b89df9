#include "conformance/conformance.h"

#include "conformance/loop_instance.h"
#include "stores/etcd/store_testing.h"

namespace holdfast::conformance {
namespace {

using stores::etcd::Fields;
using test::EtcdVersion;

template <EtcdVersion version>
test::EtcdServer& server() {
  static test::EtcdServer made({.version = version});
  return made;
}

// Whose clients sign in as somebody who may use some keys and no others. (etcd's test client cannot do that and show a
// certificate too; that is in sign_in_test.cc.)
test::EtcdCluster& secured_cluster() {
  static test::EtcdCluster made({.tls = test::EtcdTls::server, .auth = true});
  return made;
}

Subject subject(std::string name, const state::StoreType& type, std::function<Fields()> fields,
                std::string column = {}) {
  Subject subject;
  subject.column = std::move(column);
  // One component for all cases, on servers that the first of them starts.
  subject.start = [name, &type, fields = std::move(fields), core = std::shared_ptr<state::StoreCore>()]() mutable {
    if (core == nullptr) core = stores::etcd::core_of(type, fields());
    return std::make_shared<LoopInstance>(core);
  };
  subject.name = std::move(name);
  return subject;
}

template <EtcdVersion version>
Subject single(std::string name, const state::StoreType& type, std::string column = {}) {
  return subject(
      name, type, [name] { return Fields{{"endpoints", server<version>().address()}, {"keyPrefixPath", "/" + name}}; },
      std::move(column));
}

Subject cluster(std::string name, const state::StoreType& type) {
  return subject(name, type, [name] {
    auto& cluster = secured_cluster();
    return Fields{{"endpoints", cluster.endpoints()},
                  {"keyPrefixPath", "/app/" + name},
                  {"tlsEnable", "true"},
                  {"ca", cluster.certificates().authority},
                  {"username", test::EtcdCluster::kUser},
                  {"password", test::EtcdCluster::kPassword}};
  });
}

HOLDFAST_CONFORMANCE(Etcd, single<EtcdVersion::v3_4>("v1_34", stores::kEtcdV1Type),
                     single<EtcdVersion::v3_4>("v2_34", stores::kEtcdV2Type),
                     single<EtcdVersion::v3_5>("v1_35", stores::kEtcdV1Type),
                     single<EtcdVersion::v3_5>("v2_35", stores::kEtcdV2Type, "etcd"),
                     cluster("v1_cluster", stores::kEtcdV1Type), cluster("v2_cluster", stores::kEtcdV2Type));

}  // namespace
}  // namespace holdfast::conformance
