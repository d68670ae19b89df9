#include "stores/redis/settings.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <set>

#include "base/encoding.h"

namespace holdfast::stores::redis {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Properties = std::vector<std::pair<std::string, std::string>>;

state::Component component(Properties properties) {
  state::Component out;
  out.name = "orders";
  out.type = "state.redis";
  out.file = "orders.yaml";
  out.line = 3;
  out.properties = std::move(properties);
  return out;
}

Result<RedisSettings> read(Properties properties) { return RedisSettings::read(component(std::move(properties))); }

Result<RedisSettings> read_with(std::string name, std::string value) {
  return read({{"redisHost", "localhost:6379"}, {std::move(name), std::move(value)}});
}

struct AddressCase {
  const char* name;
  const char* text;
  std::vector<std::string> addresses;
};

class RedisAddresses : public testing::TestWithParam<AddressCase> {};

TEST_P(RedisAddresses, AreReadInEveryForm) {
  const auto parsed = parse_addresses(GetParam().text, 6379, false);
  ASSERT_TRUE(parsed) << parsed.error().message;
  std::vector<std::string> texts;
  for (const Address& address : *parsed) texts.push_back(address.text());
  EXPECT_EQ(texts, GetParam().addresses);
}

INSTANTIATE_TEST_SUITE_P(Forms, RedisAddresses,
                         testing::Values(AddressCase{"Host", "redis", {"redis:6379"}},
                                         AddressCase{"Port", "redis:7000", {"redis:7000"}},
                                         AddressCase{"V4", "10.0.0.7:1", {"10.0.0.7:1"}},
                                         AddressCase{"V6", "[::1]:7000", {"[::1]:7000"}},
                                         AddressCase{"V6WithoutPort", "[fe80::1]", {"[fe80::1]:6379"}},
                                         AddressCase{"BareV6", "::1", {"[::1]:6379"}},
                                         AddressCase{"List", "a:1, b ,[::1]:3", {"a:1", "b:6379", "[::1]:3"}},
                                         AddressCase{"Path", "/run/redis.sock", {"/run/redis.sock"}},
                                         AddressCase{"UnixUrl", "unix:///run/redis.sock", {"/run/redis.sock"}}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(RedisAddresses, WhatIsNoAddressIsRefusedWithTheReason) {
  for (const auto& [text, why] :
       {std::pair("", "empty address"), std::pair("a,,b", "empty address"), std::pair("a:", "port is missing"),
        std::pair("[::1]:", "port is missing"), std::pair("a:0", "port is not a number"),
        std::pair("a:70000", "port is not a number"), std::pair("a:6379x", "port is not a number"),
        std::pair("[::1", "brackets"), std::pair("[::1]x", "brackets"), std::pair(":6379", "no host"),
        std::pair("redis://a:6379", "is a URL"), std::pair("unix://run/x", "absolute path")}) {
    const auto parsed = parse_addresses(text, 6379, false);
    ASSERT_FALSE(parsed) << text;
    EXPECT_THAT(parsed.error().message, HasSubstr(why)) << text;
  }
  EXPECT_FALSE(parse_addresses("/" + std::string(107, 'x'), 6379, false)) << "sockaddr_un has no room for it";
}

TEST(RedisAddresses, APortBesideRedisPortHasToBeTheSame) {
  EXPECT_TRUE(parse_addresses("a:7000", 7000, true));
  EXPECT_FALSE(parse_addresses("a:7001", 7000, true));
  EXPECT_EQ(read({{"redisHost", "a"}, {"redisPort", "7000"}})->addresses.front().port, 7000);
}

TEST(RedisSettings, TheSeedsComponentIsReadAsItIsWritten) {
  const auto settings = read({{"redisHost", "localhost:6379"},
                              {"redisPassword", ""},
                              {"enableTLS", "false"},
                              {"failover", "false"},
                              {"keyPrefix", "none"},
                              {"maxRetries", "5"},
                              {"maxRetryBackoff", "2000ms"}});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->topology, Topology::node);
  EXPECT_TRUE(settings->login.password.empty());
  EXPECT_FALSE(settings->tls.enabled);
  EXPECT_EQ(settings->retries_max, 5u);
  EXPECT_EQ(settings->retry_wait_min, Milliseconds(512)) << "never above the longest, as in Dapr's driver";
}

TEST(RedisSettings, DefaultsAreDaprs) {
  const auto settings = read({{"redisHost", "localhost"}});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->retries_max, 3u);
  EXPECT_EQ(settings->retry_wait_max, Milliseconds(512));
  EXPECT_EQ(settings->connect_timeout, Milliseconds(5000));
  EXPECT_EQ(settings->read_timeout, Milliseconds(3000));
  EXPECT_EQ(settings->database, 0u);
  EXPECT_FALSE(settings->default_ttl);
  EXPECT_FALSE(settings->replicas);
  EXPECT_FALSE(settings->wait_aof);
  EXPECT_FALSE(settings->dapr_lenient);
}

TEST(RedisSettings, TheLegacyBackoffIsADurationOrNanoseconds) {
  const auto wait = [](const char* text) {
    const auto settings = read({{"redisHost", "a"}, {"redisMaxRetryInterval", "1m"}, {"maxRetryBackoff", text}});
    return settings ? settings->retry_wait_min : Milliseconds(-1);
  };
  EXPECT_EQ(wait("2000ms"), Milliseconds(2000));
  EXPECT_EQ(wait("20000000000"), Milliseconds(20'000)) << "Dapr's integer";
  EXPECT_EQ(wait("soon"), Milliseconds(-1));
  const auto both = read({{"redisHost", "a"},
                          {"redisMaxRetryInterval", "1m"},
                          {"redisMinRetryInterval", "3s"},
                          {"maxRetryBackoff", "9s"}});
  EXPECT_EQ(both->retry_wait_min, Milliseconds(3000));
}

TEST(RedisSettings, TopologiesAreToldApart) {
  EXPECT_EQ(read({{"redisHost", "a:1,b:2"}, {"redisType", "cluster"}, {"redisDB", "4"}})->topology, Topology::cluster);
  EXPECT_EQ(read({{"redisHost", "a:1,b:2"}, {"redisType", "cluster"}, {"redisDB", "4"}})->database, 0u);
  const auto sentinels = read({{"redisHost", "a:1,b:2"}, {"failover", "true"}, {"sentinelMasterName", "mymaster"}});
  ASSERT_TRUE(sentinels);
  EXPECT_EQ(sentinels->topology, Topology::sentinel);
  EXPECT_EQ(sentinels->sentinel_master, "mymaster");
  EXPECT_FALSE(read({{"redisHost", "a:1,b:2"}})) << "one node has one address";
  EXPECT_FALSE(read({{"redisHost", "a:1"}, {"failover", "true"}})) << "which primary?";
}

TEST(RedisSettings, TimeoutsOfZeroAreTheDefaultAndNegativeOnesAreNone) {
  EXPECT_EQ(read_with("readTimeout", "0")->read_timeout, Milliseconds(3000));
  EXPECT_EQ(read_with("readTimeout", "7")->read_timeout, Milliseconds(7000));
  EXPECT_EQ(read_with("readTimeout", "-1")->read_timeout, Milliseconds(std::chrono::hours(24)));
  EXPECT_EQ(read_with("idleTimeout", "-1")->idle_close, Milliseconds(0));
  EXPECT_EQ(read_with("idleTimeout", "2m")->idle_close, Milliseconds(120'000));
}

TEST(RedisSettings, OurOwnFieldsAreRead) {
  EXPECT_EQ(read_with("replicas", "2")->replicas, 2u);
  EXPECT_TRUE(read_with("waitAOF", "true")->wait_aof);
  EXPECT_TRUE(read_with("daprLenient", "yes")->dapr_lenient);
  EXPECT_EQ(read_with("ttlInSeconds", "60")->default_ttl, Milliseconds(60'000));
  EXPECT_FALSE(read_with("ttlInSeconds", "-1")->default_ttl);
  EXPECT_EQ(read_with("maxRetries", "-1")->retries_max, 0u);
  const auto indexes = read_with("queryIndexes", R"([{"name":"i","indexes":[{"key":"a.b","type":"NUMERIC"}]}])");
  ASSERT_TRUE(indexes) << indexes.error().message;
  EXPECT_THAT(indexes->indexes, ElementsAre(SearchIndex{"i", {{"a.b", SearchIndex::Type::numeric}}}));
}

TEST(RedisSettings, CertificatesAreTextOrFiles) {
  const std::string path = testing::TempDir() + "holdfast_redis_settings_test.pem";
  std::ofstream(path) << "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n";
  const auto from = [&](const std::string& text) {
    return read({{"redisHost", "a"}, {"enableTLS", "true"}, {"caCert", text}, {"serverName", "redis.example"}});
  };
  const auto by_path = from(path);
  ASSERT_TRUE(by_path) << by_path.error().message;
  EXPECT_THAT(by_path->tls.ca_pem, HasSubstr("\nMII\n"));
  EXPECT_EQ(by_path->tls.server_name, "redis.example");
  EXPECT_EQ(from("-----BEGIN CERTIFICATE-----\\nMII\\n-----END CERTIFICATE-----")->tls.ca_pem,
            "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----")
      << "as environment variables carry it";
  EXPECT_THAT(from("/no/such/file").error().message, HasSubstr("caCert"));
  std::ofstream(path) << "nothing";
  EXPECT_THAT(from(path).error().message, HasSubstr("no PEM text"));
  std::remove(path.c_str());
}

TEST(RedisSettings, ASecretThatIsNoPathIsNotShown) {
  const auto settings = read({{"redisHost", "a"}, {"enableTLS", "true"}, {"clientKey", "MIIEvQIBADANBg"}});
  ASSERT_FALSE(settings);
  EXPECT_THAT(settings.error().message, testing::Not(HasSubstr("MIIEvQ")));
}

TEST(RedisSettings, ACertificateOfOursNeedsItsKey) {
  const std::string pem = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----";
  EXPECT_FALSE(read({{"redisHost", "a"}, {"enableTLS", "true"}, {"clientCert", pem}}));
  EXPECT_FALSE(read({{"redisHost", "a"}, {"enableTLS", "true"}, {"clientKey", pem}}));
  EXPECT_TRUE(read({{"redisHost", "a"}, {"enableTLS", "true"}, {"clientCert", pem}, {"clientKey", pem}}));
}

TEST(RedisSettings, SigningInByTokenIsRefusedUntilItIsBuilt) {
  for (const char* field : {"useEntraID", "useOIDC"}) {
    const auto settings = read_with(field, "true");
    ASSERT_FALSE(settings);
    EXPECT_EQ(settings.error().code, Errc::unsupported);
    EXPECT_THAT(settings.error().message, HasSubstr(field));
    EXPECT_TRUE(read_with(field, "false"));
  }
}

TEST(RedisSettings, ErrorsNameComponentFieldAndFile) {
  const auto settings = read_with("redisDB", "-3");
  ASSERT_FALSE(settings);
  EXPECT_EQ(settings.error().code, Errc::invalid_argument);
  EXPECT_EQ(settings.error().message,
            "component \"orders\" (state.redis): field \"redisDB\" must be the number of a database, from 0 "
            "(orders.yaml:3)");
}

TEST(RedisSettings, FieldsAreExplainedTheirNamesUniqueAndTheirDefaultsValues) {
  std::set<std::string> names;
  for (const state::Setting& field : kFields) {
    EXPECT_FALSE(field.help.empty()) << field.name;
    if (!field.fallback.empty()) EXPECT_EQ(state::objection_to(field, field.fallback), "") << field.name;
    for (const std::string_view name : {field.name, field.alias, field.alias2, field.alias3})
      if (!name.empty()) EXPECT_TRUE(names.insert(to_lower(name)).second) << name;
  }
}

TEST(RedisSettings, FieldsOfTheCoursesPassTheCheck) {
  for (const auto& [name, value] :
       {std::pair("redisHost", "localhost:6379"), std::pair("redisPassword", ""), std::pair("enableTLS", "false"),
        std::pair("failover", "false"), std::pair("maxRetries", "3"), std::pair("maxRetryBackoff", "2000ms")}) {
    const auto* field = std::ranges::find_if(kFields, [&](const auto& row) { return state::has_name(row, name); });
    ASSERT_NE(field, kFields.end()) << name;
    EXPECT_EQ(state::objection_to(*field, value), "") << name;
  }
}

struct RefusedCase {
  const char* name;
  const char* value;
};
class RefusedRedisField : public testing::TestWithParam<RefusedCase> {};

TEST_P(RefusedRedisField, IsNamed) {
  const auto settings = read_with(GetParam().name, GetParam().value);
  ASSERT_FALSE(settings);
  EXPECT_THAT(settings.error().message, HasSubstr(GetParam().name));
}

INSTANTIATE_TEST_SUITE_P(Values, RefusedRedisField,
                         testing::Values(RefusedCase{"redisPort", "0"}, RefusedCase{"redisPort", "65536"},
                                         RefusedCase{"redisDB", "x"}, RefusedCase{"redisType", "clustr"},
                                         RefusedCase{"replicas", "-1"}, RefusedCase{"replicas", "many"},
                                         RefusedCase{"redisMaxRetries", "-2"}, RefusedCase{"readTimeout", "3 s"},
                                         RefusedCase{"ttlInSeconds", "2147483648"}, RefusedCase{"queryIndexes", "{}"},
                                         RefusedCase{"queryIndexes", "[{\"name\":\"i\"}]"},
                                         RefusedCase{"queryIndexes", "["}),
                         [](const auto& info) { return std::string(info.param.name) + std::to_string(info.index); });

}  // namespace
}  // namespace holdfast::stores::redis
