// Redis, memcached, etcd, Consul, Aerospike.
#include "config/known/families.h"

namespace holdfast::config::known {
namespace {

constexpr auto kRedisAddress = std::to_array<Setting>({
    {.name = "redisHost",
     .help = "host:port; several, with commas between, of a cluster or of sentinels",
     .required = true},
    {.name = "redisPort", .kind = SettingKind::integer, .fallback = "6379", .help = "port of hosts that name none"},
    {.name = "redisUsername", .help = "user of an access control list"},
    {.name = "redisPassword", .help = "password of the user, or of the server", .secret = true},
    {.name = "redisDB",
     .kind = SettingKind::integer,
     .fallback = "0",
     .help = "number of the database; not of a cluster"},
    {.name = "redisType", .fallback = "node", .help = "one node, or a cluster", .choices = "node cluster"},
    {.name = "failover", .kind = SettingKind::boolean, .fallback = "false", .help = "redisHost names sentinels"},
    {.name = "sentinelMasterName", .help = "the primary's name to the sentinels"},
    {.name = "sentinelUsername", .help = "user at the sentinels"},
    {.name = "sentinelPassword", .help = "password at the sentinels", .secret = true},
    {.name = "replicas",
     .kind = SettingKind::integer,
     .help = "replicas that a strong write waits for; by default the most that were seen"},
});

constexpr auto kRedisConnections = std::to_array<Setting>({
    {.name = "redisMaxRetries",
     .kind = SettingKind::integer,
     .fallback = "3",
     .help = "tries again of connects and reads; -1: none",
     .alias = "maxRetries"},
    {.name = "redisMinRetryInterval",
     .kind = SettingKind::duration,
     .fallback = "2s",
     .help = "the shortest wait before a try"},
    {.name = "maxRetryBackoff",
     .kind = SettingKind::duration,
     .help = "older name of redisMinRetryInterval, used when that is not given; Dapr reads an integer only"},
    {.name = "redisMaxRetryInterval",
     .kind = SettingKind::duration,
     .fallback = "512ms",
     .help = "the longest wait before a try"},
    {.name = "dialTimeout", .kind = SettingKind::duration, .fallback = "5s", .help = "the longest connect"},
    {.name = "readTimeout", .kind = SettingKind::duration, .fallback = "3s", .help = "the longest wait for a reply"},
    {.name = "writeTimeout",
     .kind = SettingKind::duration,
     .fallback = "3s",
     .help = "the longest wait for the socket"},
    {.name = "poolSize", .kind = SettingKind::integer, .help = "connections at most"},
    {.name = "minIdleConns", .kind = SettingKind::integer, .fallback = "0", .help = "connections kept open"},
    {.name = "maxConnAge",
     .kind = SettingKind::duration,
     .fallback = "0",
     .help = "age at which one is closed; 0: never"},
    {.name = "poolTimeout", .kind = SettingKind::duration, .help = "the longest wait for a free connection"},
    {.name = "idleTimeout",
     .kind = SettingKind::duration,
     .fallback = "5m",
     .help = "idle time after which one is closed"},
    {.name = "idleCheckFrequency",
     .kind = SettingKind::duration,
     .fallback = "1m",
     .help = "how often idle ones are sought"},
    {.name = "enableTLS", .kind = SettingKind::boolean, .fallback = "false", .help = "use TLS"},
    {.name = "insecureSkipTLSVerify",
     .kind = SettingKind::boolean,
     .fallback = "false",
     .help = "accept any certificate: for tests"},
    {.name = "caCert", .help = "PEM certificates to trust instead of the system's; Dapr has no such field"},
    {.name = "serverName", .help = "name the server's certificate has to have; Dapr has no such field"},
    {.name = "clientCert", .help = "PEM certificate of ours"},
    {.name = "clientKey", .help = "its key", .secret = true},
});

constexpr auto kRedisData = std::to_array<Setting>({
    {.name = "ttlInSeconds",
     .kind = SettingKind::integer,
     .help = "time to live of records that are saved without one"},
    {.name = "queryIndexes", .help = "JSON: [{\"name\":...,\"indexes\":[{\"key\":...,\"type\":...}]}]"},
});

constexpr auto kRedisTokens = std::to_array<Setting>({
    {.name = "useEntraID",
     .kind = SettingKind::boolean,
     .fallback = "false",
     .help = "a token of Microsoft Entra ID is the password"},
    {.name = "useOIDC", .kind = SettingKind::boolean, .fallback = "false", .help = "an OAuth 2 token is the password"},
    {.name = "oidcTokenEndpoint", .help = "URL where that token is had"},
    {.name = "oidcClientID", .help = "client id"},
    {.name = "oidcClientAssertionCert", .help = "PEM certificate of the client"},
    {.name = "oidcClientAssertionKey", .help = "its key", .secret = true},
    {.name = "oidcResource", .help = "resource asked for"},
    {.name = "oidcAudience", .help = "audience asked for"},
    {.name = "oidcScopes", .fallback = "openid", .help = "scopes asked for"},
    {.name = "oidcKid", .help = "id of the client's key"},
    {.name = "oidcCACert", .help = "PEM certificates that the token endpoint is trusted by"},
});

constexpr auto kRedis = join(kRedisAddress, kRedisConnections, kRedisData, kRedisTokens, kAzureFields);

constexpr auto kMemcached = std::to_array<Setting>({
    {.name = "hosts", .help = "host:port, or the path of a socket; several with commas between", .required = true},
    {.name = "maxIdleConnections",
     .kind = SettingKind::integer,
     .fallback = "2",
     .help = "connections kept open to each server"},
    {.name = "timeout",
     .kind = SettingKind::integer,
     .fallback = "1000",
     .help = "the longest wait for the socket, in milliseconds and without a unit"},
});

constexpr auto kEtcd = std::to_array<Setting>({
    {.name = "endpoints", .help = "host:port; several with commas between", .required = true},
    {.name = "keyPrefixPath", .help = "put before every key, with a / after it"},
    {.name = "tlsEnable", .kind = SettingKind::boolean, .fallback = "false", .help = "use TLS, with ca, cert and key"},
    {.name = "ca", .help = "PEM certificates to trust"},
    {.name = "cert", .help = "PEM certificate of ours"},
    {.name = "key", .help = "its key", .secret = true},
    {.name = "maxTxnOps",
     .kind = SettingKind::integer,
     .fallback = "128",
     .help = "operations of one transaction, as the server's --max-txn-ops"},
});

constexpr auto kConsul = std::to_array<Setting>({
    {.name = "datacenter", .help = "data centre; the agent's own when unset"},
    {.name = "httpAddr", .fallback = "127.0.0.1:8500", .help = "host:port of the agent"},
    {.name = "scheme", .fallback = "http", .help = "how to talk to it", .choices = "http https"},
    {.name = "aclToken", .help = "token of the access control list", .secret = true},
    {.name = "keyPrefixPath",
     .fallback = "dapr",
     .help = "put before every key, with a / after it; Dapr cannot write once it is set"},
});

constexpr auto kAerospike = std::to_array<Setting>({
    {.name = "hosts", .help = "host:port; several with commas between", .required = true},
    {.name = "namespace", .help = "the server's namespace", .required = true},
    {.name = "set", .help = "set within it"},
});

constexpr auto kTypes = std::to_array<StoreType>({
    {.type = "state.redis", .summary = "Redis or Valkey: one node, a cluster, or sentinels", .settings = kRedis},
    {.type = "state.memcached", .summary = "memcached, one or several", .settings = kMemcached},
    {.type = "state.etcd", .version = "v1", .summary = "etcd, values as they are", .settings = kEtcd},
    {.type = "state.etcd",
     .version = "v2",
     .summary = "etcd, values in messages that carry their expiry",
     .settings = kEtcd},
    {.type = "state.hashicorp.consul",
     .alias = "state.consul",
     .summary = "the key-value store of HashiCorp Consul",
     .settings = kConsul},
    {.type = "state.aerospike", .summary = "Aerospike", .settings = kAerospike},
});

}  // namespace

std::span<const StoreType> key_value_types() { return kTypes; }

}  // namespace holdfast::config::known
