#include "net/pipeline.h"

#include "net/pipeline_testing.h"

namespace holdfast::net::testing {
namespace {

using test::answer;
using test::Conversation;
using test::expect;
using test::expect_at_once;
using test::ScriptedPeer;
using test::serve;
using test::wait_for_go;
using ::testing::HasSubstr;

TEST(Endpoint, IsWrittenAsPeopleWriteIt) {
  EXPECT_EQ((Endpoint{"10.0.0.7", 6379, ""}).text(), "10.0.0.7:6379");
  EXPECT_EQ((Endpoint{"::1", 6379, ""}).text(), "[::1]:6379");
  EXPECT_EQ((Endpoint{"", 0, "/run/redis.sock"}).text(), "/run/redis.sock");
}

TEST_F(PipelineTest, RepliesGoToThoseWhoAskedInTheirOrder) {
  ScriptedPeer peer({{expect("a\nb\nc\n"), answer("1\n2\n3\n"), expect("d\n"), answer("4\n")}});
  make(peer);
  const auto answers = ask_all({"a\n", "b\n", "c\n"});
  EXPECT_EQ(answers[0], "1\n");
  EXPECT_EQ(answers[1], "2\n");
  EXPECT_EQ(answers[2], "3\n");
  EXPECT_EQ(ask("d\n"), "4\n");
}

TEST_F(PipelineTest, WhatIsAskedInOneTurnOfTheLoopLeavesInOneWrite) {
  ScriptedPeer peer(
      {{expect("hello\n"), answer("hi\n"), expect_at_once("a\nb\nc\nd\ne\n"), answer("1\n2\n3\n4\n5\n")}});
  make(peer);
  EXPECT_EQ(ask("hello\n"), "hi\n");
  EXPECT_EQ(ask_all({"a\n", "b\n", "c\n", "d\n", "e\n"})[4], "5\n");
}

TEST_F(PipelineTest, WhatTheLoopFindsReadyGoesAlongWhereRequestsComeInCompany) {
  ScriptedPeer peer({{expect("hello\n"), answer("hi\n"), expect_at_once("a\nb\nc\n"), answer("1\n2\n3\n")}});
  make(peer);
  EXPECT_EQ(ask("hello\n"), "hi\n");
  std::promise<Answer> last;
  loop_.post([&] {
    start(testing::ask_all(*pipeline_, {"a\n", "b\n"}, in(kAmple)), [](const std::vector<Answer>&) {});
    loop_.post(
        [&] { start(testing::ask(*pipeline_, "c\n", in(kAmple)), [&](Answer a) { last.set_value(std::move(a)); }); });
  });
  EXPECT_EQ(last.get_future().get(), "3\n");
}

Task<std::vector<Answer>> await_in_reverse(Pipeline& pipeline) {
  auto first = pipeline.call("a\n", 3, in(kAmple));
  auto second = pipeline.call("b\n", 1, in(kAmple));
  std::vector<Answer> answers;
  const auto late = co_await second;  // the other's replies come before, and are kept for it
  answers.emplace_back(std::string(late.value_or("failed")));
  const auto early = co_await first;
  answers.emplace_back(std::string(early.value_or("failed")));
  co_return answers;
}

TEST_F(PipelineTest, ARequestMayAskForSeveralRepliesAndCallsMayBeAwaitedInAnyOrder) {
  ScriptedPeer peer({{expect("a\nb\n"), answer("1\n2"), answer("\n3\n4\n")}});
  make(peer);
  const auto both = on<std::vector<Answer>>([this] { return await_in_reverse(*pipeline_); });
  EXPECT_EQ(both[0], "4\n");
  EXPECT_EQ(both[1], "1\n2\n3\n");
}

Task<Answer> forget_two(Pipeline& pipeline) {
  {
    const auto forgotten = pipeline.call("a\n", 2, in(kAmple));
  }
  {
    const auto forgotten = pipeline.call("b\n", 1, in(kAmple));
  }
  co_return co_await testing::ask(pipeline, "c\n", in(kAmple));
}

TEST_F(PipelineTest, ACallThatNobodyAwaitsHarmsNoOther) {
  ScriptedPeer peer({{expect("a\nb\nc\n"), answer("1\n2\n3\n4\n")}});
  make(peer);
  EXPECT_EQ(on<Answer>([this] { return forget_two(*pipeline_); }), "4\n");
}

TEST_F(PipelineTest, RepliesSplitAtEveryByteAreTheSame) {
  for (const std::size_t piece : {1, 2, 3, 4, 5, 6, 7, 11}) {
    SCOPED_TRACE(piece);
    const TemporaryFolder folder;
    ScriptedPeer peer({{serve(serve_line)}}, {.unix_path = folder.file("peer"), .piece_bytes = piece});
    auto options = options_for(0);
    options.endpoint = {"", 0, folder.file("peer")};
    options.greeting = say_hello;
    pushed_.clear();
    make(std::move(options));
    EXPECT_EQ(ask("2first\n", kAmple, 2), "2first!\n2first!\n");
    const auto pair = ask_all({"second\n", "third\n"});
    EXPECT_EQ(pair[0], "second!\n");
    EXPECT_EQ(pair[1], "third!\n");
    close();
    EXPECT_EQ(pushed_, ">news\n>news\n");
  }
}

TEST_F(PipelineTest, ARequestThatTheSocketDoesNotTakeAtOnceArrivesWhole) {
  ScriptedPeer peer({{expect(kHuge + "b\n"), answer("1\n2\n"), expect("c\n"), answer(kHuge + "4\n")}});
  make(peer);
  const auto answers = ask_all({kHuge, "b\n"});
  EXPECT_EQ(answers[0], "1\n");
  EXPECT_EQ(answers[1], "2\n");
  EXPECT_EQ(ask("c\n", kAmple, 2), kHuge + "4\n");
}

Task<bool> after_the_next_sweep(Loop& loop) {
  co_await sleep_for(loop, Milliseconds(40));  // a sweep comes after 20 at most, and timers fire in their order
  co_return true;
}

// AddressSanitizer looks on: the memory that a huge reply took goes back, and not from under the read that waits.
TEST_F(PipelineTest, AfterAHugeReplyAndAPauseTheNextReplyFindsItsRoom) {
  ScriptedPeer peer({{expect("a\n"), answer(kHuge), expect("b\n"), answer("2\n")}});
  make(peer);
  EXPECT_EQ(ask("a\n"), kHuge);
  on<bool>([this] { return after_the_next_sweep(loop_); });
  EXPECT_EQ(ask("b\n"), "2\n");
}

TEST_F(PipelineTest, ALateReplyIsDroppedAndTheOnesAfterItAreNotMistaken) {
  ScriptedPeer peer({{expect("a\n"), wait_for_go(), answer("1\n"), expect("b\n"), answer("2\n")}});
  make(peer);
  const auto late = ask("a\n", Milliseconds(50));
  EXPECT_EQ(code_of(late), Errc::outcome_unknown);
  EXPECT_THAT(message_of(late), HasSubstr("the time was up"));
  peer.go();
  EXPECT_EQ(ask("b\n"), "2\n");
}

Task<std::vector<Answer>> ask_around_a_late_one(Pipeline& pipeline) {
  auto huge = pipeline.call(kHuge, 1, in(kAmple));
  auto late = pipeline.call("late\n", 1, in(Milliseconds(600)));
  auto after = pipeline.call("after\n", 1, in(kAmple));
  std::vector<Answer> answers;
  const auto late_answer = co_await late;
  answers.emplace_back(late_answer ? Answer(std::string(*late_answer)) : fail(late_answer.error()));
  answers.emplace_back("now the peer may read");
  (void)co_await huge;
  const auto reply = co_await after;
  answers.emplace_back(std::string(reply.value_or("failed")));
  co_return answers;
}

TEST_F(PipelineTest, WhatIsLateBeforeItWasSentIsNeverSent) {
  ScriptedPeer peer(
      {{expect(kHuge.substr(0, 1000)), wait_for_go(), expect(kHuge.substr(1000) + "after\n"), answer("1\n2\n")}});
  make(peer);
  auto told = std::make_shared<std::promise<std::vector<Answer>>>();
  loop_.post([&] {
    start(ask_around_a_late_one(*pipeline_), [told](std::vector<Answer> all) { told->set_value(std::move(all)); });
  });
  ASSERT_TRUE(peer.wait_for_steps(1));
  // The late one leaves the queue when its time is up.
  while (on<std::size_t>([this] { return in_flight(*pipeline_); }) == 3) std::this_thread::yield();
  peer.go();
  const auto answers = told->get_future().get();
  EXPECT_EQ(code_of(answers[0]), Errc::deadline_exceeded);
  EXPECT_EQ(answers[2], "2\n");
}

TEST_F(PipelineTest, HugeAndSmallRepliesTakeTurnsOnOneConnection) {
  ScriptedPeer peer({{serve([](std::string_view line) { return line == "huge" ? kHuge : echo(line); })}});
  make(peer);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ask("huge\n"), kHuge);
    EXPECT_EQ(ask("a\n"), "a!\n");
  }
  EXPECT_EQ(peer.connections(), 1);
}

