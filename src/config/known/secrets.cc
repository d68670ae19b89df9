// The secret stores of one machine.
#include "config/known/families.h"

namespace holdfast::config::known {
namespace {

constexpr auto kLocalFile = std::to_array<Setting>({
    {.name = "secretsFile", .help = "path of the JSON file", .required = true},
    {.name = "nestedSeparator", .fallback = ":", .help = "between the names of nested objects"},
    {.name = "multiValued",
     .kind = SettingKind::boolean,
     .fallback = "false",
     .help = "a secret is an object of several values"},
});

constexpr auto kLocalEnv = std::to_array<Setting>({
    {.name = "prefix", .help = "put before a secret's name to make the variable's"},
});

constexpr auto kTypes = std::to_array<StoreType>({
    {.type = "secretstores.local.file", .summary = "secrets in a JSON file of this machine", .settings = kLocalFile},
    {.type = "secretstores.local.env", .summary = "secrets in environment variables", .settings = kLocalEnv},
});

}  // namespace

std::span<const StoreType> secret_store_types() { return kTypes; }

}  // namespace holdfast::config::known
