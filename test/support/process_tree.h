// A process and all that it has started, for servers that are made of several processes.
#pragma once

#include <sys/types.h>

#include <vector>

namespace holdfast::test {

// Running ones, the ancestor left out.
std::vector<pid_t> descendants_of(pid_t ancestor);

bool is_stopped(pid_t process);
// Ended, though its parent may not have taken notice.
bool has_ended(pid_t process);

// SIGKILL, also of stopped ones. All of them have ended when it returns.
void kill_tree(pid_t root);

// All of them are stopped (SIGSTOP) while this lives, and go on afterwards. They end with the thread that made it: one
// that is stopped does not notice that its parent ended, so somebody has to watch.
class StoppedTree {
 public:
  explicit StoppedTree(pid_t root);
  ~StoppedTree();
  StoppedTree(const StoppedTree&) = delete;
  StoppedTree& operator=(const StoppedTree&) = delete;

 private:
  std::vector<pid_t> processes_;  // the root is the first
  pid_t watcher_;
};

}  // namespace holdfast::test