TEST_F(PipelineTest, MoreThanTheBoundsAllowIsRefusedAtOnce) {
  ScriptedPeer peer({{expect("a\nb\n"), wait_for_go(), answer("1\n2\n")}});
  auto options = options_for(peer.port());
  options.requests_max = 2;
  make(std::move(options));
  ASSERT_TRUE(connect());
  loop_.post([this] {
    start(testing::ask_all(*pipeline_, {"a\n", "b\n", "c\n"}, in(kAmple)), [](const std::vector<Answer>& answers) {
      EXPECT_EQ(answers[0], "1\n");
      EXPECT_EQ(answers[1], "2\n");
      EXPECT_EQ(code_of(answers[2]), Errc::overloaded);
    });
  });
  ASSERT_TRUE(peer.wait_for_steps(1));
  EXPECT_EQ(code_of(ask("d\n")), Errc::overloaded);
  peer.go();
  close();
}

TEST_F(PipelineTest, BytesAreBoundedAndOneRequestMayBeLargerWhenItIsAlone) {
  ScriptedPeer peer({{expect(kHuge), answer("1\n")}});
  auto options = options_for(peer.port());
  options.bytes_max = 1000;
  make(std::move(options));
  const auto answers = ask_all({kHuge, "b\n"});
  EXPECT_EQ(answers[0], "1\n");
  EXPECT_EQ(code_of(answers[1]), Errc::overloaded);
}

