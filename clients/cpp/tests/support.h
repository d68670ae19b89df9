// What the tests against a sidecar share. test/system/test_cpp_client.py starts the sidecar, says in the environment
// where it is, and does what `ask` asks for.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>

#include "holdfast/aio.h"
#include "holdfast/client.h"

namespace holdfast::test {

inline std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

// Has test_cpp_client.py do something with the sidecar or the gate in front of it, and waits until it is done.
inline void ask(const std::string& what) {
  std::cout << "@" << what << std::endl;
  std::string done;
  ASSERT_TRUE(std::getline(std::cin, done)) << "nobody did: " << what;
}

// The result of a call of either form.
template <class T>
T now(T result) {
  return result;
}
template <class T>
T now(aio::Pending<T> pending) {
  return pending.get();
}

// A key of this test's own: tests share a sidecar and disturb nobody.
inline std::string own_key() {
  static std::atomic<int> count = 0;
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  std::string key = std::string(test->test_suite_name()) + "-" + test->name() + "-" + std::to_string(++count);
  for (char& c : key)
    if (c == '/') c = '-';
  return key + "-" + std::to_string(std::chrono::steady_clock::now().time_since_epoch().count());
}

// Typed tests run in both forms.
struct BlockingForm {
  using Client = holdfast::Client;
  using Session = holdfast::Session;
  using Store = holdfast::Store;
  using Watch = holdfast::Watch;
};
struct AwaitedForm {
  using Client = aio::Client;
  using Session = aio::Session;
  using Store = aio::Store;
  using Watch = aio::Watch;
};
using Forms = testing::Types<BlockingForm, AwaitedForm>;

template <class Form>
class OnStore : public testing::Test {
 protected:
  typename Form::Client client{variable("TEST_ADDRESS")};
  typename Form::Store store = client.store(variable("TEST_STORE"));
  const std::string key = own_key();
};

// What a scan finds.
template <class Scan>
std::vector<Record> all(Scan scan) {
  std::vector<Record> records;
  while (auto record = now(scan.next())) records.push_back(std::move(*record));
  return records;
}

}  // namespace holdfast::test
