// Tags and index entries as one text, which stores keep: "name=value&name=value", percent-encoded. Pure.
#pragma once

#include <string>
#include <string_view>

#include "state/store.h"

namespace holdfast::state {

std::string encode_pairs(PairsView pairs);
// What is no pair is left out.
Pairs decode_pairs(std::string_view text);

// An index entry as one text that no other two are, not empty: "LENGTH:NAMEVALUE".
std::string entry_text(std::string_view name, std::string_view value);

}  // namespace holdfast::state
