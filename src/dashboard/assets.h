// The files of the page, compiled in as they stand in this folder.
#pragma once

#include "base/embedded_file.h"

namespace holdfast {

std::span<const EmbeddedFile> dashboard_files();

}  // namespace holdfast
