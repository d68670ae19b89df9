// Files by descriptor, for those that look at every error. Blocks, so not for a loop's thread.
#pragma once

#include <string_view>
#include <utility>

#include "base/result.h"

namespace holdfast {

// Closes at its end. Movable; a descriptor below 0 is none.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};

// "cannot WHAT NAME: " and the system's reason, of errno as it is now. Errc::unavailable.
std::unexpected<Error> system_failure(std::string_view what, std::string_view name);

// All of it; system_failure("write", name) otherwise, with a part written.
Status write_all(int fd, std::string_view bytes, std::string_view name);

}  // namespace holdfast
