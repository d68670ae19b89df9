// A real memcached for tests: a child process on a free port of 127.0.0.1, or on a Unix socket. It is ready when it is
// constructed, and ends with the object, or with the thread that started it.
//
// A test that needs one begins with HOLDFAST_NEEDS_MEMCACHED(), which skips it, and says why, where the server could
// not be fetched. Used by one thread. What cannot be done throws std::runtime_error.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/child_process.h"
#include "support/port.h"

namespace holdfast::test {

// The path of the program: what HOLDFAST_MEMCACHED says, else what tools/dev has fetched into .cache/servers. Empty
// when it is not there.
std::string memcached_program();
// Why it is not there, and what to do about it.
std::string missing_memcached();

#define HOLDFAST_NEEDS_MEMCACHED() \
  if (::holdfast::test::memcached_program().empty()) GTEST_SKIP() << ::holdfast::test::missing_memcached()

struct MemcachedOptions {
  std::vector<std::string> arguments = {};  // {"-I", "4m"}: values of up to 4 MiB
  bool unix_socket = false;                 // instead of a port
};

class MemcachedServer {
 public:
  explicit MemcachedServer(MemcachedOptions options = {});

  // Of its port, unless it has a Unix socket.
  std::uint16_t port() const { return port_.number(); }
  // As a component file has it: "127.0.0.1:21211", or the path of the socket.
  std::string address() const;
  pid_t pid() const { return process_->pid(); }
  bool is_running() { return process_->is_running(); }
  // Running and not paused.
  bool answers() { return is_running() && !paused_; }

  // SIGKILL: all that it had is gone, connections are lost.
  void kill();
  // Starts it again, empty and at the same address, after ending it if need be.
  void restart();
  // SIGSTOP: it stays connected and answers nothing, until resume().
  void pause();
  void resume();

  // Sends these lines on a connection of their own: what the server answers to all of them, such as "VA 1\r\nx\r\n" to
  // "mg key v\r\n".
  std::string ask(std::string_view lines);

 private:
  void start();
  std::string exchange(std::string_view lines);

  MemcachedOptions options_;
  Port port_;
  TemporaryFolder folder_;
  std::unique_ptr<ChildProcess> process_;
  bool paused_ = false;
};

}  // namespace holdfast::test
