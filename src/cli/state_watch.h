// `holdfast state watch`: what happens in a store, as it happens, a line each.
#pragma once

#include "cli/http_client.h"
#include "cli/state_command.h"

namespace holdfast::cli {

// Until SIGINT or SIGTERM, which is its ordinary end; then, and when the sidecar refuses it, standard error says how to
// go on. A sidecar that ends is waited for, once the watch was in place. The process's exit code.
int run_watch(const StateCommand& command, Address address);

}  // namespace holdfast::cli
