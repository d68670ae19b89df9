// A program that a test runs beside itself. It is ended by its process id: by the destructor, or by the kernel when the
// thread that started it ends, whatever ends it.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace holdfast::test {

// Used by one thread.
class ChildProcess {
 public:
  // The first word is the program's path, or a name looked for in PATH. What it prints is appended to `log`.
  // Throws std::runtime_error when there can be no process; a program that is not there ends with code 127.
  ChildProcess(const std::vector<std::string>& command, const std::string& log);
  ~ChildProcess() { kill(); }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  bool is_running();
  // Waits for its end; its exit code, or minus the signal that ended it.
  int wait();

  void signal(int number);
  // SIGSTOP, and waits until none of its threads runs any more.
  void stop();
  // SIGKILL, also of a stopped one, and waits for its end.
  void kill();

 private:
  void ended(int status);

  pid_t pid_ = -1;
  bool running_ = true;
  int code_ = 0;
};

// Runs a program to its end. Throws std::runtime_error, with what it printed, when it fails.
void run_program(const std::vector<std::string>& command, const std::string& log);

// An empty folder, which goes with this object.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& text);

}  // namespace holdfast::test
