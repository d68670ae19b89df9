// Each kind of server is started once, and does what the tests of the store ask of it.
#include "support/redis_servers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/eventually.h"
#include "support/redis_cluster.h"
#include "support/redis_sentinel.h"
#include "support/tcp_gate.h"

namespace holdfast::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(RedisServer, KeepsAValueUntilItIsKilledAndComesBackOnItsPort) {
  HOLDFAST_NEEDS_SERVER(ServerKind::redis);
  RedisServer server;
  EXPECT_EQ(server.must({"SET", "k", "v"}).text(), "OK");
  EXPECT_EQ(server.must({"GET", "k"}).text(), "v");
  EXPECT_THAT(server.info("server", "redis_version"), StartsWith("7."));
  const std::uint16_t port = server.port();
  server.kill();
  EXPECT_FALSE(server.is_running());
  EXPECT_THROW(server.command({"PING"}), std::runtime_error);
  server.restart();
  EXPECT_EQ(server.port(), port);
  EXPECT_TRUE(server.must({"GET", "k"}).root().is_null());
}

TEST(RedisServer, WithAnAppendOnlyFileARestartKeepsTheValue) {
  HOLDFAST_NEEDS_SERVER(ServerKind::redis);
  RedisServer server({.arguments = {"--appendonly", "yes", "--appendfsync", "always"}});
  server.must({"SET", "k", "v"});
  server.restart();
  EXPECT_EQ(server.must({"GET", "k"}).text(), "v");
}

TEST(RedisServer, PausedItAnswersNothingAndResumedEverything) {
  HOLDFAST_NEEDS_SERVER(ServerKind::redis);
  RedisServer server;
  RespClient client(server.port(), std::chrono::milliseconds(50));
  server.pause();
  EXPECT_THROW(client.command({"PING"}), std::runtime_error);
  server.resume();
  EXPECT_EQ(server.must({"PING"}).text(), "PONG");
}

TEST(RedisServer, ThatCannotStartSaysWhatItsLogSays) {
  HOLDFAST_NEEDS_SERVER(ServerKind::redis);
  try {
    RedisServer server({.arguments = {"--no-such-setting", "1"}});
    FAIL() << "it started";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("no-such-setting"));
  }
}

TEST(RedisServer, EndsWithTheThreadThatStartedIt) {
  HOLDFAST_NEEDS_SERVER(ServerKind::redis);
  std::unique_ptr<RedisServer> server;
  std::thread([&] { server = std::make_unique<RedisServer>(); }).join();
  EXPECT_TRUE(eventually([&] { return !server->is_running(); }));
}

TEST(RedisServer, BehindAGateConnectionsAreCut) {
  HOLDFAST_NEEDS_SERVER(ServerKind::redis);
  RedisServer server;
  TcpGate gate(server.port());
  RespClient client(gate.port());
  gate.split(true);
  EXPECT_EQ(client.command({"SET", "k", "v"}).text(), "OK");
  gate.cut_after(Way::to_client, 2);
  EXPECT_THROW(client.command({"GET", "k"}), std::runtime_error);
  EXPECT_EQ(gate.cuts(), 1);
}

TEST(RedisGroup, ReplicasHaveWhatThePrimaryHas) {
  HOLDFAST_NEEDS_SERVER(ServerKind::redis);
  RedisGroup group(2);
  group.primary().must({"SET", "k", "v"});
  EXPECT_EQ(group.primary().must({"WAIT", "2", "10000"}).root().integer(), 2);
  EXPECT_EQ(group.replica(0).must({"GET", "k"}).text(), "v");
  EXPECT_EQ(group.replica(1).must({"GET", "k"}).text(), "v");
}

TEST(SecuredRedis, UserOfTheStoreMayDoWhatTheStoreDoesAndNothingElse) {
  HOLDFAST_NEEDS_SERVER(ServerKind::redis);
  SecuredRedis secured;
  EXPECT_EQ(secured.server().must({"SET", "k", "v"}).text(), "OK");
  RespClient client(secured.server().port());
  EXPECT_EQ(resp::error_word(client.command({"PING"}).text()), "NOAUTH");
  EXPECT_EQ(client.command({"AUTH", "app", "wrong"}).text().substr(0, 9), "WRONGPASS");
  EXPECT_EQ(client.command({"AUTH", SecuredRedis::kUser, SecuredRedis::kPassword}).text(), "OK");
  EXPECT_EQ(client.command({"EVAL", "return redis.call('HSET', KEYS[1], 'a', 1)", "1", "h"}).root().integer(), 1);
  EXPECT_EQ(resp::error_word(client.command({"FLUSHALL"}).text()), "NOPERM");
}

