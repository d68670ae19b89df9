// Every command of the program, and what a first word means. Adding one: a row in commands.cc.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/options.h"

namespace holdfast::cli {

std::span<const CommandRow> commands();

// The program: what follows its name. The process's exit code (output.h).
int run_program(const std::vector<std::string>& arguments);

}  // namespace holdfast::cli
