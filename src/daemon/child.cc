#include "daemon/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <iostream>

#include "base/log.h"

namespace holdfast::daemon {

namespace {

constexpr std::string_view kScope = "holdfast.run";
constexpr int kAskAgainMs = 100;
constexpr std::size_t kLineMax = 64 * 1024;  // a longer line is shown in pieces

struct Pipe {
  int read = -1;
  int write = -1;
  bool open() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    read = ends[0];
    write = ends[1];
    return true;
  }
};

// Shows what comes through a pipe, one line at a time.
class Lines {
 public:
  Lines(int from, int to) : from_(from), to_(to) { ::fcntl(from_, F_SETFL, O_NONBLOCK); }
  ~Lines() { ::close(from_); }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  int from() const { return open_ ? from_ : -1; }
  void take() {
    std::array<char, 16 * 1024> chunk;
    for (;;) {
      const ssize_t got = ::read(from_, chunk.data(), chunk.size());
      if (got < 0 && errno == EINTR) continue;
      if (got == 0) open_ = false;
      if (got <= 0) return;
      held_.append(chunk.data(), static_cast<std::size_t>(got));
      show_lines();
    }
  }
  void finish() {
    take();
    if (!held_.empty()) show(held_);
    held_.clear();
  }

 private:
  void show_lines() {
    std::size_t begin = 0;
    for (std::size_t end = held_.find('\n'); end != std::string::npos; end = held_.find('\n', begin)) {
      show(std::string_view(held_).substr(begin, end - begin));
      begin = end + 1;
    }
    held_.erase(0, begin);
    if (held_.size() <= kLineMax) return;
    show(held_);
    held_.clear();
  }
  void show(std::string_view line) const {
    std::string text = fmt::format("{}{}\n", kApplicationPrefix, line);
    for (std::string_view rest = text; !rest.empty();) {
      const ssize_t written = ::write(to_, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;  // nobody reads any more; the application goes on
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  int from_;
  int to_;
  bool open_ = true;
  std::string held_;
};

std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& variables) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string_view name = text.substr(0, text.find('='));
    bool replaced = false;
    for (const auto& variable : variables) replaced |= variable.first == name;
    if (!replaced) all.emplace_back(text);
  }
  for (const auto& [name, value] : variables) all.push_back(name + "=" + value);
  return all;
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// Between fork and exec: only what is safe there. Writes errno to `report` when it comes to nothing.
[[noreturn]] void become(char* const* argv, char* const* envp, int out, int error, int report, pid_t parent) {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != parent) ::_exit(127);
  if (::dup2(out, STDOUT_FILENO) >= 0 && ::dup2(error, STDERR_FILENO) >= 0) ::execvpe(argv[0], argv, envp);
  const int why = errno;
  [[maybe_unused]] const auto written = ::write(report, &why, sizeof why);
  ::_exit(127);
}

// It is still to be waited for.
bool has_ended_by_now(pid_t pid) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

int code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

}  // namespace

std::vector<std::pair<std::string, std::string>> application_variables(const config::Flags& flags) {
  std::vector<std::pair<std::string, std::string>> all{{"APP_ID", flags.app_id}};
  if (flags.app_port != 0) all.emplace_back("APP_PORT", std::to_string(flags.app_port));
  if (!flags.unix_domain_socket.empty()) {
    all.emplace_back("DAPR_GRPC_ENDPOINT",
                     fmt::format("unix:{}/dapr-{}-grpc.socket", flags.unix_domain_socket, flags.app_id));
    return all;
  }
  all.emplace_back("DAPR_HTTP_PORT", std::to_string(flags.dapr_http_port));
  all.emplace_back("DAPR_GRPC_PORT", std::to_string(flags.dapr_grpc_port));
  if (flags.tls_cert_file.empty()) return all;
  all.emplace_back("DAPR_HTTP_ENDPOINT", fmt::format("https://localhost:{}", flags.dapr_http_port));
  all.emplace_back("DAPR_GRPC_ENDPOINT", fmt::format("https://localhost:{}", flags.dapr_grpc_port));
  return all;
}

Status Child::start(const config::Flags& flags) {
  if (pid_ > 0) return {};
  Pipe out;
  Pipe error;
  Pipe report;
  if (!out.open() || !error.open() || !report.open())
    return fail(Errc::unavailable, fmt::format("cannot start {}: {}", command_.front(), std::strerror(errno)));
  const std::vector<std::string> variables = environment_with(application_variables(flags));
  const std::vector<char*> argv = pointers_to(command_);
  const std::vector<char*> envp = pointers_to(variables);
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0) become(argv.data(), envp.data(), out.write, error.write, report.write, parent);
  const int fork_error = errno;
  for (const int end : {out.write, error.write, report.write}) ::close(end);
  int why = 0;
  const bool failed = pid_ < 0 || ::read(report.read, &why, sizeof why) == sizeof why;
  ::close(report.read);
  if (failed) {
    if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
    for (const int end : {out.read, error.read}) ::close(end);
    const bool forked = std::exchange(pid_, -1) > 0;
    return fail(Errc::not_found, fmt::format("cannot start {}: {}", command_.front(), std::strerror(forked ? why : fork_error)));
  }
  log::info(kScope, "started {} as process {}", command_.front(), pid_);
  watcher_ = std::thread([this, out, error] { watch(out.read, error.read); });
  return {};
}

void Child::watch(int out, int error) {
  Lines shown(out, STDOUT_FILENO);
  Lines complaints(error, STDERR_FILENO);
  // A kernel that has no handles for processes is asked now and then instead.
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  while (!has_ended_by_now(pid_)) {
    std::array<pollfd, 3> wanted{{{shown.from(), POLLIN, 0}, {complaints.from(), POLLIN, 0}, {handle, POLLIN, 0}}};
    ::poll(wanted.data(), wanted.size(), handle < 0 ? kAskAgainMs : -1);
    if (wanted[0].revents != 0) shown.take();
    if (wanted[1].revents != 0) complaints.take();
  }
  shown.finish();
  complaints.finish();
  if (handle >= 0) ::close(handle);
  int status = 0;
  ::waitpid(pid_, &status, 0);
  exit_code_ = stopping_ ? 0 : code_of(status);
  has_ended_ = true;
  has_ended_.notify_all();
  if (stopping_) return;
  log::info(kScope, "the application has ended with code {}", exit_code_.load());
  ended_();
}

void Child::stop(Milliseconds grace) {
  if (pid_ <= 0 || has_ended_) return;
  stopping_ = true;
  log::info(kScope, "stopping the application");
  ::kill(-pid_, SIGTERM);
  const SteadyTime until = std::chrono::steady_clock::now() + grace;
  while (!has_ended_ && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(Milliseconds(5));
  if (has_ended_) return;
  log::warn(kScope, "the application did not stop within {} ms and is killed", grace.count());
  ::kill(-pid_, SIGKILL);
  has_ended_.wait(false);
}

Child::~Child() {
  stop(Milliseconds(0));
  if (watcher_.joinable()) watcher_.join();
}

}  // namespace holdfast::daemon
