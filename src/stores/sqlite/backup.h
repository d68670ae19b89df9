// A copy of a store's file, as of one instant, while sidecars write to it.
#pragma once

#include <string>

#include "base/result.h"
#include "state/component.h"

namespace holdfast::stores::sqlite {

// Copies the database of `component` to `file`, synced to the disk; `file` appears whole or not at
// all. Readers and writers go on meanwhile. Blocks. Errc::precondition_failed when `file` exists,
// Errc::not_found when there is no database, Errc::unsupported for a database in memory.
Status backup(const state::Component& component, const std::string& file);

}  // namespace holdfast::stores::sqlite
