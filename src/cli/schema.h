// `holdfast schema`: a JSON Schema of component files.
#pragma once

#include "cli/options.h"

namespace holdfast::cli {

int run_schema(const ParsedArguments& arguments);

}  // namespace holdfast::cli
