#include "daemon/file_watcher.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>

namespace holdfast::daemon {

namespace {

// IN_MODIFY does not end a wait for rest, it prolongs it.
constexpr std::uint32_t kMask =
    IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB;

int left_ms(std::chrono::steady_clock::time_point end) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

}  // namespace

Result<std::unique_ptr<FileWatcher>> FileWatcher::watch(const std::vector<std::string>& directories,
                                                        std::function<void()> changed) {
  const int inotify = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (inotify < 0) return fail(Errc::unavailable, fmt::format("cannot watch files: {}", std::strerror(errno)));
  for (const std::string& directory : directories) {
    if (::inotify_add_watch(inotify, directory.c_str(), kMask) >= 0) continue;
    const int why = errno;
    ::close(inotify);
    return fail(Errc::unavailable, fmt::format("cannot watch the directory {}: {}", directory, std::strerror(why)));
  }
  const int wake = ::eventfd(0, EFD_CLOEXEC);
  if (wake < 0) {
    ::close(inotify);
    return fail(Errc::unavailable, fmt::format("cannot watch files: {}", std::strerror(errno)));
  }
  return std::unique_ptr<FileWatcher>(new FileWatcher(inotify, wake, std::move(changed)));
}

FileWatcher::FileWatcher(int inotify, int wake, std::function<void()> changed)
    : inotify_(inotify), wake_(wake), changed_(std::move(changed)), thread_([this] { run(); }) {}

FileWatcher::~FileWatcher() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
  thread_.join();
  ::close(inotify_);
  ::close(wake_);
}

FileWatcher::Came FileWatcher::wait_for_change(int limit_ms) {
  std::array<pollfd, 2> wanted{{{inotify_, POLLIN, 0}, {wake_, POLLIN, 0}}};
  const int ready = ::poll(wanted.data(), wanted.size(), limit_ms);
  if (wanted[1].revents != 0) return Came::end;
  if (ready <= 0) return Came::nothing;
  std::array<char, 16 * 1024> sink;
  while (::read(inotify_, sink.data(), sink.size()) > 0) {
  }
  return Came::change;
}

void FileWatcher::run() {
  for (;;) {
    const Came first = wait_for_change(-1);
    if (first == Came::end) return;
    if (first == Came::nothing) continue;
    const auto latest = std::chrono::steady_clock::now() + std::chrono::milliseconds(kQuietMaxMs);
    Came next = Came::change;
    while (next == Came::change && left_ms(latest) > 0) next = wait_for_change(std::min(kQuietMs, left_ms(latest)));
    if (next == Came::end) return;
    changed_();
  }
}

}  // namespace holdfast::daemon
