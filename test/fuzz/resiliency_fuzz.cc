// A Resiliency document: never an exception; a document is used with its name or refused with a warning, and policies
// are within their bounds.
#include <cstddef>
#include <cstdint>
#include <string>

#include "config/resiliency.h"
#include "require.h"

namespace config = holdfast::config;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  config::ResourceFiles files;
  files.documents.push_back({"a.yaml", std::string(reinterpret_cast<const char*>(data), size), 1, true});
  const auto loaded = config::load_resiliency(files, "app");
  FUZZ_REQUIRE(loaded.resiliency.names().size() <= 1);
  for (const std::string& warning : loaded.warnings) FUZZ_REQUIRE(warning.starts_with("a.yaml:"));
  for (const char* store : {"orders", "other"}) {
    const auto policy = loaded.resiliency.policy_for(store);
    FUZZ_REQUIRE(!policy.timeout || policy.timeout->count() > 0);
    FUZZ_REQUIRE(!policy.retry || (policy.retry->interval.count() >= 0 && policy.retry->interval_max.count() > 0));
    FUZZ_REQUIRE(!policy.retry || policy.retry->retries_max != 0);
    FUZZ_REQUIRE(!policy.breaker || (policy.breaker->half_open_max > 0 && policy.breaker->open_time.count() > 0));
  }
  FUZZ_REQUIRE(loaded.resiliency == config::load_resiliency(files, "app").resiliency);
  return 0;
}
