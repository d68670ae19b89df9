#include "daemon/defaults.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace holdfast::daemon {

namespace fs = std::filesystem;

std::string find_resources(const config::GetEnvironment& environment) {
  std::vector<std::string> candidates{"./.dapr/components", "./components"};
  if (const auto home = environment("HOME")) candidates.push_back(*home + "/.dapr/components");
  std::error_code ignored;
  for (const std::string& candidate : candidates)
    if (fs::is_directory(candidate, ignored)) return candidate;
  return {};
}

Result<state::Component> default_store(const config::GetEnvironment& environment) {
  std::string base = environment("XDG_DATA_HOME").value_or("");
  if (base.empty()) {
    const auto home = environment("HOME");
    if (!home || home->empty())
      return fail(Errc::invalid_argument, "there is no home directory for the default store; set HOME or XDG_DATA_HOME, or "
                                          "name a directory of component files with --resources-path");
    base = *home + "/.local/share";
  }
  const std::string directory = base + "/holdfast";
  std::error_code error;
  fs::create_directories(base, error);
  if (!error && ::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST)
    error = std::error_code(errno, std::generic_category());
  if (error)
    return fail(Errc::unavailable, fmt::format("cannot create {} for the default store: {}; name a directory of component "
                                               "files with --resources-path", directory, error.message()));
  state::Component component;
  component.name = "statestore";
  component.type = "state.sqlite";
  component.version = "v1";
  component.file = "(default store)";
  component.properties.emplace_back("connectionString", directory + "/state.db");
  return component;
}

}  // namespace holdfast::daemon