TEST_F(PipelineTest, PushesAreHandedOverBetweenReplies) {
  ScriptedPeer peer({{answer(">one\n"), expect("a\n"), answer(">two\n1\n>three\n"), expect("b\n"), answer("2\n")}});
  auto options = options_for(peer.port());
  make(std::move(options));
  EXPECT_EQ(ask("a\n"), "1\n");
  EXPECT_EQ(ask("b\n"), "2\n");
  close();
  EXPECT_EQ(pushed_, ">one\n>two\n>three\n");
}

TEST_F(PipelineTest, CloseWaitsForRepliesThatAreDue) {
  ScriptedPeer peer({{expect("a\n"), wait_for_go(), answer("1\n")}});
  make(peer);
  auto got = std::make_shared<std::promise<Answer>>();
  loop_.post([&] { start(testing::ask(*pipeline_, "a\n", in(kAmple)), [got](Answer a) { got->set_value(a); }); });
  ASSERT_TRUE(peer.wait_for_steps(1));
  std::promise<bool> closed;
  loop_.post([&] { start(close_task(*pipeline_, kAmple), [&](bool) { closed.set_value(true); }); });
  EXPECT_EQ(code_of(ask("b\n")), Errc::unavailable);
  peer.go();
  EXPECT_EQ(got->get_future().get(), "1\n");
  closed.get_future().wait();
}

