#include "stores/memcached/settings.h"

#include <gmock/gmock.h>

namespace holdfast::stores::memcached {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<MemcachedSettings> read(std::vector<std::pair<std::string, std::string>> fields) {
  state::Component component;
  component.name = "orders";
  component.type = "state.memcached";
  component.file = "orders.yaml";
  component.line = 3;
  component.properties = std::move(fields);
  return MemcachedSettings::read(component);
}

std::vector<std::string> texts(std::string_view hosts) {
  std::vector<std::string> out;
  const auto parsed = parse_hosts(hosts);
  if (!parsed) return {parsed.error().message};
  for (const net::Endpoint& host : *parsed) out.push_back(host.text());
  return out;
}

TEST(MemcachedHosts, AreReadInEveryFormAndKeepTheirOrder) {
  EXPECT_THAT(texts("b:1,a:2, c:3 ,a:2"), ElementsAre("b:1", "a:2", "c:3", "a:2"));
  EXPECT_THAT(texts("cache"), ElementsAre("cache:11211"));
  EXPECT_THAT(texts("[::1]:7,::1,[::1]"), ElementsAre("[::1]:7", "[::1]:11211", "[::1]:11211"));
  EXPECT_THAT(texts("/run/memcached.sock,a:1"), ElementsAre("/run/memcached.sock", "a:1"));
  EXPECT_EQ(parse_hosts("run/memcached.sock")->front().unix_path, "run/memcached.sock");
}

TEST(MemcachedHosts, ThatAreNoneAreRefusedWithTheReason) {
  // Left out, an empty one would move the keys of the others.
  for (const std::string_view empty : {"", "a:1,", ",a:1", "a:1,,b:1"})
    EXPECT_THAT(texts(empty), ElementsAre(HasSubstr("empty host"))) << empty;
  for (const std::string_view port : {"a:0", "a:x", "a:", "a:65536", "[::1]:x"})
    EXPECT_THAT(texts(port), ElementsAre(HasSubstr("port is not a number"))) << port;
  EXPECT_THAT(texts("[::1"), ElementsAre(HasSubstr("brackets")));
  EXPECT_THAT(texts(":11211"), ElementsAre(HasSubstr("no name")));
  EXPECT_THAT(texts("memcached://a:1"), ElementsAre(HasSubstr("URL")));
  EXPECT_THAT(texts("/" + std::string(107, 's')), ElementsAre(HasSubstr("too long")));
}

TEST(MemcachedSettings, NameComponentFieldAndFileInWhatTheyRefuse) {
  EXPECT_THAT(read({{"hosts", "a:x"}}).error().message,
              HasSubstr("component \"orders\" (state.memcached): field \"hosts\" has the host \"a:x\""));
  EXPECT_THAT(read({{"hosts", "a:x"}}).error().message, HasSubstr("orders.yaml:3"));
  EXPECT_THAT(read({}).error().message, HasSubstr("hosts"));
  EXPECT_FALSE(read({{"hosts", "a"}, {"maxIdleConnections", "many"}}));
  EXPECT_TRUE(read({{"HOSTS", "a"}, {"maxIdleConnections", "7"}}));
}

// Dapr refuses "5s", although the manifest of its store says that this is what to write.
TEST(MemcachedSettings, TimeoutIsMillisecondsOrADuration) {
  const auto timeout = [](std::string text) { return read({{"hosts", "a"}, {"timeout", std::move(text)}})->timeout; };
  EXPECT_EQ(read({{"hosts", "a"}})->timeout, Milliseconds(1000));
  EXPECT_EQ(timeout("250"), Milliseconds(250));
  EXPECT_EQ(timeout("5s"), Milliseconds(5000));
  EXPECT_EQ(timeout("1m30s"), Milliseconds(90'000));
  EXPECT_EQ(timeout("0"), Milliseconds(500)) << "the default of Dapr's driver";
  EXPECT_EQ(timeout("-1"), Milliseconds(1000)) << "Dapr's own";
  EXPECT_EQ(timeout("-5s"), Milliseconds(1000));
  EXPECT_EQ(timeout("86400001"), std::chrono::hours(24));
  EXPECT_FALSE(read({{"hosts", "a"}, {"timeout", "soon"}}));
}

}  // namespace
}  // namespace holdfast::stores::memcached
