// Consul, Aerospike.
#include "config/known/families.h"

namespace holdfast::config::known {
namespace {

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
    {.type = "state.hashicorp.consul",
     .alias = "state.consul",
     .summary = "the key-value store of HashiCorp Consul",
     .settings = kConsul},
    {.type = "state.aerospike", .summary = "Aerospike", .settings = kAerospike},
});

}  // namespace

std::span<const StoreType> key_value_types() { return kTypes; }

}  // namespace holdfast::config::known
