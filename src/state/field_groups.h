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

}  // namespace holdfast::state
