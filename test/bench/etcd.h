// etcd behind the sidecar, beside its own Go client.
#pragma once

#include "bench/database.h"

namespace holdfast::bench {

// Adds the rows and the bars of etcd; where the server, or the program of test/bench/etcd_by_hand that
// HOLDFAST_BENCH_ETCD_CLIENT names, is not there, says so and adds nothing.
void measure_etcd(const DatabasePlan& plan, Report& report);

}  // namespace holdfast::bench
