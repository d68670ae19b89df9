// A certificate or a key as a component file gives it.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::state {

// PEM text as it is or in one line with \n for the ends of lines, or the path of a file of it, which is read. Empty for
// an empty text. Errc::invalid_argument: what is wrong, to stand behind the field's name; it does not quote the text,
// which may be a key.
Result<std::string> pem_of(std::string_view text);

}  // namespace holdfast::state
