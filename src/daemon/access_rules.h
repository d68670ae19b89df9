// Who may call and what may be called, as the environment, the flags and the Configuration say it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/access.h"
#include "config/components.h"
#include "config/configuration.h"
#include "config/flags.h"

namespace holdfast::daemon {

// DAPR_API_TOKEN and --api-token-file, of which any is accepted; null when neither is given. A file without a token is
// an error: it would open the API to everyone, or close it to all.
Result<std::shared_ptr<const api::TokenSet>> load_tokens(const config::Flags& flags,
                                                         const config::GetEnvironment& environment);

// The HTTP routes, by the segments they begin with, and the gRPC methods that spec.api closes.
std::vector<std::string> closed_routes(const config::ApiAccess& access);
std::vector<std::string> closed_methods(const config::ApiAccess& access);

}  // namespace holdfast::daemon
