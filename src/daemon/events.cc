#include "daemon/events.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <utility>

#include "base/log.h"

namespace holdfast::daemon {

namespace {

constexpr std::string_view kScope = "holdfast.runtime";

sigset_t watched() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR2}) sigaddset(&set, signal);
  return set;
}

}  // namespace

Events::Events() {
  const sigset_t set = watched();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  watcher_ = std::thread([this] { watch(); });
}

Events::~Events() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  pthread_kill(watcher_.native_handle(), SIGUSR2);
  watcher_.join();
}

void Events::watch() {
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
      log::info(kScope, "Received signal 'hangup'; restarting");
      request_restart();
      continue;
    }
    log::info(kScope, "Received signal '{}'; beginning shutdown", signal == SIGINT ? "interrupt" : "terminated");
    {
      const std::lock_guard lock(mutex_);
      if (happened_.stop) {
        log::fatal(kScope, "asked to stop a second time; exiting at once");
        _exit(1);
      }
    }
    request_stop();
  }
}

void Events::note(bool Happened::* what) {
  {
    const std::lock_guard lock(mutex_);
    happened_.*what = true;
  }
  changed_.notify_all();
}

void Events::request_stop() { note(&Happened::stop); }
void Events::request_restart() { note(&Happened::restart); }
void Events::files_changed() { note(&Happened::files_changed); }

Events::Happened Events::wait(SteadyTime until) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, until, [this] { return happened_.any(); });
  const Happened happened = happened_;
  happened_.restart = happened_.files_changed = false;
  return happened;
}

bool Events::wait_for_stop(Milliseconds limit) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, limit, [this] { return happened_.stop; });
}

}  // namespace holdfast::daemon
