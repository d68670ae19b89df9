#include "support/memcached_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "support/eventually.h"

namespace holdfast::test {
namespace {

using testing::HasSubstr;

TEST(MemcachedServer, KeepsAValueUntilItIsKilledAndComesBackEmptyOnItsPort) {
  HOLDFAST_NEEDS_MEMCACHED();
  MemcachedServer server;
  EXPECT_EQ(server.ask("ms k 1\r\nv\r\n"), "HD\r\n");
  EXPECT_EQ(server.ask("mg k v\r\nmg other v\r\n"), "VA 1\r\nv\r\nEN\r\n");
  const std::string address = server.address();
  server.kill();
  EXPECT_FALSE(server.is_running());
  EXPECT_THROW(server.ask("mg k v\r\n"), std::runtime_error);
  server.restart();
  EXPECT_EQ(server.address(), address);
  EXPECT_EQ(server.ask("mg k v\r\n"), "EN\r\n");
}

TEST(MemcachedServer, ListensOnAUnixSocketAndComesBackOnIt) {
  HOLDFAST_NEEDS_MEMCACHED();
  MemcachedServer server({.unix_socket = true});
  EXPECT_EQ(server.address().front(), '/');
  EXPECT_EQ(server.ask("ms k 1\r\nv\r\n"), "HD\r\n");
  server.restart();
  EXPECT_EQ(server.ask("mg k v\r\n"), "EN\r\n");
}

TEST(MemcachedServer, TakesArgumentsAndSaysWhatItsLogSaysWhenItCannotStart) {
  HOLDFAST_NEEDS_MEMCACHED();
  MemcachedServer server({.arguments = {"-I", "4m"}});
  EXPECT_THAT(server.ask("stats settings\r\n"), HasSubstr("item_size_max 4194304"));
  try {
    MemcachedServer other({.arguments = {"--no-such-setting"}});
    FAIL() << "it started";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr("no-such-setting"));
  }
}

TEST(MemcachedServer, EndsWithTheThreadThatStartedIt) {
  HOLDFAST_NEEDS_MEMCACHED();
  std::unique_ptr<MemcachedServer> server;
  std::thread([&] { server = std::make_unique<MemcachedServer>(); }).join();
  EXPECT_TRUE(eventually([&] { return !server->is_running(); }));
}

}  // namespace
}  // namespace holdfast::test
