// The server on real sockets of the loopback address. Test handlers answer at once, later, or not at all; nothing here
// knows about state.
#include "net/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>

#include "base/encoding.h"
#include "net/server_testing.h"

namespace holdfast::net::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

std::string get(std::string_view target) { return fmt::format("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", target); }

std::string post(std::string_view body, std::string_view fields = "") {
  return fmt::format("POST / HTTP/1.1\r\nHost: a\r\n{}Content-Length: {}\r\n\r\n{}", fields, body.size(), body);
}

TEST(Http1, AConnectionServesOneRequestAfterAnother) {
  TestServer server;
  Client client(server.port());
  for (const char* target : {"/a", "/b", "/c"}) {
    client.send(get(target));
    EXPECT_EQ(client.read_answer().body, target);
  }
  EXPECT_EQ(server.connection_count(), 1u);
}

TEST(Http1, PipelinedRequestsAreAnsweredInOrderThoughTheFirstIsSlow) {
  TestServer server;
  Client client(server.port());
  client.send(get("/held") + get("/b") + get("/c"));
  EXPECT_TRUE(server.eventually([&] { return server.held() == 1; }));
  server.release();
  EXPECT_EQ(client.read_answer().body, "/held");
  EXPECT_EQ(client.read_answer().body, "/b");
  EXPECT_EQ(client.read_answer().body, "/c");
}

TEST(Http1, AnAnswerMayComeByATimer) {
  TestServer server;
  Client client(server.port());
  client.send(get("/later"));
  EXPECT_EQ(client.read_answer().body, "/later");
}

TEST(Http1, WhatIsToRunSoonRunsBehindTheCallAndBeforeWhatIsPosted) {
  TestServer server;
  Client client(server.port());
  client.send(get("/order"));
  EXPECT_EQ(client.read_answer().body, "");
  EXPECT_TRUE(server.eventually([&] {
    client.send(get("/ordered"));
    return client.read_answer().body == " soon soon-of-soon posted soon-of-posted";
  }));
}

