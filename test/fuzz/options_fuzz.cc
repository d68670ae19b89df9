// One argument of the command line per line; the whole text also as a duration and as a quantity.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "config/flags.h"
#include "require.h"
#include "state/component.h"

namespace config = holdfast::config;
namespace state = holdfast::state;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (const auto duration = state::parse_go_duration(text)) {
    // Milliseconds are Go's own form: what was read reads back.
    const auto again = state::parse_go_duration(std::to_string(duration->count()) + "ms");
    FUZZ_REQUIRE(!again || *again == *duration);
  }
  if (const auto quantity = state::parse_quantity(text)) {
    const auto again = state::parse_quantity(std::to_string(*quantity));
    FUZZ_REQUIRE(again && *again == *quantity);
  }
  state::truthy(text);
  std::vector<std::string> arguments;
  std::size_t start = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', start)) {
    arguments.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  arguments.push_back(text.substr(start));
  const auto flags = config::parse_flags(arguments);
  if (!flags) {
    FUZZ_REQUIRE(flags.error().code == holdfast::Errc::invalid_argument && !flags.error().message.empty());
    return 0;
  }
  FUZZ_REQUIRE(flags->given.size() + flags->arguments.size() <= arguments.size());
  (void)config::check_flags(*flags);
  return 0;
}
