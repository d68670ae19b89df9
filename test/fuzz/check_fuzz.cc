// A component file as `holdfast check` reads it: never an exception, findings that name a line of the file, and where
// there are none, nothing that the loader has to complain of.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "config/check.h"
#include "config/components.h"
#include "require.h"
#include "stores/all.h"

namespace config = holdfast::config;

namespace {

struct File {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("holdfast-fuzz-" + std::to_string(::getpid()) + ".yaml");
  ~File() { std::filesystem::remove(path); }
};

void require_that_it_loads(const File& file, const std::string& text) {
  std::ofstream(file.path, std::ios::binary | std::ios::trunc) << text;
  config::LoadOptions options;
  options.app_id = "app";
  options.environment = [](const std::string& name) -> std::optional<std::string> {
    return name == "NAMESPACE" || name == "DAPR_ENV_KEYS" ? std::nullopt : std::optional<std::string>("x");
  };
  const auto resources = config::load_resources(config::read_resource_files_named({file.path.string()}), options);
  FUZZ_REQUIRE(resources);
  FUZZ_REQUIRE(resources->warnings.empty() && resources->parked.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const config::KnownTypes known(holdfast::stores::all());
  static const File file;
  const config::SourceFile source{"a.yaml", std::string(reinterpret_cast<const char*>(data), size)};
  const auto findings = config::check_files(std::array{source}, known);
  const auto lines = std::count(source.text.begin(), source.text.end(), '\n') + 1;
  for (const config::Finding& finding : findings) {
    FUZZ_REQUIRE(finding.file == "a.yaml" && !finding.message.empty());
    FUZZ_REQUIRE(finding.line >= 0 && finding.line <= lines);
    FUZZ_REQUIRE(config::to_line(finding).starts_with("a.yaml:"));
  }
  if (findings.empty()) require_that_it_loads(file, source.text);
  return 0;
}
