// The sidecar as a process: components, loops, ports, signals, drain.
#pragma once

#include "config/flags.h"

namespace holdfast::daemon {

enum class Style {
  daprd,     // started as daprd is: its defaults, its silence
  friendly,  // holdfast serve: an app id, free ports on loopback, a default store
};

// Runs until told to stop. The process's exit code: 0 after a graceful stop, 1 for a fatal error or a forced one.
int serve(config::Flags flags, Style style);

}  // namespace holdfast::daemon
