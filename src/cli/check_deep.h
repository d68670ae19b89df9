// `holdfast check --deep`: whether the stores of component files work.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "config/check.h"

namespace holdfast::cli {

// Opens every state store that a sidecar for `app_id` would open, asks it whether it answers, and closes it; a type
// with an inspection of its own is inspected instead. One finding a store: a note when it works. `found` are the
// findings about the files: a component with errors there is not opened. Makes no files. Blocks, for each store up to
// its initTimeout.
std::vector<config::Finding> check_deep(const std::vector<std::string>& files, const std::string& app_id,
                                        std::span<const config::Finding> found);

}  // namespace holdfast::cli
