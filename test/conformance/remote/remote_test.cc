// The suite through the daemon of this build, over HTTP and over gRPC, on each of its stores; once with Dapr's calls
// for many records beside ours for one, and once with ours for both, which see each other's data.
//
// What Dapr's transactions cannot say or answer is skipped (Subject::rich_transactions). Keys are users' keys, and
// writers are named by the request, because the daemon sets the principal itself.
#include <gtest/gtest.h>

#include "conformance/conformance.h"
#include "conformance/remote/deployments.h"
#include "conformance/remote/grpc_many_store.h"
#include "conformance/remote/http_many_store.h"
#include "conformance/remote/reach.h"
#include "support/soak.h"

namespace holdfast::conformance {
namespace {

// The sidecars have to end well.
class Ends final : public ::testing::Environment {
 public:
  void TearDown() override { EXPECT_EQ(deployments.stop(), ""); }
  Deployments deployments;
};

const Sidecar& sidecar_of(const RemoteStore& store) {
  // GoogleTest owns it.
  static auto* const kEnds = static_cast<Ends*>(::testing::AddGlobalTestEnvironment(new Ends()));
  return kEnds->deployments.sidecar(store.deployment);
}

enum class Protocol { http, grpc };

class RemoteInstance final : public Instance {
 public:
  RemoteInstance(Protocol protocol, Calls calls, const RemoteStore& store)
      : protocol_(protocol),
        calls_(calls),
        store_(store.name),
        sidecar_(sidecar_of(store)),
        can_(reachable_of(sidecar_.http_port(), store_, calls)) {}

  Result<std::unique_ptr<state::StateStore>> open(test::TestLoop& loop) override {
    if (protocol_ == Protocol::http) {
      auto client = HttpClient::connect(sidecar_.http_port());
      if (!client) return fail(client.error());
      if (calls_ == Calls::ours)
        return std::make_unique<RemoteHttpManyStore>(std::move(*client), store_, can_, sidecar_.http_port(), loop);
      return std::make_unique<RemoteHttpStore>(std::move(*client), store_, can_);
    }
    auto client = GrpcClient::connect(sidecar_.grpc_port());
    if (!client) return fail(client.error());
    if (calls_ == Calls::ours)
      return std::make_unique<RemoteGrpcManyStore>(std::move(*client), store_, can_, sidecar_.grpc_port(), loop);
    return std::make_unique<RemoteGrpcStore>(std::move(*client), store_, can_);
  }

 private:
  Protocol protocol_;
  Calls calls_;
  std::string store_;
  const Sidecar& sidecar_;
  state::Capabilities can_;
};

Subject remote(Protocol protocol, Calls calls, const RemoteStore& store) {
  Subject subject;
  subject.name =
      std::string(protocol == Protocol::http ? "http_" : "grpc_") + (calls == Calls::ours ? "v2_" : "") + store.name;
  subject.start = [protocol, calls, store] { return std::make_shared<RemoteInstance>(protocol, calls, store); };
  subject.raw_keys = false;
  subject.sees_principal = false;
  subject.rich_transactions = calls == Calls::ours;
  subject.transactions_repeat_keys = calls == Calls::daprs;
  subject.keeps_expiry = false;
  subject.keys_hold_blanks =
      store.deployment != Deployment::memcached && store.deployment != Deployment::memcached_three;
  return subject;
}

std::vector<Subject> subjects() {
  using enum Protocol;
  using enum Calls;
  std::vector<Subject> all;
  for (const RemoteStore& store : {kMemory, kSqlite, kRedis})
    for (const Protocol protocol : {http, grpc})
      for (const Calls calls : {daprs, ours}) all.push_back(remote(protocol, calls, store));
  // Each layout over each protocol, each API on each layout and over each protocol.
  std::vector<RemoteStore> layouts{kPostgresqlV1, kPostgresqlV2};
  if (test::is_soak())
    layouts.insert(layouts.end(), {kEtcdV1On34, kEtcdV2On34, kEtcdV1On35, kEtcdV2On35, kEtcdV1OnCluster,
                                   kEtcdV2OnCluster, kMemcached, kMemcachedThree});
  for (std::size_t i = 0; i < layouts.size(); ++i)
    for (const Protocol protocol : {http, grpc})
      all.push_back(remote(protocol, (protocol == http) == (i % 2 == 0) ? daprs : ours, layouts[i]));
  if (!test::is_soak())
    all.insert(all.end(), {remote(http, daprs, kEtcdV1On34), remote(grpc, ours, kEtcdV2OnCluster),
                           remote(http, daprs, kMemcachedThree)});
  return all;
}

HOLDFAST_CONFORMANCE(Remote, subjects());

}  // namespace
}  // namespace holdfast::conformance
