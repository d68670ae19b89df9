// `holdfast state migrate`, `export` and `import`: records from one component to another, into a file, and out of one.
// They open the stores themselves; no sidecar is asked.
#pragma once

#include <array>

#include "cli/options.h"

namespace holdfast::cli {

// The rows of the three, which run by themselves.
std::span<const CommandRow> migration_verbs();

// What a process that was interrupted ends with, as shells have it for SIGINT.
inline constexpr int kInterrupted = 130;

}  // namespace holdfast::cli
