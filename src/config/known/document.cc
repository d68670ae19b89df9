// MongoDB, Couchbase, Cassandra and ScyllaDB.
#include "config/known/families.h"

namespace holdfast::config::known {
namespace {

constexpr auto kMongo = std::to_array<Setting>({
    {.name = "connectionString",
     .help = "a mongodb:// or mongodb+srv:// URI; wins over server and host",
     .secret = true},
    {.name = "server", .help = "name whose DNS records list the servers; instead of host"},
    {.name = "host", .help = "host:port; several with commas between"},
    {.name = "username", .help = "user; needs password"},
    {.name = "password", .help = "password of the user", .secret = true},
    {.name = "databaseName", .fallback = "daprStore", .help = "database"},
    {.name = "collectionName", .fallback = "daprCollection", .help = "collection"},
    {.name = "params", .help = "options of the URI, such as ?replicaSet=rs0"},
    {.name = "writeconcern", .help = "majority, or a number of nodes"},
    {.name = "readconcern",
     .fallback = "local",
     .help = "level that reads ask for",
     .choices = "local majority available linearizable snapshot"},
    {.name = "operationTimeout",
     .kind = SettingKind::duration,
     .fallback = "5s",
     .help = "the longest that one operation may take"},
});

constexpr auto kCouchbase = std::to_array<Setting>({
    {.name = "couchbaseURL", .help = "couchbase://HOST", .required = true},
    {.name = "username", .help = "user", .required = true},
    {.name = "password", .help = "password of the user", .required = true, .secret = true},
    {.name = "bucketName", .help = "bucket", .required = true},
    {.name = "numReplicasDurableReplication",
     .kind = SettingKind::integer,
     .fallback = "0",
     .help = "replicas that a strong write waits for"},
    {.name = "numReplicasDurablePersistence",
     .kind = SettingKind::integer,
     .fallback = "0",
     .help = "disks that a strong write waits for"},
});

constexpr auto kCassandra = std::to_array<Setting>({
    {.name = "hosts", .help = "hosts to start from; several with commas between", .required = true},
    {.name = "port", .kind = SettingKind::integer, .fallback = "9042", .help = "port of every host"},
    {.name = "keyspace",
     .kind = SettingKind::identifier,
     .fallback = "dapr",
     .help = "keyspace; made when it is not there"},
    {.name = "table", .kind = SettingKind::identifier, .fallback = "items", .help = "table; made when it is not there"},
    {.name = "replicationFactor",
     .kind = SettingKind::integer,
     .fallback = "1",
     .help = "copies, of a keyspace that is made"},
    {.name = "consistency",
     .fallback = "All",
     .help = "Cassandra's own level for calls that ask for none",
     .choices = "All One Two Three Quorum LocalQuorum EachQuorum LocalOne Any"},
    {.name = "protoVersion", .kind = SettingKind::integer, .fallback = "4", .help = "version of the protocol"},
    {.name = "username", .help = "user; needs password"},
    {.name = "password", .help = "password of the user", .secret = true},
    {.name = "enableHostVerification",
     .kind = SettingKind::boolean,
     .fallback = "false",
     .help = "use TLS and verify the servers"},
});

constexpr auto kTypes = std::to_array<StoreType>({
    {.type = "state.mongodb", .summary = "MongoDB", .settings = kMongo},
    {.type = "state.couchbase", .summary = "Couchbase", .settings = kCouchbase},
    {.type = "state.cassandra", .summary = "Apache Cassandra or ScyllaDB", .settings = kCassandra},
});

}  // namespace

std::span<const StoreType> document_types() { return kTypes; }

}  // namespace holdfast::config::known
