#include "cli/schema.h"

#include "cli/check.h"
#include "cli/output.h"
#include "config/schema.h"

namespace holdfast::cli {

int run_schema(const ParsedArguments& arguments) {
  const auto schema = config::component_schema(known_types(), arguments.value("type"));
  return schema ? print_or_complain(*schema) : complain(schema.error().message, kMisused);
}

}  // namespace holdfast::cli
