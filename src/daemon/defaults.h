// What `holdfast serve` assumes when nothing is said: where components come from, and the store there is without any.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "config/components.h"

namespace holdfast::daemon {

// ./.dapr/components, ./components, ~/.dapr/components: the first that is a directory. Empty when none is.
std::string find_resources(const config::GetEnvironment& environment);

// "statestore": SQLite in the user's data directory ($XDG_DATA_HOME or ~/.local/share, in holdfast/, mode 0700).
Result<state::Component> default_store(const config::GetEnvironment& environment);

}  // namespace holdfast::daemon
