// The suite through the daemon of this build, over HTTP and over gRPC, on each of its stores; once with Dapr's calls
// for many records beside ours for one, and once with ours for both, which see each other's data.
//
// What Dapr's transactions cannot say or answer is skipped (Subject::rich_transactions). Keys are users' keys, and
// writers are named by the request, because the daemon sets the principal itself.
#include <gtest/gtest.h>

#include "conformance/conformance.h"
#include "conformance/remote/grpc_many_store.h"
#include "conformance/remote/http_many_store.h"
#include "conformance/remote/reach.h"
#include "conformance/remote/sidecar.h"
#include "support/postgresql_servers.h"
#include "support/redis_servers.h"

namespace holdfast::conformance {
namespace {

// One daemon for the whole program, with a Redis and a PostgreSQL of its own; it has to end well.
class Daemon final : public ::testing::Environment {
 public:
  void SetUp() override {
    redis_.emplace();
    // Logging in with a password, which takes its time on purpose, is for other tests.
    postgresql_.emplace(test::PostgresqlOptions{.access = {"host app app 127.0.0.1/32 trust"}});
    sidecar_.emplace(redis_->port(), postgresql_->connection_string());
  }
  void TearDown() override {
    if (!sidecar_) return;
    EXPECT_EQ(sidecar_->stop(), "");
    sidecar_.reset();
    redis_.reset();
    postgresql_.reset();
  }
  const Sidecar& sidecar() const { return sidecar_.value(); }

 private:
  std::optional<test::RedisServer> redis_;
  std::optional<test::PostgresqlServer> postgresql_;
  std::optional<Sidecar> sidecar_;
};

Daemon& daemon() {
  static Daemon* const kDaemon = new Daemon();  // gtest owns it once it is registered
  return *kDaemon;
}
[[maybe_unused]] const auto* const kRegistered = ::testing::AddGlobalTestEnvironment(&daemon());

enum class Protocol { http, grpc };

class RemoteInstance final : public Instance {
 public:
  RemoteInstance(Protocol protocol, Calls calls, const char* store)
      : protocol_(protocol),
        calls_(calls),
        store_(store),
        can_(reachable_of(daemon().sidecar().http_port(), store, calls)) {}

  Result<std::unique_ptr<state::StateStore>> open(test::TestLoop& loop) override {
    if (protocol_ == Protocol::http) {
      auto client = HttpClient::connect(daemon().sidecar().http_port());
      if (!client) return fail(client.error());
      if (calls_ == Calls::ours)
        return std::make_unique<RemoteHttpManyStore>(std::move(*client), store_, can_, daemon().sidecar().http_port(),
                                                     loop);
      return std::make_unique<RemoteHttpStore>(std::move(*client), store_, can_);
    }
    auto client = GrpcClient::connect(daemon().sidecar().grpc_port());
    if (!client) return fail(client.error());
    if (calls_ == Calls::ours)
      return std::make_unique<RemoteGrpcManyStore>(std::move(*client), store_, can_, daemon().sidecar().grpc_port(),
                                                   loop);
    return std::make_unique<RemoteGrpcStore>(std::move(*client), store_, can_);
  }

 private:
  Protocol protocol_;
  Calls calls_;
  std::string store_;
  state::Capabilities can_;
};

Subject remote(Protocol protocol, Calls calls, const char* store) {
  Subject subject;
  subject.name =
      std::string(protocol == Protocol::http ? "http_" : "grpc_") + (calls == Calls::ours ? "v2_" : "") + store;
  subject.start = [protocol, calls, store] { return std::make_shared<RemoteInstance>(protocol, calls, store); };
  subject.raw_keys = false;
  subject.sees_principal = false;
  subject.rich_transactions = calls == Calls::ours;
  subject.transactions_repeat_keys = calls == Calls::daprs;
  subject.keeps_expiry = false;
  return subject;
}

HOLDFAST_CONFORMANCE(
    Remote, remote(Protocol::http, Calls::daprs, kMemoryStore), remote(Protocol::http, Calls::daprs, kSqliteStore),
    remote(Protocol::http, Calls::ours, kMemoryStore), remote(Protocol::http, Calls::ours, kSqliteStore),
    remote(Protocol::grpc, Calls::daprs, kMemoryStore), remote(Protocol::grpc, Calls::daprs, kSqliteStore),
    remote(Protocol::grpc, Calls::ours, kMemoryStore), remote(Protocol::grpc, Calls::ours, kSqliteStore),
    remote(Protocol::http, Calls::daprs, kRedisStore), remote(Protocol::http, Calls::ours, kRedisStore),
    remote(Protocol::grpc, Calls::daprs, kRedisStore), remote(Protocol::grpc, Calls::ours, kRedisStore),
    // Each layout over each protocol, each API on each layout.
    remote(Protocol::http, Calls::daprs, kPostgresqlV1Store), remote(Protocol::http, Calls::ours, kPostgresqlV2Store),
    remote(Protocol::grpc, Calls::daprs, kPostgresqlV2Store), remote(Protocol::grpc, Calls::ours, kPostgresqlV1Store));

}  // namespace
}  // namespace holdfast::conformance
