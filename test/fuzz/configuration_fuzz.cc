// A Configuration file: never an exception; what is read keeps the promises of its header.
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "config/configuration.h"
#include "require.h"

namespace config = holdfast::config;

namespace {

struct File {
  std::vector<std::string> paths{
      (std::filesystem::temp_directory_path() / ("holdfast-fuzz-configuration-" + std::to_string(::getpid())))
          .string()};
  ~File() { std::filesystem::remove(paths[0]); }
};

std::optional<std::string> variable(const std::string& name) {
  if (name == "A") return "value";
  return std::nullopt;
}

void check(const config::Configuration& configuration) {
  const auto& buckets = configuration.metrics.latency_buckets_ms;
  FUZZ_REQUIRE(std::ranges::adjacent_find(buckets, std::greater_equal()) == buckets.end());
  FUZZ_REQUIRE(buckets.empty() || buckets.front() > 0);
  FUZZ_REQUIRE(config::http_route_allowed(configuration.api, "v1.0/healthz", "v1.0/healthz"));
  for (const auto& scope : configuration.secret_scopes) {
    FUZZ_REQUIRE(std::ranges::is_sorted(scope.allowed) && std::ranges::is_sorted(scope.denied));
    for (const std::string& key : scope.allowed) FUZZ_REQUIRE(config::secret_allowed(configuration, scope.store, key));
  }
  for (const auto& rule : configuration.api.denied)
    if (rule.protocol == "http")
      FUZZ_REQUIRE(!config::http_route_allowed(configuration.api, "", rule.version + "/" + rule.name));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const File file;
  const std::string text(reinterpret_cast<const char*>(data), size);
  std::ofstream(file.paths[0], std::ios::binary | std::ios::trunc) << text;
  const auto configuration = config::load_configurations(file.paths, variable);
  if (configuration) {
    check(*configuration);
  } else {
    FUZZ_REQUIRE(!configuration.error().message.empty());
  }
  config::TracingSpec tracing;
  const auto applied =
      config::apply_tracing_environment(tracing, [&text](const std::string& name) -> std::optional<std::string> {
        if (name == "OTEL_EXPORTER_OTLP_HEADERS") return text;
        return std::nullopt;
      });
  if (applied)
    for (const auto& [name, value] : tracing.otel.headers)
      FUZZ_REQUIRE(!name.empty() && value.find('\n') == std::string::npos);
  return 0;
}
