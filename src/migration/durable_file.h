// Files that are either as they were or as they should be, whenever the process or the machine ends.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::migration {

enum class Replace : bool { no, yes };

// Gives `from`, whose bytes are on the disk, the name `to`, and makes that last. Errc::precondition_failed: `to` is
// there, and may not be replaced.
Status rename_durably(const std::string& from, const std::string& to, Replace replace);

// A file with these bytes in the place of what is there.
Status write_durably(const std::string& path, std::string_view bytes);

}  // namespace holdfast::migration
