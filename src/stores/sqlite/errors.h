// SQLite's result codes as our errors: what failed, in which component and file, why, and what to
// do.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::stores::sqlite {

// Whose store speaks; part of every message.
struct Place {
  std::string component;
  std::string file;
};

// The database is held by another connection; waiting may help.
bool is_busy(int code);

// `code` is an extended result code, `doing` a verb phrase ("open", "save to"), `words` SQLite's
// own sentence.
Error describe(const Place& place, std::string_view doing, int code, std::string_view words);

// The same for a COMMIT that failed. A failed write or sync of the log leaves open whether the
// transaction will be there after a restart: Errc::outcome_unknown.
Error describe_commit(const Place& place, int code, std::string_view words);

}  // namespace holdfast::stores::sqlite
