// Variables in a text, as Go's os.ExpandEnv replaces them. Internal to the folder.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config/components.h"

namespace holdfast::config {

// $NAME and ${NAME}, NAME of letters, digits and underscores (in braces: anything up to the brace), become the
// variable's value, or nothing when it is not set. A $ with no name after it stays, "${}" and "${" without its brace
// go. Values are not looked at again. Names that are not set are added to `unset`, each once. Errc::invalid_argument
// when the result has more than kYamlBytesMax bytes.
Result<std::string> expand_environment(std::string_view text, const GetEnvironment& environment,
                                       std::vector<std::string>& unset);

}  // namespace holdfast::config
