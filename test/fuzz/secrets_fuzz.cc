// The JSON of a secrets file: never an exception, and a secret of the single-valued form has exactly the value that is
// called like it.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "require.h"
#include "secrets/flatten.h"

namespace secrets = holdfast::secrets;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto single = secrets::flatten(text, {});
  if (single)
    for (const auto& [name, secret] : *single) FUZZ_REQUIRE(secret.size() == 1 && secret.begin()->first == name);
  const auto multi = secrets::flatten(text, {.separator = "/", .multi_valued = true});
  if (!single) FUZZ_REQUIRE(!single.error().message.empty());
  if (!multi) FUZZ_REQUIRE(!multi.error().message.empty());
  return 0;
}
