// What watchers cost: memory while they wait, CPU for what they are told, and writers beside them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "bench/report.h"

namespace holdfast::bench {

// `command` is that of a sidecar on these two ports, with the store "memory"; it is pinned to `core`, and has one loop:
// two on one core would measure how they wake each other.
void measure_watch(const std::function<std::vector<std::string>(int http, int grpc)>& command, int core,
                   const std::string& workspace, Report& report);

}  // namespace holdfast::bench