TEST_F(PipelineTest, WhatCloseCannotWaitForFailsAsItMust) {
  ScriptedPeer peer({{expect(kHuge.substr(0, 1000)), wait_for_go()}});
  make(peer);
  auto got = std::make_shared<std::promise<std::vector<Answer>>>();
  loop_.post([&] {
    start(testing::ask_all(*pipeline_, {kHuge, "b\n"}, in(kAmple)),
          [got](std::vector<Answer> a) { got->set_value(a); });
  });
  ASSERT_TRUE(peer.wait_for_steps(1));
  close(Milliseconds(50));
  const auto answers = got->get_future().get();
  EXPECT_EQ(code_of(answers[0]), Errc::outcome_unknown);
  EXPECT_EQ(code_of(answers[1]), Errc::unavailable);
}

TEST_F(PipelineTest, AfterCloseNothingIsLeftOnTheLoop) {
  ScriptedPeer peer({{expect("a\n"), answer("1\n")}});
  Loop loop;
  auto pipeline = std::make_unique<Pipeline>(loop, options_for(peer.port()));
  bool ran = false;
  loop.post([&] {
    start(testing::ask(*pipeline, "a\n", in(kAmple)), [&](const Answer& answer) {
      EXPECT_EQ(answer, "1\n");
      start(close_task(*pipeline, kAmple), [&](bool) {
        pipeline.reset();  // at once, inside: nothing of it may be touched again
        loop.post([&] { loop.post([&] { loop.stop(); }); });
        ran = true;
      });
    });
  });
  loop.run();
  EXPECT_TRUE(ran);
}

Task<Answer> ask_then_close(Pipeline& pipeline) {
  const auto reply = co_await pipeline.call("a\n", 1, in(kAmple));
  std::string kept(reply.value_or("failed"));
  co_await pipeline.close(in(kAmple));
  co_return kept;
}

TEST_F(PipelineTest, ACallerMayCloseItWhileOthersWait) {
  ScriptedPeer peer({{expect("a\nb\n"), answer("1\n2\n")}});
  make(peer);
  auto other = std::make_shared<std::promise<Answer>>();
  const auto first = on<Answer>([&] {
    auto task = ask_then_close(*pipeline_);
    loop_.post([&] { start(testing::ask(*pipeline_, "b\n", in(kAmple)), [other](Answer a) { other->set_value(a); }); });
    return task;
  });
  EXPECT_EQ(first, "1\n");
  EXPECT_EQ(other->get_future().get(), "2\n");
}

// Asks again the moment it is told, again and again.
Task<Answer> ask_in_a_chain(Pipeline& pipeline, int links) {
  std::string last;
  for (int i = 0; i < links; ++i) {
    const std::string request = std::to_string(1000 + i) + "\n";
    const auto reply = co_await pipeline.call(request, 1, in(kAmple));
    if (!reply) co_return fail(reply.error());
    last = *reply;
  }
  co_return last;
}

TEST_F(PipelineTest, ACallerThatIsToldMayAskAgainAtOnce) {
  ScriptedPeer peer({{serve(echo)}});
  make(peer);
  std::vector<std::promise<Answer>> chains(50);
  loop_.post([&] {
    for (auto& chain : chains)
      start(ask_in_a_chain(*pipeline_, 200), [&chain](Answer last) { chain.set_value(std::move(last)); });
  });
  for (auto& chain : chains) EXPECT_EQ(chain.get_future().get(), "1199!\n");
}

}  // namespace
}  // namespace holdfast::net::testing
