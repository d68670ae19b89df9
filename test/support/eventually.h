// Waiting for what must come about, by asking again and again; never for a time.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>

namespace holdfast::test {

// For a condition that must come, on a slow machine under a sanitizer.
inline constexpr std::chrono::seconds kPatience{60};

template <class Condition>
bool eventually(Condition holds, std::chrono::milliseconds patience = kPatience) {
  const auto give_up = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

// Throws std::runtime_error when it does not come about: a fixture that cannot be built is a failure of its test.
template <class Condition>
void require_eventually(const std::string& what, Condition holds, std::chrono::milliseconds patience = kPatience) {
  if (!eventually(holds, patience)) throw std::runtime_error("did not come about: " + what);
}

}  // namespace holdfast::test
