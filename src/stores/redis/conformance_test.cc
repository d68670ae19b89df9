#include "stores/redis/conformance_testing.h"
#include "support/redis_cluster.h"
#include "support/redis_sentinel.h"
#include "support/redis_servers.h"

namespace holdfast::conformance {
namespace {

using stores::redis::joined;

Subject node() {
  return subject(
      "node", [] { return Fields{{"redisHost", server<test::RedisServer>().address()}, {"redisPassword", ""}}; },
      "Redis");
}

// The user may do what the store's README asks for, and nothing else.
Subject secured() {
  return subject("tls_and_acl", [] {
    auto& secured = server<test::SecuredRedis>();
    return Fields{{"redisHost", "127.0.0.1:" + std::to_string(secured.tls_port())},
                  {"redisUsername", std::string(test::SecuredRedis::kUser)},
                  {"redisPassword", std::string(test::SecuredRedis::kPassword)},
                  {"enableTLS", "true"},
                  {"caCert", secured.certificates().authority}};
  });
}

Fields cluster_fields() {
  return {{"redisHost", joined(server<test::RedisCluster>().addresses())}, {"redisType", "cluster"}};
}

// Hash tags, as applications use them that want transactions.
Subject cluster() {
  Subject one_slot = subject("cluster", cluster_fields, "Redis Cluster");
  one_slot.shared_tag = true;
  return one_slot;
}

Subject spread_cluster() {
  Subject spread = subject("cluster_without_tags", cluster_fields);
  spread.transactions_span_keys = false;
  return spread;
}

Subject sentinels() {
  return subject(
      "sentinels",
      [] {
        return Fields{{"redisHost", joined(server<test::RedisSentinels>().sentinel_addresses())},
                      {"failover", "true"},
                      {"sentinelMasterName", test::RedisSentinels::kName}};
      },
      "Redis Sentinel");
}

Subject valkey() {
  return subject(
      "valkey", [] { return Fields{{"redisHost", server_of<test::ServerKind::valkey>().address()}}; }, "Valkey");
}

// Every path that test/conformance/query.cc asks for.
constexpr const char* kIndexes = R"([{"name":"cases","indexes":[
    {"key":"message","type":"TAG"}, {"key":"product.value","type":"NUMERIC"}, {"key":"status","type":"TAG"},
    {"key":"s","type":"TAG"}, {"key":"n","type":"NUMERIC"}, {"key":"even","type":"TAG"}, {"key":"v","type":"NUMERIC"}]}])";

// Emptied for every case, because an index holds the documents of all; that takes the index along too.
Subject documents() {
  return subject(
      "documents",
      [] {
        auto& stack = server_of<test::ServerKind::redis_stack>();
        stack.must({"FLUSHALL"});
        return Fields{{"redisHost", stack.address()}, {"queryIndexes", kIndexes}};
      },
      "Redis, RedisJSON and search");
}

HOLDFAST_CONFORMANCE(Redis, node(), secured(), cluster(), spread_cluster(), sentinels(), valkey(), documents());

}  // namespace
}  // namespace holdfast::conformance