TEST(SecuredRedis, SpeaksTlsWithACertificateOfItsAuthority) {
  HOLDFAST_NEEDS_SERVER(ServerKind::redis);
  SecuredRedis secured;
  const TemporaryFolder folder;
  const auto connect = [&](const std::string& authority) {
    write_file(folder / "ca.pem", authority);
    return ChildProcess({"openssl", "s_client", "-connect", "127.0.0.1:" + std::to_string(secured.tls_port()),
                         "-CAfile", folder / "ca.pem", "-verify_return_error", "-verify_ip", "127.0.0.1"},
                        folder / "log")
        .wait();
  };
  EXPECT_EQ(connect(secured.certificates().authority), 0) << read_file(folder / "log");
  EXPECT_NE(connect(secured.certificates().other), 0);
}

TEST(RedisCluster, ServesAllSlotsMovesOneAndReplacesAMasterThatIsKilled) {
  HOLDFAST_NEEDS_SERVER(ServerKind::redis);
  RedisCluster cluster;
  EXPECT_EQ(cluster.size(), 6);
  const std::uint16_t slot = cluster.slot_of("k");
  RedisServer& master = cluster.master_of(slot);
  EXPECT_EQ(master.must({"SET", "k", "v"}).text(), "OK");
  RedisServer& other = &master == &cluster.node(0) ? cluster.node(1) : cluster.node(0);
  EXPECT_THAT(other.command({"GET", "k"}).text(), StartsWith("MOVED " + std::to_string(slot)));

  cluster.begin_move(slot, other);
  cluster.move_keys(slot, other);
  EXPECT_THAT(master.command({"GET", "k"}).text(), StartsWith("ASK " + std::to_string(slot)));
  cluster.end_move(slot, other);
  EXPECT_EQ(&cluster.master_of(slot), &other);
  EXPECT_EQ(other.must({"GET", "k"}).text(), "v");
  EXPECT_EQ(other.must({"WAIT", "1", "10000"}).root().integer(), 1);

  other.kill();
  cluster.wait_for_failover(slot, other);
  EXPECT_EQ(cluster.master_of(slot).must({"GET", "k"}).text(), "v");
  other.restart();
  cluster.wait_until_ok();
  EXPECT_TRUE(eventually([&] { return other.info("replication", "master_link_status") == "up"; }));
}

TEST(RedisSentinels, NameAnotherPrimaryWhenTheirsIsKilled) {
  HOLDFAST_NEEDS_SERVER(ServerKind::redis);
  RedisSentinels sentinels;
  RedisServer& old = sentinels.primary();
  EXPECT_EQ(&old, &sentinels.server(0));
  old.must({"SET", "k", "v"});
  EXPECT_EQ(old.must({"WAIT", "1", "10000"}).root().integer(), 1);
  old.kill();
  sentinels.wait_for_failover(old);
  EXPECT_EQ(&sentinels.primary(), &sentinels.server(1));
  EXPECT_EQ(sentinels.primary().must({"GET", "k"}).text(), "v");
  old.restart();
  sentinels.wait_until_ready();
  EXPECT_EQ(old.info("replication", "role"), "slave");
}

TEST(RedisSentinels, NameAnotherPrimaryWhenTheirsIsPaused) {
  HOLDFAST_NEEDS_SERVER(ServerKind::redis);
  RedisSentinels sentinels;
  RedisServer& old = sentinels.primary();
  old.pause();
  sentinels.wait_for_failover(old);
  EXPECT_EQ(&sentinels.primary(), &sentinels.server(1));
  old.resume();
  EXPECT_TRUE(eventually([&] { return old.info("replication", "role") == "slave"; }));
  sentinels.wait_until_ready();
}

TEST(RedisSentinels, FailOverIsOrderedAndAPasswordIsAsked) {
  HOLDFAST_NEEDS_SERVER(ServerKind::redis);
  RedisSentinels sentinels({.replicas = 2, .sentinel_password = "secret"});
  EXPECT_EQ(resp::error_word(RespClient(sentinels.sentinel(0).port()).command({"SENTINEL", "MASTERS"}).text()),
            "NOAUTH");
  sentinels.fail_over();
  EXPECT_NE(&sentinels.primary(), &sentinels.server(0));
}

TEST(RedisStack, KnowsJsonAndSearchesIt) {
  HOLDFAST_NEEDS_SERVER(ServerKind::redis_stack);
  RedisServer server({.kind = ServerKind::redis_stack});
  server.must({"FT.CREATE", "people", "ON", "JSON", "SCHEMA", "$.age", "AS", "age", "NUMERIC"});
  server.must({"JSON.SET", "ann", "$", R"({"age":30})"});
  server.must({"JSON.SET", "bob", "$", R"({"age":40})"});
  EXPECT_TRUE(eventually([&] {
    const Answer found = server.must({"FT.SEARCH", "people", "@age:[35 50]", "NOCONTENT"});
    return found.size() == 2 && found[1].text() == "bob";
  }));
}

TEST(Valkey, KeepsAValue) {
  HOLDFAST_NEEDS_SERVER(ServerKind::valkey);
  RedisServer server({.kind = ServerKind::valkey});
  EXPECT_THAT(server.info("server", "valkey_version"), StartsWith("8."));
  server.must({"SET", "k", "v"});
  EXPECT_EQ(server.must({"GET", "k"}).text(), "v");
}

}  // namespace
}  // namespace holdfast::test
