// Connections that cannot be made, that are lost, and that are given up.
#include "net/pipeline.h"
#include "net/pipeline_testing.h"

namespace holdfast::net::testing {
namespace {

using test::answer;
using test::Conversation;
using test::expect;
using test::hang_up;
using test::ScriptedPeer;
using test::serve;
using test::wait_for_go;
using ::testing::AllOf;
using ::testing::HasSubstr;

bool is_right_or_lost(const Answer& got, const std::string& right) {
  return got ? *got == right : got.error().code == Errc::outcome_unknown || got.error().code == Errc::unavailable;
}

TEST_F(PipelineTest, AfterAPeerThatDiesAtAnyStepAllIsWellOnTheNextConnection) {
  const Conversation whole = {expect("hello\n"), answer("hi\n"), expect("a\nb\n"),       answer("a!\n"),
                              answer("b!\n"),    expect("2c\n"), answer(">news\n2c!\n"), answer(">news\n2c!\n")};
  for (const Conversation& dying : test::dying_at_every_step(whole)) {
    SCOPED_TRACE(dying.size() - 1);
    ScriptedPeer peer({dying, {serve(serve_line)}});
    auto options = options_for(peer.port());
    options.greeting = say_hello;
    make(std::move(options));
    const auto pair = ask_all({"a\n", "b\n"});
    EXPECT_TRUE(is_right_or_lost(pair[0], "a!\n")) << message_of(pair[0]);
    EXPECT_TRUE(is_right_or_lost(pair[1], "b!\n")) << message_of(pair[1]);
    if (pair[1]) {
      const auto twice = ask("2c\n", kAmple, 2);
      EXPECT_TRUE(is_right_or_lost(twice, "2c!\n2c!\n")) << message_of(twice);
    }
    ASSERT_TRUE(peer.wait_for_connections(2));
    ASSERT_TRUE(connect());
    EXPECT_EQ(ask("2d\n", kAmple, 2), "2d!\n2d!\n");
    EXPECT_EQ(ask("e\n"), "e!\n");
    close();
  }
}

TEST_F(PipelineTest, WhatWasSentFailsWithTheConnectionAndTheNextOneIsMadeByItself) {
  ScriptedPeer peer({{expect("a\n"), hang_up()}, {expect("b\n"), answer("2\n")}});
  make(peer);
  const auto lost = ask("a\n");
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Errc::outcome_unknown);
  EXPECT_EQ(lost.error().message,
            "component \"orders\" (state.lines): a request was sent to 127.0.0.1:" + std::to_string(peer.port()) +
                " and not answered, so that it may or may not have taken effect: it closed the "
                "connection");
  EXPECT_EQ(ask("b\n"), "2\n");
}

TEST_F(PipelineTest, WhatWasNotSentGoesOnTheNextConnectionWithoutTheRestOfWhatWas) {
  ScriptedPeer peer({{expect(kHuge.substr(0, 1000)), hang_up()}, {expect("b\nc\n"), answer("2\n3\n")}});
  make(peer);
  const auto answers = ask_all({kHuge, "b\n", "c\n"});
  EXPECT_EQ(code_of(answers[0]), Errc::outcome_unknown);
  EXPECT_EQ(answers[1], "2\n");
  EXPECT_EQ(answers[2], "3\n");
}

TEST_F(PipelineTest, APeerThatFallsSilentIsGivenUp) {
  ScriptedPeer peer({{expect("a\n")}, {expect("b\n"), answer("2\n")}});
  auto options = options_for(peer.port());
  options.reply_timeout = Milliseconds(100);
  make(std::move(options));
  const auto silent = ask("a\n");
  EXPECT_EQ(code_of(silent), Errc::outcome_unknown);
  EXPECT_THAT(message_of(silent), HasSubstr("no reply for 1"));
  ASSERT_TRUE(connect());
  EXPECT_EQ(ask("b\n"), "2\n");
}

// A stuck process has its kernel accept connections: callers would wait for each attempt to time out.
TEST_F(PipelineTest, AfterSilenceCallsFailAtOnceUntilThePeerHasAnswered) {
  ScriptedPeer peer({{expect("hello\n"), answer("hi\n"), expect("a\n")},
                     {expect("hello\n"), wait_for_go(), answer("hi\n"), expect("c\n"), answer("3\n")}});
  auto options = options_for(peer.port());
  options.reply_timeout = Milliseconds(400);
  options.greeting = say_hello;
  make(std::move(options));
  EXPECT_EQ(code_of(ask("a\n")), Errc::outcome_unknown);
  const auto refused = ask("b\n");
  EXPECT_EQ(code_of(refused), Errc::unavailable);
  EXPECT_THAT(message_of(refused), HasSubstr("no reply for 4"));
  peer.go();
  ASSERT_TRUE(connect());
  EXPECT_EQ(ask("c\n"), "3\n");
}

TEST_F(PipelineTest, AServerThatTakesAHugeRequestSlowlyIsNotSilent) {
  std::vector<test::PeerStep> slow;
  constexpr std::size_t kParts = 8;
  const std::size_t part = kHuge.size() / kParts;
  for (std::size_t i = 0; i < kParts; ++i) {
    slow.push_back(wait_for_go());
    slow.push_back(expect(kHuge.substr(i * part, i + 1 < kParts ? part : std::string::npos)));
  }
  slow.push_back(answer("1\n"));
  ScriptedPeer peer({slow});
  auto options = options_for(peer.port());
  options.reply_timeout = Milliseconds(500);
  make(std::move(options));
  auto got = std::make_shared<std::promise<Answer>>();
  loop_.post([&] { start(testing::ask(*pipeline_, kHuge, in(kAmple)), [got](Answer a) { got->set_value(a); }); });
  const SteadyTime began = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < kParts; ++i) {
    // The server's pace: each part well within the timeout, all of them together not.
    on<bool>([this] { return pause_task(loop_, Milliseconds(80)); });
    peer.go();
  }
  EXPECT_EQ(got->get_future().get(), "1\n");
  EXPECT_GT(std::chrono::steady_clock::now() - began, Milliseconds(500));
}

