// Options that several verbs of `holdfast state` have: one name, one meaning.
#pragma once

#include "cli/options.h"

namespace holdfast::cli {

inline constexpr OptionRow kJsonOption{.name = "json", .help = "JSON for programs"};
inline constexpr OptionRow kAppIdOption{
    .name = "app-id", .argument = "ID", .help = "application whose component it is; by default app"};

}  // namespace holdfast::cli
