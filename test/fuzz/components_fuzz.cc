// A resources directory with the input as its only file: never an exception, never a usable component that breaks
// the rules for names.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "config/components.h"
#include "config/yaml.h"
#include "require.h"

namespace config = holdfast::config;

namespace {

struct Directory {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("holdfast-fuzz-" + std::to_string(::getpid()));
  Directory() { std::filesystem::create_directories(path); }
  ~Directory() { std::filesystem::remove_all(path); }
};

void check(const holdfast::state::Component& component) {
  FUZZ_REQUIRE(!component.name.empty() && component.name.find_first_of("/%:") == std::string::npos);
  FUZZ_REQUIRE(component.init_timeout.count() > 0 && component.line > 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Directory directory;
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const auto& document : config::split_documents(text))
    if (const auto node = config::parse_yaml(document)) config::to_text(*node);
  std::ofstream(directory.path / "a.yaml", std::ios::binary | std::ios::trunc) << text;
  config::LoadOptions options;
  options.app_id = "app";
  options.environment = [](const std::string& name) -> std::optional<std::string> {
    if (name == "POD_NAME") return "pod";
    return std::nullopt;
  };
  const auto resources = config::load_resources({directory.path.string()}, options);
  if (!resources) {
    FUZZ_REQUIRE(!resources.error().message.empty());
    return 0;
  }
  for (const auto& component : resources->state_stores) check(component);
  for (const auto& parked : resources->parked) check(parked.component);
  return 0;
}
