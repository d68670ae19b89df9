// Tells the service manager that started this process how it fares, in the words of sd_notify(3): one datagram to the
// socket that NOTIFY_SOCKET names. Without that variable nobody listens, and nothing is sent.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "config/components.h"

namespace holdfast::daemon {

// Every member may be called on any thread.
class ServiceManager {
 public:
  // The socket of NOTIFY_SOCKET; a name that begins with @ is an abstract one.
  explicit ServiceManager(const config::GetEnvironment& environment);

  // "READY=1" and the like. Never waits: a manager that does not read is an error, and no reason to stop.
  Status tell(std::string_view state) const;

  // The next two log what fails: there is nothing else that a caller could do about it.
  void ready() const;
  void reloading() const;  // ready() has to follow
  void stopping() const;

 private:
  void tell_or_warn(std::string_view state) const;

  std::string socket_;  // empty: none
};

}  // namespace holdfast::daemon
