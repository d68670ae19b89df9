// The table of doc/stores.md that shows what each store can do. Each run of the suite that has a column there owns that
// column: it checks it, or writes it when the tests run with HOLDFAST_UPDATE_DOCS set (`tools/dev docs`).
#pragma once

#include <string>
#include <string_view>

#include "state/capabilities.h"

namespace holdfast::conformance {

// The page with this column as it has to be: added if it is not there, and with a row for each field and each level.
// Throws std::runtime_error when the page has no marks around its table.
std::string with_column(std::string_view page, std::string_view column, const state::Capabilities& can);

}  // namespace holdfast::conformance
