#include "secrets/local_file.h"

#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

#include "config/resources.h"
#include "secrets/flatten.h"

namespace holdfast::secrets {
namespace {

constexpr std::string_view kSecretsFile = "secretsFile";
constexpr std::string_view kNestedSeparator = "nestedSeparator";
constexpr std::string_view kMultiValued = "multiValued";

constexpr std::array<state::Setting, 3> kSettings{{
    {.name = kSecretsFile,
     .help = "a JSON file of names and values; a relative path starts at the sidecar's working directory",
     .required = true},
    {.name = kNestedSeparator, .fallback = ":", .help = "what joins the names of nested objects into one"},
    {.name = kMultiValued,
     .kind = state::SettingKind::boolean,
     .fallback = "false",
     .help = "whether a nested object is one secret of several values, rather than several secrets"},
}};

class LocalFile final : public SecretStore {
 public:
  LocalFile(Secrets secrets, bool multi_valued) : secrets_(std::move(secrets)), multi_valued_(multi_valued) {}

  Result<Secret> get(std::string_view name) const override {
    const auto found = secrets_.find(name);
    if (found == secrets_.end()) return fail(Errc::not_found, fmt::format("secret {} not found", name));
    return found->second;
  }
  Result<Secrets> all() const override { return secrets_; }
  std::vector<std::string> capabilities() const override {
    if (multi_valued_) return {"MULTIPLE_KEY_VALUES_PER_SECRET"};
    return {};
  }

 private:
  const Secrets secrets_;
  const bool multi_valued_;
};

std::unexpected<Error> refuse(const state::Component& component, const std::string& file, std::string_view why) {
  std::error_code error;
  const auto whole = std::filesystem::absolute(file, error);
  return fail(
      Errc::invalid_argument,
      fmt::format("component \"{}\" ({}): cannot use the secrets file {}: {}. Correct the file, or secretsFile "
                  "in {}:{}.",
                  component.name, component.type, error ? file : whole.string(), why, component.file, component.line));
}

Result<std::unique_ptr<SecretStore>> open(const state::Component& component, const Variables&) {
  const auto settings = state::Settings::read(component, kSettings);
  if (!settings) return fail(settings.error());
  const std::string& file = settings->text(kSecretsFile);
  const auto text = config::read_text_file(file);
  if (!text) return refuse(component, file, text.error().message);
  const bool multi_valued = settings->boolean(kMultiValued);
  const std::string& separator = settings->text(kNestedSeparator);
  auto secrets = flatten(*text, {.separator = separator.empty() ? ":" : separator, .multi_valued = multi_valued});
  if (!secrets) return refuse(component, file, secrets.error().message);
  return std::make_unique<LocalFile>(std::move(*secrets), multi_valued);
}

}  // namespace

const SecretStoreType kLocalFile{
    .type = "secretstores.local.file",
    .summary = "secrets of a JSON file, read once",
    .settings = kSettings,
    .open = open,
};

}  // namespace holdfast::secrets
