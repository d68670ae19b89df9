// proto/holdfast/v2/openapi.yaml as JSON, compiled in.
#pragma once

#include "base/embedded_file.h"

namespace holdfast {

std::span<const EmbeddedFile> openapi_files();  // one: openapi.json

}  // namespace holdfast
