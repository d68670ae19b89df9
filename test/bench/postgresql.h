// PostgreSQL behind the sidecar.
#pragma once

#include "bench/database.h"

namespace holdfast::bench {

// Adds the rows and the bars of PostgreSQL; where its programs are not there, says so and adds nothing.
void measure_postgresql(const DatabasePlan& plan, Report& report);

}  // namespace holdfast::bench
