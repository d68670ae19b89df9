// Child processes of the bench: started, measured from outside, ended.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace holdfast::bench {

class Process {
 public:
  // `cpu` >= 0 pins the child to that core. Its output goes to `log` ("" drops it).
  Process(const std::vector<std::string>& command, int cpu, const std::string& log);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

double cpu_seconds(pid_t pid);  // user and system, to the nanosecond
// Also of the processes that it started and that are there.
double cpu_seconds_of_tree(pid_t pid);
double resident_mib(pid_t pid);
void pin_to(int cpu);  // the calling thread
int free_port();
// Seconds until the port accepts a connection; throws after ten.
double wait_for_port(int port);
double now_seconds();

}  // namespace holdfast::bench
