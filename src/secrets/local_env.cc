#include "secrets/local_env.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/encoding.h"

namespace holdfast::secrets {
namespace {

constexpr std::array<state::Setting, 1> kSettings{{
    {.name = "prefix", .help = "what stands before each secret's name in the variable's"},
}};

// The tokens that applications and sidecars know each other by are nobody's secrets to read.
bool is_blocked(std::string_view variable) {
  return iequals(variable, "APP_API_TOKEN") || iequals(variable.substr(0, 5), "DAPR_");
}

// A name without a variable, and one that is blocked, is a secret with an empty value: as in Dapr.
class LocalEnv final : public SecretStore {
 public:
  explicit LocalEnv(Variables values) : values_(std::move(values)) {}

  Result<Secret> get(std::string_view name) const override {
    const auto found = values_.find(name);
    return Secret{{std::string(name), found == values_.end() ? "" : found->second}};
  }
  Result<Secrets> all() const override {
    Secrets secrets;
    for (const auto& [name, value] : values_) secrets[name] = {{name, value}};
    return secrets;
  }

 private:
  const Variables values_;  // without the prefix and without what is blocked
};

Result<std::unique_ptr<SecretStore>> open(const state::Component& component, const Variables& variables) {
  const auto settings = state::Settings::read(component, kSettings);
  if (!settings) return fail(settings.error());
  const std::string& prefix = settings->text("prefix");
  Variables values;
  for (const auto& [variable, value] : variables)
    if (variable.starts_with(prefix) && variable.size() > prefix.size() && !is_blocked(variable))
      values.emplace(variable.substr(prefix.size()), value);
  return std::make_unique<LocalEnv>(std::move(values));
}

}  // namespace

const SecretStoreType kLocalEnv{
    .type = "secretstores.local.env",
    .summary = "variables of the sidecar's environment",
    .settings = kSettings,
    .open = open,
};

}  // namespace holdfast::secrets
