// Tells when something in a set of directories has changed and come to rest, by inotify on a thread of its own.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"

namespace holdfast::daemon {

// A file that is being written raises no call until nothing in the directories has moved for kQuiet (or for kQuietMax
// since the first change), so that a reader does not meet half a file. Sub-directories are not watched. What
// inotify cannot see (network file systems) is the caller's to look at now and then.
class FileWatcher {
 public:
  static constexpr int kQuietMs = 100;
  static constexpr int kQuietMaxMs = 2000;

  // `changed` is called on the watcher's thread. Errc::unavailable when the kernel gives no watch.
  static Result<std::unique_ptr<FileWatcher>> watch(const std::vector<std::string>& directories,
                                                    std::function<void()> changed);
  ~FileWatcher();
  FileWatcher(const FileWatcher&) = delete;
  FileWatcher& operator=(const FileWatcher&) = delete;

 private:
  FileWatcher(int inotify, int wake, std::function<void()> changed);
  void run();
  // Waits at most `limit_ms` (-1: without end) and drains what came. False after a wake-up to end or a time-out.
  enum class Came { change, nothing, end };
  Came wait_for_change(int limit_ms);

  int inotify_;
  int wake_;
  std::function<void()> changed_;
  std::thread thread_;
};

}  // namespace holdfast::daemon
