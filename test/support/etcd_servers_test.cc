#include "support/etcd_servers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "support/eventually.h"
#include "support/tcp_gate.h"

namespace holdfast::test {
namespace {

using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

// What `action` throws, and its code of gRPC.
template <class Action>
std::pair<int, std::string> failure_of(Action action) {
  try {
    action();
  } catch (const EtcdError& error) {
    return {error.code(), error.what()};
  }
  return {-1, "it did not fail"};
}

class EtcdVersions : public testing::TestWithParam<EtcdVersion> {};

INSTANTIATE_TEST_SUITE_P(Each, EtcdVersions, testing::Values(EtcdVersion::v3_4, EtcdVersion::v3_5),
                         [](const auto& version) { return version.param == EtcdVersion::v3_4 ? "v3_4" : "v3_5"; });

TEST_P(EtcdVersions, KeepsBytesAndTellsTheRevisionsOfAKey) {
  HOLDFAST_NEEDS_ETCD(GetParam());
  EtcdServer server({.version = GetParam()});
  EtcdClient& client = server.client();
  EXPECT_THAT(client.status().version, StartsWith(GetParam() == EtcdVersion::v3_4 ? "3.4." : "3.5."));
  EXPECT_FALSE(client.get("/a"));
  const std::string bytes("\0\xff\n\"", 4);
  const std::int64_t first = client.put("/a", "old");
  const std::int64_t second = client.put("/a", bytes);
  client.put("/b", "");
  client.put("0", "behind the prefix");
  EXPECT_GT(second, first);
  const auto record = client.get("/a");
  ASSERT_TRUE(record);
  EXPECT_EQ(record->value, bytes);
  EXPECT_EQ(record->create_revision, first);
  EXPECT_EQ(record->mod_revision, second);
  EXPECT_EQ(record->version, 2);
  EXPECT_EQ(record->lease, 0);
  EXPECT_EQ(client.get("/a", first)->value, "old");
  EXPECT_THAT(client.get_prefix("/"), ElementsAre(Field(&EtcdRecord::key, "/a"), Field(&EtcdRecord::key, "/b")));
  client.compact(client.revision());
  EXPECT_THAT(failure_of([&] { client.get("/a", first); }).second, HasSubstr("compacted"));
  client.erase("/a");
  EXPECT_FALSE(client.get("/a"));
  client.erase_prefix("");
  EXPECT_THAT(client.get_prefix(""), IsEmpty());
}

TEST_P(EtcdVersions, ATransactionIsMadeWhereWhatItExpectsIsSo) {
  HOLDFAST_NEEDS_ETCD(GetParam());
  EtcdServer server({.version = GetParam(), .arguments = {"--max-txn-ops", "2"}});
  EtcdClient& client = server.client();
  EXPECT_TRUE(client.txn({{"a", 0}}, {{.key = "a", .value = "1"}}));
  EXPECT_FALSE(client.txn({{"a", 0}}, {{.key = "a", .value = "2"}}));
  const std::int64_t revision = client.get("a")->mod_revision;
  EXPECT_TRUE(client.txn({{"a", revision}}, {{.key = "a"}, {.key = "b", .value = "3"}}));
  EXPECT_FALSE(client.get("a"));
  EXPECT_EQ(client.get("b")->value, "3");
  EXPECT_THAT(failure_of([&] { client.txn({}, {{.key = "c"}, {.key = "d"}, {.key = "e"}}); }).second,
              HasSubstr("too many operations"));
}

TEST_P(EtcdVersions, ALeaseTakesItsKeysAlong) {
  HOLDFAST_NEEDS_ETCD(GetParam());
  EtcdServer server({.version = GetParam()});
  EtcdClient& client = server.client();
  const std::int64_t lease = client.grant(600);
  client.put("a", "1", lease);
  EXPECT_EQ(client.get("a")->lease, lease);
  EXPECT_THAT(client.leases(), ElementsAre(lease));
  EXPECT_EQ(client.lease(lease).granted_seconds, 600);
  EXPECT_THAT(client.lease(lease).keys, ElementsAre("a"));
  client.revoke(lease);
  EXPECT_FALSE(client.get("a"));
  EXPECT_EQ(client.lease(lease).seconds_left, -1);
  client.put("b", "1", client.grant(1));
  EXPECT_TRUE(eventually([&] { return !client.get("b"); }));
  EXPECT_THAT(client.leases(), IsEmpty());
}

TEST_P(EtcdVersions, KilledItComesBackOnItsPortWithItsData) {
  HOLDFAST_NEEDS_ETCD(GetParam());
  EtcdServer server({.version = GetParam()});
  server.client().put("a", "1");
  const std::uint16_t port = server.port();
  server.kill();
  EXPECT_FALSE(server.is_running());
  EXPECT_EQ(failure_of([&] { server.client().get("a"); }).first, 0);
  server.restart();
  EXPECT_EQ(server.port(), port);
  EXPECT_EQ(server.client().get("a")->value, "1");
}

TEST_P(EtcdVersions, UsersMayDoWhatTheirRolesAllow) {
  HOLDFAST_NEEDS_ETCD(GetParam());
  EtcdServer server({.version = GetParam(), .auth = true, .app_prefix = "/mine/"});
  server.client().put("/mine/a", "1");
  server.client().put("/other", "2");
  EtcdLogin login = server.login();
  EXPECT_NE(failure_of([&] { EtcdClient(login).get("/mine/a"); }).first, -1) << "nobody reads";
  login.user = EtcdCluster::kUser, login.password = "wrong";
  EXPECT_THAT(failure_of([&] { EtcdClient(login).get("/mine/a"); }).second, HasSubstr("authentication failed"));
  login.password = EtcdCluster::kPassword;
  EtcdClient app(login);
  EXPECT_EQ(app.get("/mine/a")->value, "1");
  app.put("/mine/b", "3");
  EXPECT_THAT(failure_of([&] { app.get("/other"); }).second, HasSubstr("permission denied"));
  EXPECT_THAT(failure_of([&] { app.put("/other", "4"); }).second, HasSubstr("permission denied"));
  server.restart();
  EXPECT_EQ(server.client().get("/mine/b")->value, "3");
}

TEST_P(EtcdVersions, SpeakTlsAndMayAskForAClientsCertificate) {
  HOLDFAST_NEEDS_ETCD(GetParam());
  for (const EtcdTls tls : {EtcdTls::server, EtcdTls::mutual}) {
    EtcdServer server({.version = GetParam(), .tls = tls});
    server.client().put("a", "1");
    EXPECT_EQ(server.client().get("a")->value, "1");
    EtcdLogin login = server.login();
    login.shows_certificate = false;
    EXPECT_EQ(failure_of([&] { EtcdClient(login).get("a"); }).first, tls == EtcdTls::mutual ? 0 : -1);
    login.certificates = nullptr;
    EXPECT_EQ(failure_of([&] { EtcdClient(login).get("a"); }).first, 0) << "without TLS";
  }
}

TEST_P(EtcdVersions, AClusterWorksOnWithoutItsLeaderAndStandsStillWithoutItsMajority) {
  HOLDFAST_NEEDS_ETCD(GetParam());
  EtcdCluster cluster({.version = GetParam()});
  EXPECT_EQ(cluster.size(), 3);
  cluster.client(0).put("a", "1");
  EXPECT_EQ(cluster.client(1).get("a")->value, "1");
  const std::size_t first = cluster.leader();
  cluster.kill(first);
  const std::size_t second = cluster.leader();
  EXPECT_NE(second, first);
  cluster.wait_until_healthy();
  cluster.client().put("a", "2");
  cluster.pause(second);
  EXPECT_FALSE(cluster.client().is_healthy());
  cluster.restart(first);
  EXPECT_NE(cluster.leader(), second);
  EXPECT_EQ(cluster.client().get("a")->value, "2");
  cluster.resume(second);
  cluster.wait_until_healthy();
  EXPECT_EQ(cluster.client(second).get("a")->value, "2");
}

TEST(EtcdServer, ThatCannotStartSaysWhatItsLogSays) {
  HOLDFAST_NEEDS_ETCD(EtcdVersion::v3_5);
  try {
    EtcdServer server({.arguments = {"--no-such-setting"}});
    FAIL() << "it started";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("no-such-setting"));
  }
}

TEST(EtcdServer, EndsWithTheThreadThatStartedIt) {
  HOLDFAST_NEEDS_ETCD(EtcdVersion::v3_5);
  std::unique_ptr<EtcdServer> server;
  std::thread([&] { server = std::make_unique<EtcdServer>(); }).join();
  EXPECT_TRUE(eventually([&] { return !server->is_running(); }));
}

TEST(EtcdServer, BehindAGateConnectionsAreCut) {
  HOLDFAST_NEEDS_ETCD(EtcdVersion::v3_5);
  EtcdServer server;
  TcpGate gate(server.port());
  EtcdClient client(server.login(gate.port()));
  client.put("a", "1");
  gate.cut_after(Way::to_client, 2);
  EXPECT_EQ(failure_of([&] { client.get("a"); }).first, 0);
  EXPECT_EQ(client.get("a")->value, "1");
}

}  // namespace
}  // namespace holdfast::test
