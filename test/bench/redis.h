// Redis behind the sidecar, beside direct clients that send the same commands.
#pragma once

#include <string>

#include "bench/process.h"
#include "bench/report.h"

namespace holdfast::bench {

// redis-server's path: what HOLDFAST_REDIS_SERVER says, else what is in PATH; empty: there is none.
std::string redis_program();

// A server without persistence, on the servers' core.
class RedisUnderTest {
 public:
  RedisUnderTest(const std::string& program, int cpu);
  int port() const { return port_; }
  pid_t pid() const { return process_.pid(); }

 private:
  const int port_;
  Process process_;
};

struct SidecarUnderTest {
  pid_t pid = 0;
  int http = 0;
  int grpc = 0;
  int cpu = 0;            // where it runs
  std::string workspace;  // a folder for files of the bench
};

// Adds the rows of direct clients and the bars of Redis. Keys are those of workload.h, saved through the sidecar under
// the app id "bench"; the sidecar's stores are "memory" and "redis".
void compare_redis(const RedisUnderTest& redis, const SidecarUnderTest& sidecar, double seconds, Report& report);

}  // namespace holdfast::bench
