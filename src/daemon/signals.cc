#include "daemon/signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "base/log.h"

namespace holdfast::daemon {

namespace {

sigset_t watched() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR2}) sigaddset(&set, signal);
  return set;
}

}  // namespace

StopSignal::StopSignal() {
  const sigset_t set = watched();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  watcher_ = std::thread([this] { watch(); });
}

StopSignal::~StopSignal() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  pthread_kill(watcher_.native_handle(), SIGUSR2);
  watcher_.join();
}

void StopSignal::watch() {
  const sigset_t set = watched();
  for (;;) {
    int signal = 0;
    if (sigwait(&set, &signal) != 0) continue;
    if (signal == SIGUSR2) {
      const std::lock_guard lock(mutex_);
      if (ended_) return;
      continue;
    }
    if (signal == SIGHUP) {
      log::warn("holdfast.runtime", "SIGHUP has no effect in this version; restart the process to reload");
      continue;
    }
    log::info("holdfast.runtime", "Received signal '{}'; beginning shutdown", signal == SIGINT ? "interrupt" : "terminated");
    {
      const std::lock_guard lock(mutex_);
      if (requested_) {
        log::fatal("holdfast.runtime", "asked to stop a second time; exiting at once");
        _exit(1);
      }
    }
    request();
  }
}

void StopSignal::request() {
  {
    const std::lock_guard lock(mutex_);
    requested_ = true;
  }
  changed_.notify_all();
}

bool StopSignal::wait_for(Milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [this] { return requested_; });
}

void StopSignal::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return requested_; });
}

}  // namespace holdfast::daemon