TEST_F(PipelineTest, WhereNobodyListensCallsFailWithTheReasonAndThenAtOnceUntilSomebodyDoes) {
  const std::uint16_t port = ScriptedPeer::free_port();
  make(options_for(port));
  const std::string refused =
      "component \"orders\" (state.lines): cannot connect to 127.0.0.1:" + std::to_string(port) +
      ": connection refused";
  for (int i = 0; i < 3; ++i) {
    const auto answer = ask("a\n");
    EXPECT_EQ(code_of(answer), Errc::unavailable);
    EXPECT_EQ(message_of(answer), refused);
  }
  EXPECT_EQ(connect().error().message, refused);
  ScriptedPeer peer({{expect("a\n"), answer("1\n")}}, {.port = port});
  ASSERT_TRUE(peer.wait_for_connections(1));  // by itself
  ASSERT_TRUE(connect());
  EXPECT_EQ(ask("a\n"), "1\n");
}

TEST_F(PipelineTest, ANameThatCannotBeResolvedIsTheReason) {
  auto options = options_for(6379);
  options.endpoint.host = std::string(70, 'x');  // longer than a label may be: no server is asked
  make(std::move(options));
  EXPECT_THAT(message_of(ask("a\n")),
              AllOf(HasSubstr("xxx:6379: the name cannot be resolved: "), HasSubstr("not found")));
}

TEST_F(PipelineTest, ANameIsResolvedAndItsAddressesAreTried) {
  ScriptedPeer peer({{expect("a\n"), answer("1\n")}});
  auto options = options_for(peer.port());
  options.endpoint.host = "localhost";
  make(std::move(options));
  EXPECT_EQ(ask("a\n"), "1\n");
}

TEST_F(PipelineTest, AUnixSocketThatIsNotThereIsTheReason) {
  const TemporaryFolder folder;
  auto options = options_for(0);
  options.endpoint.unix_path = folder.file("none");
  make(std::move(options));
  EXPECT_THAT(message_of(ask("a\n")), HasSubstr("cannot connect to " + folder.file("none") + ": no such file"));
  close();
  options = options_for(0);
  options.endpoint.unix_path = std::string(200, 'x');
  make(std::move(options));
  EXPECT_THAT(message_of(ask("a\n")), HasSubstr("the path is too long"));
}

