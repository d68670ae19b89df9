// `holdfast check`: mistakes in component files, for a person or a program.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "cli/options.h"
#include "config/check.h"

namespace holdfast::cli {

inline constexpr std::size_t kPathsMax = 1000;

int run_check(const ParsedArguments& arguments);

// The types that this program knows, with the stores it has.
const config::KnownTypes& known_types();

// "2 files: 3 errors, 1 warning"
std::string summary_of(std::span<const config::Finding> findings, std::size_t files);

// A JSON array, one finding a line.
std::string findings_json(std::span<const config::Finding> findings);

}  // namespace holdfast::cli
