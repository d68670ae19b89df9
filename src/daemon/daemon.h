// The sidecar as a process: components, loops, ports, what happens while it runs, drain.
#pragma once

#include <string>
#include <vector>

#include "config/flags.h"

namespace holdfast::daemon {

enum class Style {
  daprd,     // started as daprd is: its defaults, its silence
  friendly,  // holdfast serve, holdfast run: an app id, free ports on loopback, a default store
};

// Runs until told to stop; SIGHUP starts it over in the same process. `application` is the command line of a program
// that is started beside the sidecar and ends with it (holdfast run); empty: none.
//
// The process's exit code: 0 after a graceful stop, 1 for a fatal error or a forced one; with an application its code,
// or 128 and the number of the signal that ended it.
int serve(config::Flags flags, Style style, const std::vector<std::string>& application = {});

}  // namespace holdfast::daemon
