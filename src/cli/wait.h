// `--wait`: until a sidecar that was started elsewhere is there.
#pragma once

#include "config/flags.h"

namespace holdfast::cli {

// Asks localhost, port --dapr-http-port, for its outbound health ten times a second, for a minute at most. 0 once it
// answers 204, else 1 with the reason on standard error; as daprd does.
int wait_for_sidecar(const config::Flags& flags);

}  // namespace holdfast::cli