TEST(Http1, HeadHasTheLengthAndNoBody) {
  TestServer server;
  Client client(server.port());
  client.send("HEAD /abc HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.read_head(), HasSubstr("Content-Length: 4"));
  client.send(get("/next"));
  EXPECT_EQ(client.read_answer().body, "/next");
}

TEST(Http1, ABodyThatWaitsForContinueIsAskedFor) {
  TestServer server;
  Client client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 100 "));
  client.send("hello");
  EXPECT_EQ(client.read_answer().body, "hello");
}

TEST(Http1, ABodyThatComesAtOnceIsNotAskedFor) {
  TestServer server;
  Client client(server.port());
  client.send(post("hello", "Expect: 100-continue\r\n"));
  EXPECT_EQ(client.read_answer().status, 200);
}

TEST(Http1, WhatAHandlerThrowsIsA500AndEndsTheConnection) {
  TestServer server;
  Client client(server.port());
  client.send(get("/throw"));
  EXPECT_EQ(client.read_answer().status, 500);
  EXPECT_TRUE(client.is_closed_by_peer());
}

TEST(Http1, ABodyBeyondTheLimitReachesTheHandlerAsTooLarge) {
  ServerOptions options;
  options.body_bytes_max = 1000;
  TestServer server(options);
  Client client(server.port());
  client.send(post(std::string(1000, 'x')));
  EXPECT_EQ(client.read_answer().status, 200);
  client.send(post(std::string(1001, 'x')));
  EXPECT_EQ(client.read_answer().status, 413);
  EXPECT_TRUE(client.is_closed_by_peer());
}

TEST(Http1, AHeadBeyondTheLimitIs431) {
  ServerOptions options;
  options.head_bytes_max = 1024;
  TestServer server(options);
  Client client(server.port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(2000, 'x') + "\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 431);
  EXPECT_TRUE(client.is_closed_by_peer());
}

TEST(Http1, AnythingButHttpIsHungUpOn) {
  TestServer server;
  for (const std::string_view text :
       {std::string_view("EHLO there\r\n\r\n"), std::string_view("\x16\x03\x01\x02", 4)}) {
    Client client(server.port());
    client.send(text);
    EXPECT_EQ(client.read_to_end(), "");
  }
}

TEST(Bounds, ASpentBudgetIs503AndIsGivenBack) {
  TestServer server({}, 256 * 1024);
  const std::int64_t all = server.budget().left();
  Client client(server.port());
  client.send(post(std::string(1 << 20, 'x')));
  EXPECT_EQ(client.read_answer().status, 503);
  EXPECT_TRUE(client.is_closed_by_peer());
  EXPECT_TRUE(server.eventually([&] { return server.budget().left() == all; }));
  Client next(server.port());
  next.send(post(std::string(100 * 1024, 'x')));
  EXPECT_EQ(next.read_answer().status, 200);
  EXPECT_TRUE(server.eventually([&] { return server.budget().left() == all; }));
}

TEST(Bounds, AnAnswerBeyondTheBudgetIs503) {
  TestServer server({}, 256 * 1024);
  const std::int64_t all = server.budget().left();
  Client client(server.port());
  client.send(get("/bytes/1000000"));
  EXPECT_EQ(client.read_answer().status, 503);
  client.send(get("/bytes/1000"));
  EXPECT_EQ(client.read_answer().body.size(), 1000u);
  EXPECT_TRUE(server.eventually([&] { return server.budget().left() == all; }));
}

TEST(Bounds, AClientThatGoesInTheMiddleOfABodyGivesItsBudgetBack) {
  TestServer server({}, 1 << 20);
  const std::int64_t all = server.budget().left();
  std::optional<Client> client(std::in_place, server.port());
  client->send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\n" + std::string(300'000, 'x'));
  EXPECT_TRUE(server.eventually([&] { return server.budget().left() < all; }));
  client.reset();
  EXPECT_TRUE(server.eventually([&] { return server.budget().left() == all; }));
}

TEST(Bounds, ConnectionsBeyondTheMostAreClosedAtOnce) {
  ServerOptions options;
  options.connections_max = 2;
  TestServer server(options);
  std::optional<Client> a(std::in_place, server.port());
  Client b(server.port());
  a->send(kGet);
  b.send(kGet);
  EXPECT_EQ(a->read_answer().status, 200);
  EXPECT_EQ(b.read_answer().status, 200);
  Client refused(server.port());
  EXPECT_TRUE(refused.is_closed_by_peer());
  a.reset();
  EXPECT_TRUE(server.eventually([&] { return server.connection_count() == 1; }));
  Client again(server.port());
  again.send(kGet);
  EXPECT_EQ(again.read_answer().status, 200);
}

ServerOptions impatient() {
  ServerOptions options;
  options.header_timeout = Milliseconds(50);
  options.idle_timeout = Milliseconds(50);
  options.write_timeout = Milliseconds(50);
  return options;
}

TEST(Timeouts, AConnectionThatSaysNothingIsClosed) {
  TestServer server(impatient());
  Client client(server.port());
  EXPECT_EQ(client.read_to_end(), "");
}

TEST(Timeouts, AHeadThatDoesNotEndIsCutOff) {
  TestServer server(impatient());
  Client client(server.port());
  client.send("GET / HTTP/1.1\r\nHost:");
  EXPECT_TRUE(client.is_closed_by_peer());
}

// The first request's handler is not on the clock; what came behind it is, once it is answered.
TEST(Timeouts, AHeadThatBeginsInThePacketOfAnotherRequestIsCutOffToo) {
  TestServer server(impatient());
  Client client(server.port());
  client.send(std::string(kGet) + "GET / HT");
  EXPECT_EQ(client.read_answer().status, 200);
  EXPECT_TRUE(client.is_closed_by_peer());
}

TEST(Timeouts, AnIdleConnectionIsClosedAfterItsLastAnswer) {
  TestServer server(impatient());
  Client client(server.port());
  client.send(kGet);
  EXPECT_EQ(client.read_answer().status, 200);
  EXPECT_TRUE(client.is_closed_by_peer());
}

TEST(Timeouts, ASlowHandlerIsNotOnTheClock) {
  TestServer server(impatient());
  Client client(server.port());
  client.send(get("/held"));
  ASSERT_TRUE(server.eventually([&] { return server.held() == 1; }));
  Client witness(server.port());  // closed by a sweep that came after the deadline of both
  EXPECT_TRUE(witness.is_closed_by_peer());
  server.release();
  EXPECT_EQ(client.read_answer().body, "/held");
}

TEST(Timeouts, APeerThatDoesNotReadIsDropped) {
  TestServer server(impatient(), 256 << 20);
  Client client(server.port());
  client.send(get("/bytes/64000000"));
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(server.eventually([&] { return server.connection_count() == 0; }));
}

TEST(Timeouts, AnIdleHttp2ConnectionIsClosed) {
  TestServer server(impatient());
  Http2Client client(server.port());
  client.run_until([] { return false; });
  EXPECT_TRUE(client.is_closed());
}

TEST(Drain, RequestsInFlightFinishAndNewConnectionsAreRefused) {
  TestServer server;
  Client busy(server.port());
  Client idle(server.port());
  idle.send(kGet);
  EXPECT_EQ(idle.read_answer().status, 200);
  busy.send(get("/held"));
  ASSERT_TRUE(server.eventually([&] { return server.held() == 1; }));
  server.begin_drain();
  EXPECT_TRUE(idle.is_closed_by_peer());
  EXPECT_TRUE(server.eventually([&] { return !can_connect(server.port()); }));
  server.release();
  const Answer answer = busy.read_answer();
  EXPECT_EQ(answer.body, "/held");
  EXPECT_THAT(to_lower(answer.head), HasSubstr("connection: close"));
  EXPECT_TRUE(busy.is_closed_by_peer());
  server.end_drain();
}

// A peer that reads slowly is in flight as well.
TEST(Drain, AnAnswerThatIsBeingSentIsSentToItsEnd) {
  TestServer server({}, 256 << 20);
  Client client(server.port());
  client.send(get("/bytes/32000000"));
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 200"));
  server.begin_drain();
  EXPECT_TRUE(server.eventually([&] { return !can_connect(server.port()); }));
  server.wait_for_loops();  // every loop has drained its connections
  EXPECT_EQ(client.read_to_end().size(), 32'000'000u);
  server.end_drain();
}

// The answers to many small requests leave together; the peer has not taken all of them when the end comes.
TEST(Drain, AnswersThatAreBeingSentTogetherAreSentToTheirEnd) {
  TestServer server({}, 256 << 20);
  Client client(server.port());
  std::string requests;
  for (int i = 0; i < 500; ++i) requests += get("/bytes/60000");
  client.send(requests);
  Answer answer = client.read_answer();
  server.begin_drain();
  EXPECT_TRUE(server.eventually([&] { return !can_connect(server.port()); }));
  server.wait_for_loops();
  while (to_lower(answer.head).find("connection: close") == std::string::npos) {
    answer = client.read_answer();
    ASSERT_EQ(answer.body.size(), 60'000u) << "the connection ended within an answer, or without saying so";
  }
  EXPECT_TRUE(client.is_closed_by_peer());
  server.end_drain();
}

TEST(Drain, ARequestWhoseBodyIsOnItsWayIsAnswered) {
  TestServer server;
  Client client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 100 "));
  server.begin_drain();
  EXPECT_TRUE(server.eventually([&] { return !can_connect(server.port()); }));
  server.wait_for_loops();
  client.send("hello");
  EXPECT_EQ(client.read_answer().body, "hello");
  server.end_drain();
}

TEST(Drain, Http2StreamsInFlightFinish) {
  TestServer server;
  Http2Client client(server.port());
  const auto stream = client.ask("/held");
  ASSERT_TRUE(client.flush());
  ASSERT_TRUE(server.eventually([&] { return server.held() == 1; }));
  server.begin_drain();
  server.release();
  EXPECT_TRUE(client.run_until([&] { return client.at(stream).closed; }));
  EXPECT_EQ(client.at(stream).body, "/held");
  client.run_until([] { return false; });
  EXPECT_TRUE(client.is_closed());
  server.end_drain();
}

TEST(Drain, WhatDoesNotFinishInTimeIsCut) {
  TestServer server;
  Client client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel");
  ASSERT_TRUE(server.eventually([&] { return server.connection_count() == 1; }));
  server.begin_drain(Milliseconds(1));
  server.end_drain();
  EXPECT_TRUE(client.is_closed_by_peer());
}

TEST(Gone, AHandlerMayEndAfterItsHttp1ClientReset) {
  TestServer server;
  std::optional<Client> client(std::in_place, server.port());
  client->send(get("/held") + get("/b"));
  ASSERT_TRUE(server.eventually([&] { return server.held() == 1; }));
  client->reset_connection();
  client.reset();
  server.release();
  EXPECT_TRUE(server.eventually([&] { return server.connection_count() == 0; }));
}

TEST(Gone, HandlersMayEndAfterTheirHttp2ClientReset) {
  TestServer server;
  std::optional<Http2Client> client(std::in_place, server.port());
  for (int i = 0; i < 10; ++i) client->ask("/held");
  ASSERT_TRUE(client->flush());
  ASSERT_TRUE(server.eventually([&] { return server.held() == 10; }));
  client->reset_connection();
  client.reset();
  EXPECT_TRUE(server.eventually([&] { return server.cancelled() == 10; }));
  server.release();
  EXPECT_TRUE(server.eventually([&] { return server.connection_count() == 0; }));
}

TEST(Gone, AResetStreamIsCancelledAndTheOthersAreNot) {
  TestServer server;
  Http2Client client(server.port());
  const auto cancelled = client.ask("/held");
  const auto kept = client.ask("/held");
  ASSERT_TRUE(client.flush());
  ASSERT_TRUE(server.eventually([&] { return server.held() == 2; }));
  client.cancel(cancelled);
  ASSERT_TRUE(client.flush());
  EXPECT_TRUE(server.eventually([&] { return server.cancelled() == 1; }));
  server.release();
  EXPECT_TRUE(client.run_until([&] { return client.at(kept).closed; }));
  EXPECT_EQ(client.at(kept).body, "/held");
}

TEST(Http2, ManyStreamsAreAnsweredOnOneConnection) {
  TestServer server;
  Http2Client client(server.port());
  std::vector<std::int32_t> streams;
  for (int i = 0; i < 90; ++i) streams.push_back(client.ask(i % 2 == 0 ? "/later" : "/at-once"));
  for (const std::int32_t stream : streams) {
    EXPECT_TRUE(client.run_until([&] { return client.at(stream).closed; }));
    EXPECT_EQ(client.at(stream).status, "200");
  }
  EXPECT_EQ(server.connection_count(), 1u);
}

TEST(Http2, BodiesBothWaysAreLargerThanTheWindows) {
  TestServer server;
  Http2Client client(server.port());
  const std::string body(3 << 20, 'x');
  const auto stream = client.ask("/echo", body);
  EXPECT_TRUE(client.run_until([&] { return client.at(stream).closed; }));
  EXPECT_TRUE(client.at(stream).body == body);
}

TEST(Http2, WhatAHandlerThrowsIsA500OfThatStreamAlone) {
  TestServer server;
  Http2Client client(server.port());
  const auto bad = client.ask("/throw");
  const auto good = client.ask("/a");
  EXPECT_TRUE(client.run_until([&] { return client.at(bad).closed && client.at(good).closed; }));
  EXPECT_EQ(client.at(bad).status, "500");
  EXPECT_EQ(client.at(good).status, "200");
}

TEST(Http2, ASpentBudgetIs503OfThatStreamAndIsGivenBack) {
  TestServer server({}, 512 * 1024);
  const std::int64_t all = server.budget().left();
  Http2Client client(server.port());
  const auto large = client.ask("/echo", std::string(2 << 20, 'x'));
  EXPECT_TRUE(client.run_until([&] { return client.at(large).closed; }));
  EXPECT_EQ(client.at(large).status, "503");
  const auto small = client.ask("/echo", "abc");
  EXPECT_TRUE(client.run_until([&] { return client.at(small).closed; }));
  EXPECT_EQ(client.at(small).body, "abc");
  EXPECT_TRUE(server.eventually([&] { return server.budget().left() == all; }));
}

TEST(Http2, AHeadBeyondTheLimitIs431) {
  ServerOptions options;
  options.h2_head_bytes_max = 2000;
  TestServer server(options);
  Http2Client client(server.port());
  const auto stream = client.ask("/" + std::string(3000, 'a'));
  EXPECT_TRUE(client.run_until([&] { return client.at(stream).closed; }));
  EXPECT_EQ(client.at(stream).status, "431");
}

TEST(BodyStreams, AnswersFlowWhileTheRequestIsStillOpen) {
  TestServer server;
  Http2Client client(server.port());
  const auto stream = client.open("/stream");
  client.write(stream, "one");
  EXPECT_TRUE(client.run_until([&] { return client.at(stream).body == "<one>"; }));
  client.write(stream, "two");
  EXPECT_TRUE(client.run_until([&] { return client.at(stream).body == "<one><two>"; }));
  client.finish(stream);
  EXPECT_TRUE(client.run_until([&] { return client.at(stream).closed; }));
  EXPECT_EQ(client.at(stream).body, "<one><two>");
  EXPECT_EQ(client.at(stream).fields["done"], "yes");
}

TEST(BodyStreams, AStreamWithoutOutputEndsWithItsTrailers) {
  TestServer server;
  Http2Client client(server.port());
  const auto stream = client.open("/stream");
  client.finish(stream);
  EXPECT_TRUE(client.run_until([&] { return client.at(stream).closed; }));
  EXPECT_EQ(client.at(stream).body, "");
  EXPECT_EQ(client.at(stream).fields["done"], "yes");
}

TEST(BodyStreams, AReaderWakesWhenItsClientGoes) {
  TestServer server;
  std::optional<Http2Client> client(std::in_place, server.port());
  client->open("/stream");
  client->open("/stream");
  ASSERT_TRUE(client->flush());
  ASSERT_TRUE(server.eventually([&] { return server.reading() == 2; }));
  client->reset_connection();
  client.reset();
  EXPECT_TRUE(server.eventually([&] { return server.reading() == 0 && server.connection_count() == 0; }));
}

TEST(BodyStreams, OverHttp1AnAnswerFlowsInChunksUntilTheClientGoes) {
  TestServer server;
  std::optional<Client> client(std::in_place, server.port());
  client->send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string head = client->read_head();
  EXPECT_NE(head.find("HTTP/1.1 200 OK"), std::string::npos) << head;
  EXPECT_NE(head.find("Transfer-Encoding: chunked"), std::string::npos) << head;
  EXPECT_NE(head.find("X-Kind: events"), std::string::npos) << head;
  std::string body;
  while (body.size() < 100) body += client->receive();
  EXPECT_TRUE(body.starts_with("6\r\nevent\n\r\n6\r\nevent\n\r\n")) << body;
  client.reset();
  EXPECT_TRUE(server.eventually([&] { return server.telling() == 0 && server.connection_count() == 0; }));
}

TEST(BodyStreams, OverHttp1ADrainEndsTheAnswerWithItsLastChunk) {
  TestServer server;
  Client client(server.port());
  client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
  client.read_head();
  server.begin_drain();
  const std::string body = client.read_to_end();
  EXPECT_TRUE(body.ends_with("\r\n0\r\n\r\n")) << body;
  server.end_drain();
  EXPECT_EQ(server.telling(), 0);
}

TEST(BodyStreams, OverHttp10TheAnswerHasNoChunks) {
  TestServer server;
  Client client(server.port());
  client.send("GET /events HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.read_head().find("chunked"), std::string::npos);
  EXPECT_TRUE(client.receive().starts_with("event\n"));
}

TEST(BodyStreams, OverHttp1AStreamThatWasNotBegunIsAPlainAnswer) {
  TestServer server;
  Client client(server.port());
  client.send("GET /refused-stream HTTP/1.1\r\nHost: a\r\n\r\n");
  const Answer answer = client.read_answer();
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(answer.body, "no");
  client.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "/next");
}

// What was written to clients that do not read: as much as the sockets take.
void expect_flood_to_stop(TestServer& server) {
  ASSERT_TRUE(server.eventually([&] { return server.flooded() > 0; }));
  std::uint64_t before = 0;
  EXPECT_TRUE(server.eventually([&] {
    server.wait_for_loops();
    return std::exchange(before, server.flooded()) == server.flooded();
  }));
  EXPECT_LT(server.flooded() * 16 * 1024, 64U << 20);
  EXPECT_EQ(server.telling(), 1);
}

TEST(BodyStreams, AClientThatDoesNotReadStopsTheWriter) {
  {
    TestServer server;
    Client client(server.port());
    client.send("GET /flood HTTP/1.1\r\nHost: a\r\n\r\n");
    expect_flood_to_stop(server);
  }
  TestServer server;
  Http2Client client(server.port());
  client.ask("/flood");
  ASSERT_TRUE(client.flush());
  expect_flood_to_stop(server);
}

TEST(BodyStreams, OverHttp2ADrainEndsTheAnswer) {
  TestServer server;
  Http2Client client(server.port());
  const auto stream = client.ask("/events");
  EXPECT_TRUE(client.run_until([&] { return client.at(stream).body.starts_with("event\nevent\n"); }));
  EXPECT_EQ(client.at(stream).fields["x-kind"], "events");
  server.begin_drain();
  EXPECT_TRUE(client.run_until([&] { return client.at(stream).closed; }));
  server.end_drain();
  EXPECT_EQ(server.telling(), 0);
}

TEST(BodyStreams, AReaderWakesWhenItsStreamIsReset) {
  TestServer server;
  Http2Client client(server.port());
  const auto stream = client.open("/stream");
  ASSERT_TRUE(client.flush());
  ASSERT_TRUE(server.eventually([&] { return server.reading() == 1; }));
  client.cancel(stream);
  ASSERT_TRUE(client.flush());
  EXPECT_TRUE(server.eventually([&] { return server.reading() == 0; }));
}

TEST(Upgrade, AnHttp1ConnectionBecomesHttp2AndTheRequestItsFirstStream) {
  TestServer server;
  Client client(server.port());
  client.send(
      "GET /first HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
      "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n");
  EXPECT_THAT(client.read_head(), StartsWith("HTTP/1.1 101 "));
  Http2Client upgraded(std::move(client), "AAMAAABkAAQAAP__");
  EXPECT_TRUE(upgraded.run_until([&] { return upgraded.at(1).closed; }));
  EXPECT_EQ(upgraded.at(1).body, "/first");
  const auto second = upgraded.ask("/second");
  EXPECT_TRUE(upgraded.run_until([&] { return upgraded.at(second).closed; }));
  EXPECT_EQ(upgraded.at(second).body, "/second");
}

TEST(Upgrade, WithoutHttp2TheRequestIsAnsweredAsItIs) {
  ServerOptions options;
  options.h2 = false;
  TestServer server(options);
  Client client(server.port());
  client.send(
      "GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
      "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n");
  EXPECT_EQ(client.read_answer().body, "/a");
}

struct Folder {
  std::filesystem::path path = [] {
    std::string name = (std::filesystem::temp_directory_path() / "holdfast-net-XXXXXX").string();
    return std::filesystem::path(::mkdtemp(name.data()));
  }();
  ~Folder() { std::filesystem::remove_all(path); }
};

TEST(Listening, AUnixSocketThatNobodyListensOnIsReplaced) {
  const Folder folder;
  const std::string path = folder.path / "s.socket";
  leave_stale_socket(path);
  ASSERT_TRUE(std::filesystem::exists(path));
  TestServer server({}, kDefaultBudget, path);
  Client client(path);
  client.send(kGet);
  EXPECT_EQ(client.read_answer().status, 200);
}

TEST(Listening, AUnixSocketThatIsListenedOnIsLeftAlone) {
  const Folder folder;
  const std::string path = folder.path / "s.socket";
  const TestServer server({}, kDefaultBudget, path);
  Loop loop;
  EchoHandler handler(loop);
  Budget budget(kDefaultBudget);
  Server second({&loop}, {&handler}, budget, {});
  const Status refused = second.listen_unix(path);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr(path));
  Client client(path);
  client.send(kGet);
  EXPECT_EQ(client.read_answer().status, 200);
}

TEST(Listening, ARequestSaysWhereItsClientIs) {
  const Folder folder;
  const std::string path = folder.path / "s.socket";
  TestServer server({}, kDefaultBudget, path);
  Client tcp(server.port());
  Client local(path);
  for (int i = 0; i < 2; ++i) {  // also the second one of a connection
    tcp.send(get("/peer"));
    EXPECT_EQ(tcp.read_answer().body, "loopback");
    local.send(get("/peer"));
    EXPECT_EQ(local.read_answer().body, "unix socket");
  }
  Http2Client multiplexed(server.port());
  const auto stream = multiplexed.ask("/peer");
  EXPECT_TRUE(multiplexed.run_until([&] { return multiplexed.at(stream).closed; }));
  EXPECT_EQ(multiplexed.at(stream).body, "loopback");
}

TEST(Listening, APortInUseIsNamed) {
  const TestServer server;
  Loop loop;
  EchoHandler handler(loop);
  Budget budget(kDefaultBudget);
  Server second({&loop}, {&handler}, budget, {});
  const auto refused = second.listen_tcp("127.0.0.1", server.port());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr(fmt::format("127.0.0.1:{}", server.port())));
  EXPECT_FALSE(second.listen_tcp("localhost", 0)) << "names are not looked up";
}

// Both timers are due in the same turn of the loop, and the first takes back the second.
TEST(Loops, ATimerThatIsCancelledDoesNotRunThoughItIsDue) {
  Loop loop;
  bool ran = false;
  Scheduler::TimerId second = 0;
  loop.post([&] {
    loop.after(Milliseconds(1), [&loop, &second] { loop.cancel(second); });
    second = loop.after(Milliseconds(1), [&ran] { ran = true; });
    loop.after(Milliseconds(1), [&loop] { loop.stop(); });
    const auto due = std::chrono::steady_clock::now() + Milliseconds(5);
    while (std::chrono::steady_clock::now() < due) continue;
  });
  loop.run();
  EXPECT_FALSE(ran);
}

TEST(Loops, ConnectionsAreSpreadOverTheLoops) {
  TestServer server;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<Client>(server.port()));
    clients.back()->send(get("/loop"));
  }
  int first = 0;
  for (const auto& client : clients) first += client->read_answer().body == "0" ? 1 : 0;
  EXPECT_EQ(first, 4);
}

}  // namespace
}  // namespace holdfast::net::testing
