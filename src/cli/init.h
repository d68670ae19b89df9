// `holdfast init`: a component file to start from.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/options.h"
#include "config/known_types.h"

namespace holdfast::cli {

// What --store may say.
inline constexpr std::string_view kInitStores = "memory sqlite redis postgresql";

int run_init(const ParsedArguments& arguments);

// The text of a component "statestore" of that store, one of kInitStores: what has to be set, and as comments what may
// be, with the help of the type's own table. Says so when this version does not have the type.
// Errc::invalid_argument for any other store.
Result<std::string> component_template(std::string_view store, const config::KnownTypes& known);

}  // namespace holdfast::cli
