// Completion scripts for shells, from the tables of commands and flags. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cli/options.h"

namespace holdfast::cli {

inline constexpr std::string_view kShells = "bash zsh fish";

// Errc::invalid_argument for a shell that is none of kShells.
Result<std::string> completion_script(std::string_view shell, std::span<const CommandRow> commands);

}  // namespace holdfast::cli
