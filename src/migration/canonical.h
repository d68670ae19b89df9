// JSON text in one form, for stores that keep the meaning of a document and not its text. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace holdfast::migration {

// Members by name (of one name, the last), no white space, strings with the escapes they need, integers digit by digit
// and other numbers as the doubles they are read as. Nothing when it is no JSON, or nested deeper than kNestingMax.
std::optional<std::string> canonical_json(std::string_view text);
inline constexpr int kNestingMax = 256;

}  // namespace holdfast::migration
