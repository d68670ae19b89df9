// Child processes of the bench: started, measured from outside, ended.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
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

// A sidecar on two ports of its own, which listens.
class SidecarProcess {
 public:
  // Makes its command line of its ports.
  using Command = std::function<std::vector<std::string>(int http, int grpc)>;
  // `cpu` and `log` as of Process.
  SidecarProcess(const Command& command, int cpu, const std::string& log = "");

  pid_t pid() const { return process_.pid(); }
  int http() const { return http_; }
  int grpc() const { return grpc_; }
  int port(std::string_view protocol) const { return protocol == "http" ? http_ : grpc_; }

 private:
  const int http_ = free_port();
  const int grpc_ = free_port();
  Process process_;
};

}  // namespace holdfast::bench
