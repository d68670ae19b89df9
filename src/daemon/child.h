// The application of `holdfast run -- CMD`: started when the sidecar is up, shown line by line under a name, ended with
// the sidecar.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "config/flags.h"

namespace holdfast::daemon {

// In front of each line, so that the two can be told apart.
inline constexpr std::string_view kSidecarPrefix = "== HOLDFAST == ";
inline constexpr std::string_view kApplicationPrefix = "== APP == ";

// Made, started and stopped on the main thread. The application is a process group of its own; it gets SIGTERM when the
// sidecar dies without a word.
class Child {
 public:
  // `ended` is called on another thread when the application has ended by itself.
  Child(std::vector<std::string> command, std::function<void()> ended)
      : command_(std::move(command)), ended_(std::move(ended)) {}
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // With DAPR_HTTP_PORT, DAPR_GRPC_PORT, APP_ID and the like in its environment. Does nothing when it runs already.
  Status start(const config::Flags& flags);
  // SIGTERM, and SIGKILL after `grace`. Returns when it has ended.
  void stop(Milliseconds grace);
  // 0 when stop() ended it, its own code, or 128 and the signal that did.
  int exit_code() const { return exit_code_; }

 private:
  void watch(int out, int error);

  const std::vector<std::string> command_;
  const std::function<void()> ended_;
  pid_t pid_ = -1;
  std::atomic<bool> has_ended_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<int> exit_code_{0};
  std::thread watcher_;
};

// What the application is told of the sidecar, beside what this process has in its environment.
std::vector<std::pair<std::string, std::string>> application_variables(const config::Flags& flags);

}  // namespace holdfast::daemon
