// Changing a small file so that whoever reads it sees all of the change or nothing.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"

namespace holdfast::cli {

// Puts what `change` makes of the file's text in its place: a file beside it that is on the disk takes its name. There
// is no file: the text is empty, and the new one can be read by its owner alone. There is one: it keeps its owner and
// group and what they may do, and loses what others may. An error of `change` leaves everything as it is.
// Two that change files of one directory come one after the other. At most 1 MiB. Blocks.
Status replace_file(const std::string& path, const std::function<Result<std::string>(const std::string&)>& change);

}  // namespace holdfast::cli
