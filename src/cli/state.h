// `holdfast state ...`: records from a shell, of a running sidecar or of component files, and copies of an SQLite file.
#pragma once

#include <string>
#include <vector>

namespace holdfast::cli {

// `arguments` are what follows "state". The process's exit code (output.h).
int run_state(const std::vector<std::string>& arguments);

}  // namespace holdfast::cli
