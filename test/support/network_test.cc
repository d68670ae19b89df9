#include "support/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "support/etcd_servers.h"
#include "support/eventually.h"

namespace holdfast::test {
namespace {

constexpr std::chrono::milliseconds kMoment{300};

class NetworkTest : public testing::Test {
 protected:
  void SetUp() override {
    HOLDFAST_NEEDS_NETWORK();
    HOLDFAST_NEEDS_ETCD(EtcdVersion::v3_5);
  }
};

// Whether a member answers within a moment.
template <class Call>
bool can(EtcdCluster& cluster, std::size_t index, Call call) {
  EtcdLogin login = cluster.login(index);
  login.patience = kMoment;
  try {
    EtcdClient client(login);
    call(client);
    return true;
  } catch (const EtcdError&) {
    return false;
  }
}
bool can_be_reached(EtcdCluster& cluster, std::size_t index) {
  return can(cluster, index, [](EtcdClient& client) { client.status(); });
}
bool can_write(EtcdCluster& cluster, std::size_t index) {
  return can(cluster, index, [](EtcdClient& client) { client.put("a", "1"); });
}

TEST_F(NetworkTest, AMemberCutFromTheOthersIsStillReachedFromHere) {
  Network network(3);
  EtcdCluster cluster({.network = &network});
  const std::size_t old = cluster.leader(), other = (old + 1) % 3;
  network.cut_from_hosts(old);
  EXPECT_TRUE(can_be_reached(cluster, old));
  EXPECT_TRUE(eventually([&] { return can_write(cluster, other); }));
  EXPECT_FALSE(can_write(cluster, old));
  network.heal();
  EXPECT_TRUE(eventually([&] { return can_write(cluster, old); }));
}

TEST_F(NetworkTest, AMemberCutFromAllIsSilent) {
  Network network(3);
  EtcdCluster cluster({.network = &network});
  network.cut_from_all(0);
  EXPECT_FALSE(can_be_reached(cluster, 0));
  EXPECT_TRUE(can_be_reached(cluster, 1));
  network.heal();
  EXPECT_TRUE(can_be_reached(cluster, 0));
}

// What the leader says arrives, and it hears nothing.
TEST_F(NetworkTest, OneWayIsCutByItself) {
  Network network(3);
  EtcdCluster cluster({.network = &network});
  const std::size_t old = cluster.leader();
  for (std::size_t i = 0; i < 3; ++i)
    if (i != old) network.cut_way(i, old);
  EXPECT_TRUE(can_be_reached(cluster, old));
  EXPECT_FALSE(can_write(cluster, old));
  EXPECT_TRUE(eventually([&] { return can_write(cluster, (old + 1) % 3); }));
}

TEST_F(NetworkTest, NetworksStandSideBySide) {
  Network one(1), other(1);
  EXPECT_NE(one.address(0), other.address(0));
  EXPECT_NE(one.address(0), one.address(Network::kHere));
}

TEST_F(NetworkTest, NothingIsLeftBehindByAProcessThatIsKilled) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const Network network(3);
    const std::string device = network.device_here();
    (void)!::write(ends[1], device.data(), device.size());
    while (true) ::pause();
  }
  char device[IF_NAMESIZE] = {};
  EXPECT_GT(::read(ends[0], device, sizeof device - 1), 0);
  EXPECT_NE(::if_nametoindex(device), 0u);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(eventually([&] { return ::if_nametoindex(device) == 0; })) << device;
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace holdfast::test