TEST_F(PipelineTest, ThePeerThatBreaksTheProtocolIsLeft) {
  ScriptedPeer peer({{expect("a\n"), answer("!?")}, {expect("b\n"), answer("2\n3\n")}, {expect("c\n"), answer("4\n")}});
  make(peer);
  const auto broken = ask("a\n");
  EXPECT_EQ(code_of(broken), Errc::outcome_unknown);
  EXPECT_THAT(message_of(broken), HasSubstr("it broke the protocol: not a line"));
  EXPECT_EQ(ask("b\n"), "2\n");
  ASSERT_TRUE(peer.wait_for_connections(3));  // there was one reply too many
  EXPECT_EQ(ask("c\n"), "4\n");
}

TEST_F(PipelineTest, AGreetingGoesBeforeEverythingThatWaits) {
  ScriptedPeer peer({{expect("hello\n"), answer("hi\n"), expect("a\nb\n"), answer("1\n2\n")}});
  auto options = options_for(peer.port());
  options.greeting = say_hello;
  make(std::move(options));
  EXPECT_EQ(ask_all({"a\n", "b\n"})[1], "2\n");
}

TEST_F(PipelineTest, AGreetingThatFailsIsTheReasonAndItsKindIsKeptForConnect) {
  ScriptedPeer peer({{expect("hello\n"), answer("go away\n")}, {expect("hello\n"), answer("go away\n")}});
  auto options = options_for(peer.port());
  options.backoff_min = options.backoff_max = kAmple;
  options.greeting = say_hello;
  make(std::move(options));
  const auto refused = ask("a\n");
  EXPECT_EQ(code_of(refused), Errc::unavailable);
  EXPECT_THAT(message_of(refused), HasSubstr(std::to_string(peer.port()) + ": it is not polite"));
  const Status status = connect();  // does not wait for the pause to end
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Errc::denied);
}

TEST_F(PipelineTest, APeerThatDoesNotAnswerTheGreetingIsGivenUp) {
  ScriptedPeer peer({{expect("hello\n")}});
  auto options = options_for(peer.port());
  options.greeting = say_hello;
  options.connect_timeout = Milliseconds(100);
  make(std::move(options));
  EXPECT_THAT(message_of(ask("a\n")), HasSubstr("no connection within 100 ms"));
}

TEST_F(PipelineTest, WhatIsLateBeforeThereIsAConnectionIsNeverSent) {
  ScriptedPeer peer({{expect("hello\n"), wait_for_go(), answer("hi\n"), expect("b\n"), answer("2\n")}});
  auto options = options_for(peer.port());
  options.greeting = say_hello;
  make(std::move(options));
  EXPECT_EQ(code_of(ask("a\n", Milliseconds(50))), Errc::deadline_exceeded);
  peer.go();
  EXPECT_EQ(ask("b\n"), "2\n");
}

TEST_F(PipelineTest, CloseEndsAnAttemptThatNobodyNeeds) {
  ScriptedPeer peer({{expect("hello\n"), wait_for_go()}});
  auto options = options_for(peer.port());
  options.greeting = say_hello;
  make(std::move(options));
  loop_.post([this] {
    start(pipeline_->connect(in(kAmple)),
          [](const Status& status) { EXPECT_EQ(status.error().code, Errc::unavailable); });
  });
  ASSERT_TRUE(peer.wait_for_steps(1));
  close();
  EXPECT_EQ(lost_, 0);
}

TEST_F(PipelineTest, WhoHearsOfAFailedAttemptIsToldTheReasonWhenAsking) {
  auto options = options_for(ScriptedPeer::free_port());
  auto told = std::make_shared<std::promise<Answer>>();
  options.on_lost = [this, told, first = true]() mutable {
    if (!std::exchange(first, false)) return;
    start(testing::ask(*pipeline_, "b\n", in(kAmple)), [told](Answer a) { told->set_value(std::move(a)); });
  };
  make(std::move(options));
  EXPECT_EQ(code_of(ask("a\n")), Errc::unavailable);
  EXPECT_THAT(message_of(told->get_future().get()), HasSubstr("connection refused"));
  close();
}

