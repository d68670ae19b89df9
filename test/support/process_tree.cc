#include "support/process_tree.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>

#include "support/child_process.h"
#include "support/eventually.h"

namespace holdfast::test {
namespace {

struct Status {
  char state = 'X';  // as proc(5) has it: gone
  pid_t parent = 0;
};

Status status_of(pid_t process) {
  const std::string text = read_file("/proc/" + std::to_string(process) + "/stat");
  const std::size_t name_end = text.rfind(") ");  // the name of the program may hold anything
  if (name_end == std::string::npos) return {};
  Status status{.state = text[name_end + 2]};
  std::from_chars(text.data() + name_end + 4, text.data() + text.size(), status.parent);
  return status;
}

bool is_end(char state) { return state == 'X' || state == 'Z'; }

void await_stop(pid_t process) {
  require_eventually("process " + std::to_string(process) + " stops",
                     [process] { return is_stopped(process) || has_ended(process); });
}

// The whole tree, the root first. A stopped root starts nothing more.
std::vector<pid_t> stop_tree(pid_t root) {
  ::kill(root, SIGSTOP);
  await_stop(root);
  std::vector<pid_t> tree = descendants_of(root);
  for (const pid_t process : tree) ::kill(process, SIGSTOP);
  std::ranges::for_each(tree, await_stop);
  tree.insert(tree.begin(), root);
  return tree;
}

// In the child, of a process that may have other threads: system calls only.
[[noreturn]] void watch(pid_t parent, const pid_t* begin, const pid_t* end) {
  sigset_t death;
  ::sigemptyset(&death);
  ::sigaddset(&death, SIGUSR1);
  ::sigprocmask(SIG_BLOCK, &death, nullptr);
  ::prctl(PR_SET_PDEATHSIG, SIGUSR1);
  const bool has_parent = ::getppid() == parent;
  // No connection and no port of the parent's stays open here; it hears by its end of the pipe that somebody watches.
  ::syscall(SYS_close_range, 0U, ~0U, 0U);
  if (has_parent) ::sigwaitinfo(&death, nullptr);
  for (const pid_t* process = begin; process != end; ++process) ::kill(*process, SIGKILL);
  ::_exit(0);
}

// Kills these processes when the calling thread ends.
pid_t start_watcher(const std::vector<pid_t>& processes) {
  int ready[2];
  if (::pipe2(ready, O_CLOEXEC) != 0) throw std::runtime_error("there can be no pipe");
  const pid_t parent = ::getpid();
  const pid_t watcher = ::fork();
  if (watcher == 0) watch(parent, processes.data(), processes.data() + processes.size());
  ::close(ready[1]);
  char none = 0;
  while (watcher > 0 && ::read(ready[0], &none, 1) < 0 && errno == EINTR) {
  }
  ::close(ready[0]);
  if (watcher < 0) throw std::runtime_error("fork failed");
  return watcher;
}

}  // namespace

std::vector<pid_t> descendants_of(pid_t ancestor) {
  std::multimap<pid_t, pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    pid_t process = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), process).ec != std::errc()) continue;
    const Status status = status_of(process);
    if (!is_end(status.state)) children.emplace(status.parent, process);
  }
  std::vector<pid_t> found{ancestor};
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto [begin, end] = children.equal_range(found[i]);
    for (auto child = begin; child != end; ++child) found.push_back(child->second);
  }
  found.erase(found.begin());
  return found;
}

bool is_stopped(pid_t process) { return status_of(process).state == 'T'; }

bool has_ended(pid_t process) { return is_end(status_of(process).state); }

void kill_tree(pid_t root) {
  const std::vector<pid_t> tree = stop_tree(root);
  for (const pid_t process : tree) ::kill(process, SIGKILL);
  require_eventually("process " + std::to_string(root) + " and its children end",
                     [&tree] { return std::ranges::all_of(tree, has_ended); });
}

StoppedTree::StoppedTree(pid_t root) : processes_(stop_tree(root)), watcher_(start_watcher(processes_)) {}

StoppedTree::~StoppedTree() {
  ::kill(watcher_, SIGKILL);
  ::waitpid(watcher_, nullptr, 0);
  // The root last: it finds its children as it left them.
  std::ranges::for_each(processes_.rbegin(), processes_.rend(), [](pid_t process) { ::kill(process, SIGCONT); });
}

}  // namespace holdfast::test
