// MySQL and MariaDB, SQL Server.
#include "config/known/families.h"

namespace holdfast::config::known {
namespace {

constexpr auto kMysql = std::to_array<Setting>({
    {.name = "connectionString",
     .help = "USER:PASSWORD@tcp(HOST:3306)/?PARAMETERS, without the name of a database",
     .required = true,
     .secret = true},
    {.name = "schemaName",
     .kind = SettingKind::identifier,
     .fallback = "dapr_state_store",
     .help = "database; made when it is not there"},
    {.name = "tableName", .kind = SettingKind::identifier, .fallback = "state", .help = "table of the records"},
    {.name = "metadataTableName",
     .kind = SettingKind::identifier,
     .fallback = "dapr_metadata",
     .help = "table of the last cleanup"},
    {.name = "timeoutInSeconds",
     .kind = SettingKind::integer,
     .fallback = "20",
     .help = "the longest that one statement may take"},
    {.name = "pemPath", .help = "path of the certificates to trust; the connection string needs tls=custom"},
    {.name = "cleanupInterval",
     .kind = SettingKind::duration,
     .fallback = "1h",
     .help = "how often expired rows are removed; 0: never"},
});

constexpr auto kSqlServerCommon = std::to_array<Setting>({
    {.name = "connectionString",
     .help = "as of ADO or ODBC, or a sqlserver:// URL",
     .alias = "url",
     .required = true,
     .secret = true},
    {.name = "databaseName",
     .kind = SettingKind::identifier,
     .fallback = "dapr",
     .help = "database, where the connection string names none; made when it is not there",
     .alias = "database"},
    {.name = "schemaName",
     .kind = SettingKind::identifier,
     .fallback = "dbo",
     .help = "schema; made when it is not there",
     .alias = "schema"},
    {.name = "tableName", .kind = SettingKind::identifier, .fallback = "state", .help = "table of the records"},
    {.name = "metadataTableName",
     .kind = SettingKind::identifier,
     .fallback = "dapr_metadata",
     .help = "table of the last cleanup"},
    {.name = "keyType", .fallback = "string", .help = "type of the key's column", .choices = "string uuid integer"},
    {.name = "keyLength",
     .kind = SettingKind::integer,
     .fallback = "200",
     .help = "length of the key's column; longer keys are refused"},
    {.name = "indexedProperties", .help = "JSON: [{\"column\":...,\"property\":...,\"type\":...}]"},
    {.name = "cleanupInterval",
     .kind = SettingKind::duration,
     .fallback = "1h",
     .help = "how often expired rows are removed; 0: never",
     .alias = "cleanupIntervalInSeconds"},
    {.name = "useAzureAD",
     .kind = SettingKind::boolean,
     .fallback = "false",
     .help = "sign in with Microsoft Entra ID"},
});
constexpr auto kSqlServerV2Own = std::to_array<Setting>({
    {.name = "bulkGetChunkSize",
     .kind = SettingKind::integer,
     .fallback = "1000",
     .help = "keys of one statement of a bulk read; at most 2000"},
});

constexpr auto kSqlServerV1 = join(kSqlServerCommon, kAzureFields);
constexpr auto kSqlServerV2 = join(kSqlServerCommon, kSqlServerV2Own, kAzureFields);

constexpr auto kTypes = std::to_array<StoreType>({
    {.type = "state.mysql", .summary = "MySQL or MariaDB", .settings = kMysql},
    {.type = "state.sqlserver",
     .version = "v1",
     .summary = "SQL Server or Azure SQL, values as text",
     .settings = kSqlServerV1},
    {.type = "state.sqlserver",
     .version = "v2",
     .summary = "SQL Server or Azure SQL, values as text or bytes",
     .settings = kSqlServerV2},
});

}  // namespace

std::span<const StoreType> sql_types() { return kTypes; }

}  // namespace holdfast::config::known
