// A JSON Schema (2020-12) of component files, from the same tables that `holdfast check` goes by.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "config/known_types.h"

namespace holdfast::config {

// Of every document that may stand in a directory of component files or, with a `type`, of components of that type
// alone. Stricter than the sidecar in one thing: settings have the spelling of their table, which is what an editor
// offers. Errc::not_found when the type is not known.
Result<std::string> component_schema(const KnownTypes& known, std::string_view type = "");

}  // namespace holdfast::config
