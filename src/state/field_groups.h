// Groups of fields that several backends share, and how a backend's table is put together from them. Names, kinds and
// defaults are Dapr's; what differs is said in the help.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "state/component.h"

namespace holdfast::state {

// One table out of several groups of fields.
template <std::size_t... Sizes>
constexpr auto join(const std::array<Setting, Sizes>&... groups) {
  std::array<Setting, (Sizes + ...)> all{};
  auto at = all.begin();
  ((at = std::copy(groups.begin(), groups.end(), at)), ...);
  return all;
}

// Signing in with Microsoft Entra ID.
inline constexpr auto kAzureFields = std::to_array<Setting>({
    {.name = "azureTenantId", .help = "tenant of the application", .alias = "spnTenantId", .alias2 = "tenantId"},
    {.name = "azureClientId",
     .help = "application, or user-assigned managed identity",
     .alias = "spnClientId",
     .alias2 = "clientId"},
    {.name = "azureClientSecret",
     .help = "secret of the application",
     .alias = "spnClientSecret",
     .alias2 = "clientSecret",
     .secret = true},
    {.name = "azureCertificate",
     .help = "certificate of the application: PFX or PEM",
     .alias = "spnCertificate",
     .secret = true},
    {.name = "azureCertificateFile", .help = "path of that certificate", .alias = "spnCertificateFile"},
    {.name = "azureCertificatePassword",
     .help = "password of that certificate",
     .alias = "spnCertificatePassword",
     .secret = true},
    {.name = "azureEnvironment",
     .fallback = "AzurePublic",
     .help = "the Azure cloud",
     .alias = "azureCloud",
     .choices = "AzurePublic AzurePublicCloud AzureChina AzureChinaCloud AzureUSGovernment AzureUSGovernmentCloud"},
    {.name = "azureAuthMethods",
     .help = "ways to sign in, in order: clientcredentials, clientcertificate, workloadidentity, "
             "spiffeworkloadidentity, managedidentity, commandlineinterface or none",
     .alias = "azureADAuthMethods",
     .alias2 = "entraIDAuthMethods",
     .alias3 = "microsoftEntraIDAuthMethods"},
});

// Signing in to AWS. Without any of them, the chain of the AWS SDKs.
inline constexpr auto kAwsFields = std::to_array<Setting>({
    {.name = "region", .help = "AWS region", .alias = "awsRegion"},
    {.name = "accessKey", .help = "id of the access key", .secret = true},
    {.name = "secretKey", .help = "the access key itself", .secret = true},
    {.name = "sessionToken", .help = "token of a temporary access key", .secret = true},
    {.name = "endpoint", .help = "URL of the service, where it is not the region's own"},
    {.name = "assumeRoleArn", .help = "role to assume; with trustAnchorArn and trustProfileArn, IAM Roles Anywhere"},
    {.name = "trustAnchorArn", .help = "trust anchor of IAM Roles Anywhere"},
    {.name = "trustProfileArn", .help = "profile of IAM Roles Anywhere"},
});

// PostgreSQL and what speaks its protocol.
inline constexpr auto kPostgresqlConnection = std::to_array<Setting>({
    {.name = "connectionString", .help = "a postgres:// URL, or NAME=VALUE pairs", .alias = "url", .secret = true},
    {.name = "host", .help = "instead of the connection string's"},
    {.name = "hostaddr", .help = "address of the host; no name is looked up then"},
    {.name = "port", .kind = SettingKind::integer, .help = "instead of the connection string's"},
    {.name = "database", .help = "instead of the connection string's"},
    {.name = "user", .help = "instead of the connection string's"},
    {.name = "password", .help = "instead of the connection string's", .secret = true},
    {.name = "sslRootCert", .help = "path of the certificates to trust"},
    {.name = "connectionMaxIdleTime",
     .kind = SettingKind::duration,
     .fallback = "30m",
     .help = "idle time after which a connection is closed"},
    {.name = "maxConns", .kind = SettingKind::integer, .help = "connections at most, when more than 1"},
    {.name = "maxIdleConns",
     .kind = SettingKind::integer,
     .help = "accepted and without effect, as in Dapr; connectionMaxIdleTime is what there is"},
    {.name = "maxOpenConns",
     .kind = SettingKind::integer,
     .help = "connections at most, where maxConns does not say; Dapr passes over it"},
    {.name = "queryExecMode",
     .help = "how statements are prepared; exec or simple_protocol behind PgBouncer",
     .choices = "cache_statement cache_describe describe_exec exec simple_protocol"},
    {.name = "timeout",
     .kind = SettingKind::duration,
     .fallback = "20s",
     .help = "the longest that one operation may take; at least 1s",
     .alias = "timeoutInSeconds"},
    {.name = "cleanupInterval",
     .kind = SettingKind::duration,
     .fallback = "1h",
     .help = "how often expired rows are removed; 0: never",
     .alias = "cleanupIntervalInSeconds"},
    {.name = "metadataTableName",
     .fallback = "dapr_metadata",
     .help = "table of the schema level and the last cleanup; may be SCHEMA.TABLE"},
    {.name = "watch",
     .fallback = "off",
     .help = "log: a trigger logs every change of the table, so that records can be watched; kept ten minutes",
     .choices = "off log"},
});

inline constexpr auto kPostgresqlIdentity = std::to_array<Setting>({
    {.name = "useAzureAD",
     .kind = SettingKind::boolean,
     .fallback = "false",
     .help = "a token of Microsoft Entra ID is the password"},
    {.name = "useAWSIAM",
     .kind = SettingKind::boolean,
     .fallback = "false",
     .help = "a token of AWS IAM is the password"},
    {.name = "awsAccessKey", .help = "older name of accessKey", .secret = true},
    {.name = "awsSecretKey", .help = "older name of secretKey", .secret = true},
});

inline constexpr auto kPostgresqlTableV1 = std::to_array<Setting>({
    {.name = "tableName", .fallback = "state", .help = "table of the records; may be SCHEMA.TABLE"},
    {.name = "tablePrefix",
     .help = "put before the table's name, state, where tableName names none; Dapr passes over it"},
});
inline constexpr auto kPostgresqlTableV2 = std::to_array<Setting>({
    {.name = "tablePrefix", .help = "put before the table's name, state; may begin with SCHEMA."},
});

inline constexpr auto kPostgresqlFieldsV1 =
    join(kPostgresqlConnection, kPostgresqlTableV1, kPostgresqlIdentity, kAzureFields, kAwsFields);
inline constexpr auto kPostgresqlFieldsV2 =
    join(kPostgresqlConnection, kPostgresqlTableV2, kPostgresqlIdentity, kAzureFields, kAwsFields);

}  // namespace holdfast::state
