#include "support/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace holdfast::test {
namespace {

// In the child, of a process that may have other threads: system calls only.
[[noreturn]] void become(char* const* arguments, const char* log, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // it ended before the kernel knew
  const int in = ::open("/dev/null", O_RDONLY);
  const int out = ::open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
  ::dup2(in, 0);
  ::dup2(out, 1);
  ::dup2(out, 2);
  ::execvp(arguments[0], arguments);
  ::_exit(127);
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& command, const std::string& log) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) become(arguments.data(), log.c_str(), parent);
}

void ChildProcess::ended(int status) {
  running_ = false;
  code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

bool ChildProcess::is_running() {
  int status = 0;
  if (running_ && ::waitpid(pid_, &status, WNOHANG) == pid_) ended(status);
  return running_;
}

int ChildProcess::wait() {
  int status = 0;
  while (running_)
    if (::waitpid(pid_, &status, 0) == pid_ || errno != EINTR) ended(status);
  return code_;
}

void ChildProcess::signal(int number) {
  if (is_running()) ::kill(pid_, number);
}

void ChildProcess::stop() {
  signal(SIGSTOP);
  siginfo_t info{};
  while (running_ && ::waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WEXITED | WNOWAIT) != 0 &&
         errno == EINTR) {
  }
}

void ChildProcess::kill() {
  signal(SIGKILL);
  wait();
}

void run_program(const std::vector<std::string>& command, const std::string& log) {
  if (ChildProcess(command, log).wait() != 0) throw std::runtime_error(command[0] + " failed: " + read_file(log));
}

TemporaryFolder::TemporaryFolder() {
  path_ = (std::filesystem::temp_directory_path() / "holdfast-test-XXXXXX").string();
  if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("there can be no folder " + path_);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string read_file(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return std::move(text).str();
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) throw std::runtime_error(path + " cannot be written");
}

}  // namespace holdfast::test
