// The application beside the sidecar, as far as the sidecar looks at it.
#pragma once

#include <string>

namespace holdfast::daemon {

// Whether something listens there: a connection is tried on each address of the host, a tenth of a second each.
bool accepts_connections(const std::string& host, int port);

}  // namespace holdfast::daemon
