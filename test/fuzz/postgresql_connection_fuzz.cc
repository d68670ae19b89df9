// A connection string of PostgreSQL. What was understood once is in libpq's words, and says the same when it is read
// again.
#include <cstddef>
#include <cstdint>
#include <string>

#include "require.h"
#include "stores/postgresql/connection_string.h"

namespace postgresql = holdfast::stores::postgresql;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto parsed = postgresql::parse_connection_string(text);
  if (!parsed) {
    FUZZ_REQUIRE(parsed.error().code == holdfast::Errc::invalid_argument && !parsed.error().message.empty());
    return 0;
  }
  if (parsed->text.empty()) return 0;  // nothing but settings of a pool
  const auto again = postgresql::parse_connection_string(parsed->text);
  FUZZ_REQUIRE(again && again->text == parsed->text);
  FUZZ_REQUIRE(!again->connections_max && !again->idle_max && !again->age_max);
  return 0;
}
