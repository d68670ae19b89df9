// What a migration remembers, so that it can go on where it was ended: how far its two walks have come, and what they
// counted. A value; its text is a state file.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "migration/pump.h"

namespace holdfast::migration {

struct Journal {
  std::string from;  // as people call the ends: "orders (state.sqlite)"
  std::string to;
  std::string identity;  // the same for the same migration, and no other
  std::string policy;    // what was asked to happen to records; another one wants a walk of its own
  WallTime began;
  double seconds = 0;  // spent so far
  Position copy;
  Position check;  // the comparison afterwards

  std::string text() const;
  // Errc::invalid_argument: that is no state file of this version.
  static Result<Journal> parse(std::string_view text);
};

// Errc::not_found: there is no such file.
Result<Journal> read_journal(const std::string& path);

}  // namespace holdfast::migration
