// A TCP port of 127.0.0.1 that no other test takes while this object lives, in this process or another. It lies below
// the ports that the kernel gives to connections, so that a server can come back on it.
#pragma once

#include <cstdint>
#include <utility>

namespace holdfast::test {

// Moved, never copied. What listens on the port is the caller's business.
class Port {
 public:
  Port();  // throws std::runtime_error when there is none
  ~Port();
  Port(Port&& other) noexcept : number_(other.number_), claim_(std::exchange(other.claim_, -1)) {}
  Port& operator=(Port&& other) noexcept {
    std::swap(number_, other.number_);
    std::swap(claim_, other.claim_);
    return *this;
  }

  std::uint16_t number() const { return number_; }

 private:
  std::uint16_t number_ = 0;
  int claim_ = -1;  // an abstract Unix socket named after the port, which the kernel lets one process have
};

}  // namespace holdfast::test
