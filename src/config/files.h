// The files of a resources directory.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace holdfast::config {

// The *.yaml and *.yml of a directory in name order, subdirectories not entered; each other file is named in a
// warning. Errc::invalid_argument when the directory cannot be read.
Result<std::vector<std::string>> list_files(const std::string& directory, std::vector<std::string>& warnings);

// The text of a regular file of at most kResourceFileBytesMax bytes (config/components.h). Errc::invalid_argument
// says why there is none, such as "it cannot be opened".
Result<std::string> read_file(const std::string& path);

}  // namespace holdfast::config
