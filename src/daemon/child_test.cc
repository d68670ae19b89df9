#include "daemon/child.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

namespace holdfast::daemon {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Pair;

config::Flags ports() {
  config::Flags flags;
  flags.app_id = "orders";
  flags.dapr_http_port = 3501;
  flags.dapr_grpc_port = 50002;
  return flags;
}

// Starts a shell command and waits for its end; what it printed stands on standard output.
int code_of(const std::string& command) {
  std::promise<void> ended;
  Child child({"sh", "-c", command}, [&] { ended.set_value(); });
  EXPECT_TRUE(child.start(ports()));
  ended.get_future().wait();
  return child.exit_code();
}

TEST(Child, ItsOutputIsShownLineByLineUnderAName) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(code_of("printf 'one\\ntwo'; printf ' halves\\n'; echo $DAPR_HTTP_PORT $DAPR_GRPC_PORT $APP_ID"), 0);
  EXPECT_THAT(testing::internal::GetCapturedStdout(),
              HasSubstr("== APP == one\n== APP == two halves\n== APP == 3501 50002 orders\n"));
}

TEST(Child, ALastLineWithoutAnEndIsShownToo) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(code_of("printf last"), 0);
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("== APP == last\n"));
}

TEST(Child, ItsCodeAndItsSignalAreTold) {
  EXPECT_EQ(code_of("exit 7"), 7);
  EXPECT_EQ(code_of("kill -KILL $$"), 128 + 9);
}

TEST(Child, WhatIsNotThereIsAnErrorWithItsName) {
  Child child({"/no/such/program"}, [] {});
  const auto started = child.start(ports());
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message, HasSubstr("/no/such/program: No such file or directory"));
}

TEST(Child, StopEndsItAndItsChildrenAndThatIsNoFailure) {
  bool ended = false;
  Child child({"sh", "-c", "tail -f /dev/null & wait"}, [&] { ended = true; });
  ASSERT_TRUE(child.start(ports()));
  child.stop(std::chrono::seconds(30));
  EXPECT_EQ(child.exit_code(), 0);
  EXPECT_FALSE(ended) << "only an end of its own is reported";
}

TEST(Child, OneThatDoesNotListenIsKilled) {
  std::promise<void> deaf;
  Child child({"sh", "-c", "trap '' TERM; while :; do tail -f /dev/null; done"}, [] {});
  ASSERT_TRUE(child.start(ports()));
  child.stop(Milliseconds(50));
  EXPECT_EQ(child.exit_code(), 0);
}

TEST(ApplicationVariables, TellOfTlsAndSockets) {
  config::Flags flags = ports();
  flags.tls_cert_file = "c.pem";
  EXPECT_THAT(application_variables(flags), Contains(Pair("DAPR_GRPC_ENDPOINT", "https://localhost:50002")));
  flags.unix_domain_socket = "/run/hf";
  EXPECT_THAT(application_variables(flags),
              Contains(Pair("DAPR_GRPC_ENDPOINT", "unix:/run/hf/dapr-orders-grpc.socket")));
}

}  // namespace
}  // namespace holdfast::daemon
