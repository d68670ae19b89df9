#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/encoding.h"
#include "secrets/local_env.h"
#include "secrets/local_file.h"
#include "secrets/store.h"

namespace holdfast::secrets {
namespace {

constexpr std::array<const SecretStoreType*, 2> kTypes{&kLocalFile, &kLocalEnv};

}  // namespace

std::span<const SecretStoreType* const> types() { return kTypes; }

const SecretStoreType* find_type(std::string_view type, std::string_view version) {
  if (!version.empty() && !iequals(version, "v0") && !iequals(version, "v1")) return nullptr;
  const auto found = std::ranges::find_if(kTypes, [type](const auto* one) { return iequals(one->type, type); });
  return found == kTypes.end() ? nullptr : *found;
}

Variables process_variables() {
  Variables variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    // The first of a name is the one that getenv() finds.
    if (equals != std::string_view::npos) variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

}  // namespace holdfast::secrets
