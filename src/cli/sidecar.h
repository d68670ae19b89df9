// The sidecar as a command: its flags, and what it says instead of starting.
#pragma once

#include <string>
#include <vector>

namespace holdfast::cli {

// `holdfast --app-id ...`, in daprd's place. The process's exit code; daprd's 2 for a flag it does not know.
int run_sidecar(const std::vector<std::string>& arguments);

// `holdfast serve ...`
int run_friendly_sidecar(const std::vector<std::string>& arguments);
// Beside an application whose command line stands behind "--".
int run_with_application(const std::vector<std::string>& arguments);

}  // namespace holdfast::cli
