// memcached, etcd, Consul, Aerospike.
#include "config/known/families.h"

namespace holdfast::config::known {
namespace {

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
