// A hard look at a store's file, for `holdfast check --deep`.
#pragma once

#include "base/result.h"
#include "state/component.h"

namespace holdfast::stores::sqlite {

// That the database of `component` can be opened, that its tables are the store's, and what SQLite's quick_check says,
// which reads every page. Leaves the folder as it found it, also beside sidecars that use the file. Blocks.
// Errc::not_found when there is no file yet and the store could make one; a database in memory has nothing to look at.
Status inspect(const state::Component& component);

// Only whether the file is there; errors as of inspect().
Status require_file(const state::Component& component);

}  // namespace holdfast::stores::sqlite
