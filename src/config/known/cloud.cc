// Stores of Azure, AWS and Google Cloud.
#include "config/known/families.h"

namespace holdfast::config::known {
namespace {

constexpr auto kCosmosOwn = std::to_array<Setting>({
    {.name = "url", .help = "the account's URL", .required = true},
    {.name = "database", .help = "database, which has to be there", .required = true},
    {.name = "collection",
     .help = "container, which has to be there with the partition key /partitionKey",
     .required = true},
    {.name = "masterKey", .help = "the account's key; without it Microsoft Entra ID is asked", .secret = true},
    {.name = "contentType", .fallback = "application/json", .help = "what values that are bytes are taken for"},
});
constexpr auto kCosmos = join(kCosmosOwn, kAzureFields);

constexpr auto kStorageKey = std::to_array<Setting>({
    {.name = "accountKey",
     .help = "its key; without it Microsoft Entra ID is asked",
     .alias = "accessKey",
     .alias2 = "storageAccessKey",
     .secret = true,
     .alias3 = "storageAccountKey"},
});

constexpr auto kTableOwn = std::to_array<Setting>({
    {.name = "accountName",
     .help = "the storage account",
     .alias = "storageAccount",
     .alias2 = "storageAccountName",
     .required = true},
    {.name = "tableName",
     .help = "table; made when it is not there",
     .alias = "table",
     .alias2 = "storageAccountTable",
     .required = true},
    {.name = "cosmosDbMode",
     .kind = SettingKind::boolean,
     .fallback = "false",
     .help = "the account is Cosmos DB's, with its Table API"},
    {.name = "serviceURL", .help = "URL of the service, where it is not the account's own"},
    {.name = "skipCreateTable", .kind = SettingKind::boolean, .fallback = "false", .help = "never make the table"},
});
constexpr auto kTable = join(kTableOwn, kStorageKey, kAzureFields);

constexpr auto kBlobOwn = std::to_array<Setting>({
    {.name = "accountName",
     .help = "the storage account; needed without connectionString",
     .alias = "storageAccount",
     .alias2 = "storageAccountName"},
    {.name = "containerName",
     .help = "container; made when it is not there",
     .alias = "container",
     .alias2 = "storageAccountContainer",
     .required = true},
    {.name = "connectionString", .help = "wins over account, key and endpoint", .secret = true},
    {.name = "endpoint",
     .help = "URL of the service, where it is not the account's own",
     .alias = "storageEndpoint",
     .alias2 = "storageAccountEndpoint",
     .alias3 = "queueEndpointUrl"},
    {.name = "publicAccessLevel",
     .fallback = "none",
     .help = "what strangers may read of a container that is made",
     .choices = "none blob container"},
    {.name = "retryCount",
     .kind = SettingKind::integer,
     .fallback = "3",
     .help = "tries again of a request",
     .alias = "getBlobRetryCount"},
    {.name = "disableEntityManagement",
     .kind = SettingKind::boolean,
     .fallback = "false",
     .help = "never make the container"},
});
constexpr auto kBlob = join(kBlobOwn, kStorageKey, kAzureFields);

constexpr auto kDynamoOwn = std::to_array<Setting>({
    {.name = "table", .help = "table, which has to be there with one hash key of type string", .required = true},
    {.name = "partitionKey", .fallback = "key", .help = "name of the hash key"},
    {.name = "ttlAttributeName", .help = "attribute of the expiry; without it records do not expire"},
});
constexpr auto kDynamo = join(kDynamoOwn, kAwsFields);

constexpr auto kFirestore = std::to_array<Setting>({
    {.name = "project_id", .help = "the project", .required = true},
    {.name = "entity_kind", .fallback = "DaprState", .help = "kind of the entities"},
    {.name = "noIndex",
     .kind = SettingKind::boolean,
     .fallback = "false",
     .help = "do not index values: an indexed one has 1500 bytes at most"},
    {.name = "endpoint", .help = "host:port of an emulator"},
    {.name = "connectionEndpoint", .help = "another name of endpoint"},
    {.name = "type", .help = "of the service account's file: service_account"},
    {.name = "private_key_id", .help = "of the service account's file; without it the machine's own identity is used"},
    {.name = "private_key", .help = "of the service account's file", .secret = true},
    {.name = "client_email", .help = "of the service account's file"},
    {.name = "client_id", .help = "of the service account's file"},
    {.name = "auth_uri", .help = "of the service account's file"},
    {.name = "token_uri", .help = "of the service account's file"},
    {.name = "auth_provider_x509_cert_url", .help = "of the service account's file"},
    {.name = "client_x509_cert_url", .help = "of the service account's file"},
});

constexpr auto kTypes = std::to_array<StoreType>({
    {.type = "state.azure.cosmosdb", .summary = "Azure Cosmos DB for NoSQL", .settings = kCosmos},
    {.type = "state.azure.tablestorage", .summary = "Azure Table Storage", .settings = kTable},
    {.type = "state.azure.blobstorage",
     .version = "v1",
     .summary = "Azure Blob Storage, blobs named without the app's prefix",
     .settings = kBlob},
    {.type = "state.azure.blobstorage",
     .version = "v2",
     .summary = "Azure Blob Storage, blobs named by the whole key",
     .settings = kBlob},
    {.type = "state.aws.dynamodb", .summary = "Amazon DynamoDB", .settings = kDynamo},
    {.type = "state.gcp.firestore", .summary = "Google Cloud Firestore in Datastore mode", .settings = kFirestore},
});

}  // namespace

std::span<const StoreType> cloud_types() { return kTypes; }

}  // namespace holdfast::config::known
