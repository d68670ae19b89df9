// How long tests last: short by default, as long as asked for in `tools/dev soak`.
#pragma once

#include <cstdlib>

#include "base/clock.h"

namespace holdfast::test {

// Whether tools/dev soak runs, which sets HOLDFAST_SOAK_SECONDS.
inline bool is_soak() { return std::getenv("HOLDFAST_SOAK_SECONDS") != nullptr; }
// How long a load lasts: what the soak says, else `in_ci`.
inline Milliseconds load_time(Milliseconds in_ci) {
  const char* const seconds = std::getenv("HOLDFAST_SOAK_SECONDS");
  return seconds != nullptr ? Milliseconds(1000 * std::atoll(seconds)) : in_ci;
}

}  // namespace holdfast::test