TEST_F(PipelineTest, APushMayEndTheConnection) {
  ScriptedPeer peer({{expect("a\n"), answer(">moved\n1\n")}, {expect("b\n"), answer("2\n")}});
  auto options = options_for(peer.port());
  make(std::move(options), [this](std::string_view) { pipeline_->reset("it has moved"); });
  EXPECT_THAT(message_of(ask("a\n")), HasSubstr("it has moved"));
  EXPECT_EQ(ask("b\n"), "2\n");
}

TEST_F(PipelineTest, ConnectWaitsNoLongerThanItIsTold) {
  ScriptedPeer peer({{expect("hello\n")}});
  auto options = options_for(peer.port());
  options.greeting = say_hello;
  make(std::move(options));
  const Status status = connect(Milliseconds(50));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Errc::deadline_exceeded);
}

// Resets, from inside the resumption of a caller, a connection on which another request was sent.
Task<std::vector<Answer>> reset_and_ask(Pipeline& pipeline) {
  std::vector<Answer> answers;
  auto first = pipeline.call("a\n", 1, in(kAmple));
  auto second = pipeline.call("b\n", 1, in(kAmple));
  const auto reply = co_await first;
  answers.emplace_back(std::string(reply.value_or("failed")));
  pipeline.reset("it is a replica now");
  EXPECT_FALSE(pipeline.is_connected());
  auto unsent = pipeline.call("c\n", 1, in(kAmple));
  for (auto* call : {&second, &unsent}) {
    const auto later = co_await *call;
    answers.emplace_back(later ? Answer(std::string(*later)) : fail(later.error()));
  }
  co_return answers;
}

TEST_F(PipelineTest, ResetGivesUpWhatWasSentAndKeepsWhatWasNot) {
  // Both replies come at once: the second is in our hands when the first caller decides.
  ScriptedPeer peer({{expect("a\nb\n"), answer("1\n2\n")}, {expect("c\n"), answer("3\n")}});
  auto options = options_for(peer.port());
  make(std::move(options));
  const auto answers = on<std::vector<Answer>>([this] { return reset_and_ask(*pipeline_); });
  EXPECT_EQ(answers[0], "1\n");
  EXPECT_EQ(code_of(answers[1]), Errc::outcome_unknown);
  EXPECT_THAT(message_of(answers[1]), HasSubstr("it is a replica now"));
  EXPECT_EQ(answers[2], "3\n");
  EXPECT_EQ(lost_, 1);
}

TEST_F(PipelineTest, WhoHearsOfALossMayAskAtOnce) {
  ScriptedPeer peer({{expect("a\n"), hang_up()}, {expect("b\n"), answer("2\n")}});
  auto options = options_for(peer.port());
  auto asked = std::make_shared<std::promise<Answer>>();
  options.on_lost = [this, asked] {
    start(testing::ask(*pipeline_, "b\n", in(kAmple)), [asked](Answer a) { asked->set_value(std::move(a)); });
  };
  make(std::move(options));
  EXPECT_EQ(code_of(ask("a\n")), Errc::outcome_unknown);
  EXPECT_EQ(asked->get_future().get(), "2\n");
  close();
}

TEST_F(PipelineTest, AConnectionThatNobodyUsesIsClosedAndMadeAgainWhenNeeded) {
  ScriptedPeer peer({{expect("a\n"), answer("1\n")}, {expect("b\n"), answer("2\n")}});
  auto options = options_for(peer.port());
  options.idle_close = Milliseconds(60);
  make(std::move(options));
  EXPECT_EQ(ask("a\n"), "1\n");
  while (on<bool>([this] { return is_connected(*pipeline_); })) std::this_thread::yield();
  EXPECT_EQ(peer.connections(), 1);
  EXPECT_EQ(ask("b\n"), "2\n");
  EXPECT_EQ(lost_, 0);
}

}  // namespace
}  // namespace holdfast::net::testing
