// `holdfast state ...`: records of a running sidecar from a shell, and copies of its SQLite file.
#pragma once

#include <string>
#include <vector>

namespace holdfast::cli {

// `arguments` are what follows "state". The process's exit code (output.h).
int run_state(const std::vector<std::string>& arguments);

}  // namespace holdfast::cli
