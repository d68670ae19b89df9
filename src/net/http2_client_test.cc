#include "net/http2_client.h"

#include <filesystem>

#include "net/http2_client_testing.h"
#include "net/server_testing.h"

namespace holdfast::net::http2_testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using TestServer = net::testing::TestServer;

class Http2ClientTest : public ClientTest<Http2Client> {
 protected:
  Answer ask(std::string path, std::string body = "", Milliseconds within = kAmple) {
    return on<Answer>([=, this] { return http2_testing::ask(*client_, path, body, in(within)); });
  }
  Result<Http2Answer> ask_whole(std::string path, Milliseconds within = kAmple) {
    return on<Result<Http2Answer>>(
        [=, this] { return http2_testing::ask_whole(*client_, {.method = "GET", .path = path}, in(within)); });
  }
  std::vector<Answer> ask_all(std::vector<std::string> paths, Milliseconds within = kAmple) {
    return on<std::vector<Answer>>([=, this] { return http2_testing::ask_all(*client_, paths, in(within)); });
  }
  void open(std::string path, std::string body = "") {
    call<bool>([&] {
      stream_ = client_->open({.path = path, .body = body});
      return true;
    });
  }
  // Begins a read that take() waits for.
  void begin_read() {
    auto arrived = std::make_shared<std::promise<Answer>>();
    reading_ = arrived->get_future();
    call<bool>([&] {
      start(read_once(*stream_), [arrived](Answer answer) { arrived->set_value(std::move(answer)); });
      return true;
    });
  }
  Answer take() { return reading_.get(); }
  Answer read() {
    begin_read();
    return take();
  }
  // Until so many bytes have come, or the end.
  std::string read_bytes(std::size_t bytes) {
    std::string all;
    while (all.size() < bytes) {
      const Answer more = read();
      if (!more || more->empty()) break;
      all += *more;
    }
    return all;
  }
  void drop_stream() {
    call<bool>([this] {
      stream_.reset();
      return true;
    });
  }
  ~Http2ClientTest() override {
    drop_stream();
    close();
  }

  static Task<Answer> read_once(Http2ClientStream& stream) { co_return co_await stream.read(); }

  Http2Peer* peer_ = nullptr;
  std::unique_ptr<Http2ClientStream> stream_;
  std::future<Answer> reading_;
};

TEST_F(Http2ClientTest, AnAnswerHasItsStatusFieldsBodyAndTrailers) {
  Http2Peer peer({[](PeerConnection& peer) {
    peer.send(settings());
    peer.wait_for(NGHTTP2_HEADERS);
    peer.send(headers(1, {{":status", "404"}, {"x-kind", "a"}}) + data(1, "hel") + data(1, "lo") +
              headers(1, {{"x-end", "b"}}, Last::yes));
    peer.wait_for_end();
  }});
  make(peer.port());
  const auto answer = ask_whole("/");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 404);
  EXPECT_EQ(answer->headers.find("x-kind"), "a");
  EXPECT_EQ(answer->body, "hello");
  EXPECT_EQ(answer->trailers.find("x-end"), "b");
  EXPECT_FALSE(answer->headers.has(":status"));
}

TEST_F(Http2ClientTest, OurServerUnderstandsWhatIsAskedAndItsAnswersAreUnderstood) {
  TestServer server;
  make(server.port());
  EXPECT_EQ(ask("/a"), "/a");
  EXPECT_EQ(ask("/b", "a body"), "a body");
  EXPECT_EQ(ask("/later"), "/later");
  EXPECT_EQ(ask("/bytes/3000000"), std::string(3'000'000, 'x'));
  const std::string large(3'000'000, 'r');
  EXPECT_EQ(ask("/c", large), large);
  EXPECT_EQ(ask_whole("/throw")->status, 500);
}

TEST_F(Http2ClientTest, OverAUnixSocket) {
  std::string folder = (std::filesystem::temp_directory_path() / "holdfast-http2-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  {
    TestServer server({}, net::testing::kDefaultBudget, folder + "/socket");
    auto options = options_for(0);
    options.endpoint = {"", 0, folder + "/socket"};
    make(std::move(options));
    EXPECT_EQ(ask("/peer"), "unix socket");
    close();
  }
  std::filesystem::remove_all(folder);
}

TEST_F(Http2ClientTest, MoreCallsThanTheServerTakesAtATimeAreAllAnswered) {
  TestServer server;  // 100 streams
  make(server.port());
  std::vector<std::string> paths;
  for (int i = 0; i < 1000; ++i) paths.push_back(i % 3 == 0 ? "/later" : "/bytes/" + std::to_string(i));
  const auto answers = ask_all(paths);
  for (std::size_t i = 0; i < answers.size(); ++i)
    EXPECT_EQ(answers[i], i % 3 == 0 ? "/later" : std::string(i, 'x')) << message_of(answers[i]);
  EXPECT_EQ(lost_, 0);
}

TEST_F(Http2ClientTest, NoMoreStreamsAreOpenThanTheServerAllows) {
  std::atomic<std::size_t> most = 0;
  Http2Peer peer({[&most](PeerConnection& peer) {
    peer.send(settings(setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2)));
    std::deque<std::int32_t> open;
    for (int asked = 0; asked < 40;) {
      const Frame got = peer.wait_for(NGHTTP2_HEADERS);
      if (got.type < 0) return;
      ++asked;
      open.push_back(got.stream);
      most = std::max(most.load(), open.size());
      for (; open.size() >= 2 || (asked == 40 && !open.empty()); open.pop_front())
        peer.send(answer_of(open.front(), "yes"));
    }
    peer.wait_for_end();
  }});
  make(peer.port());
  for (const Answer& answer : ask_all(std::vector<std::string>(40, "/"))) EXPECT_EQ(answer, "yes");
  EXPECT_EQ(most, 2u);
}

TEST_F(Http2ClientTest, WhatIsAskedInOneTurnOfTheLoopComesWithNothingInBetween) {
  std::vector<int> types;
  Http2Peer peer({[&types](PeerConnection& peer) {
    peer.send(settings());
    peer.wait_for(NGHTTP2_HEADERS);
    peer.send(answer_of(1, "first"));
    for (int i = 0; i < 5; ++i) types.push_back(peer.next().type);
    for (int i = 0; i < 5; ++i) peer.send(answer_of(3 + 2 * i, "more"));
    peer.wait_for_end();
  }});
  make(peer.port());
  EXPECT_EQ(ask("/"), "first");
  for (const Answer& answer : ask_all(std::vector<std::string>(5, "/"))) EXPECT_EQ(answer, "more");
  // The acknowledgement of SETTINGS went with the first request.
  EXPECT_EQ(std::count(types.begin(), types.end(), NGHTTP2_HEADERS), 5);
}

TEST_F(Http2ClientTest, AnAnswerSplitAtEveryByteIsTheSame) {
  const std::string answer = headers(1, {{":status", "200"}, {"a", "b"}}) + data(1, "hello", Last::yes);
  Http2Peer peer({[&](PeerConnection& peer) {
    for (const char c : settings()) peer.send({&c, 1});
    peer.wait_for(NGHTTP2_HEADERS);
    for (const char c : answer) peer.send({&c, 1});
    peer.wait_for_end();
  }});
  make(peer.port());
  EXPECT_EQ(ask("/"), "hello");
}

TEST_F(Http2ClientTest, ARequestThatIsLargerThanAnyWindowArrivesWhole) {
  std::atomic<std::size_t> received = 0;
  Http2Peer peer({[&](PeerConnection& peer) {
    peer.send(settings());
    for (;;) {
      const Frame got = peer.wait_for(NGHTTP2_DATA);
      if (got.type < 0) return;
      received += got.payload.size();
      if ((got.flags & NGHTTP2_FLAG_END_STREAM) != 0) peer.send(answer_of(1, "thanks"));
      if (got.payload.empty()) continue;
      const auto size = static_cast<std::uint32_t>(got.payload.size());
      peer.send(window_update(0, size) + window_update(1, size));
    }
  }});
  make(peer.port());
  EXPECT_EQ(ask("/", std::string(8 << 20, 'b')), "thanks");
  EXPECT_EQ(received, std::size_t{8 << 20});
}

TEST_F(Http2ClientTest, AnAnswerBeforeTheEndOfTheRequestIsTheAnswer) {
  Http2Peer peer({[](PeerConnection& peer) {
    peer.send(settings());
    peer.wait_for(NGHTTP2_HEADERS);
    peer.send(answer_of(1, "too much"));
    peer.wait_for(NGHTTP2_RST_STREAM, 1);  // and the rest of the request does not come
    peer.wait_for(NGHTTP2_HEADERS, 3);
    peer.send(answer_of(3, "next"));
    peer.wait_for_end();
  }});
  make(peer.port());
  EXPECT_EQ(ask("/", std::string(8 << 20, 'b')), "too much");
  EXPECT_EQ(ask("/"), "next");
}

TEST_F(Http2ClientTest, ADeadlineThatPassesBeforeSendingSaysThatNothingWasSent) {
  Http2Peer peer({[&](PeerConnection& peer) {
    peer.send(settings(setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0)));
    peer.wait_for_go();
    peer.send(settings(setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 10)));
    EXPECT_EQ(peer.wait_for(NGHTTP2_HEADERS).stream, 1);
    peer.send(answer_of(1, "yes"));
    peer.wait_for_end();
  }});
  make(peer.port());
  ASSERT_TRUE(connect());
  const Answer late = ask("/", "", Milliseconds(30));
  EXPECT_EQ(code_of(late), Errc::deadline_exceeded);
  EXPECT_EQ(code_of(ask("/", "", Milliseconds(-1000))), Errc::deadline_exceeded);
  peer.go();
  EXPECT_EQ(ask("/"), "yes");
}

TEST_F(Http2ClientTest, ADeadlineThatPassesAfterSendingStopsTheServerAndTheOutcomeIsUnknown) {
  Http2Peer peer({[](PeerConnection& peer) {
    peer.send(settings());
    peer.wait_for(NGHTTP2_HEADERS);
    EXPECT_EQ(peer.wait_for(NGHTTP2_RST_STREAM).payload, number(NGHTTP2_CANCEL, 4));
    peer.send(answer_of(1, "late"));
    peer.wait_for(NGHTTP2_HEADERS, 3);
    peer.send(answer_of(3, "in time"));
    peer.wait_for_end();
  }});
  make(peer.port());
  ASSERT_TRUE(connect());
  const Answer late = ask("/", "", Milliseconds(30));
  EXPECT_EQ(code_of(late), Errc::outcome_unknown);
  EXPECT_THAT(message_of(late), HasSubstr("the time was up"));
  EXPECT_EQ(ask("/"), "in time");
  EXPECT_EQ(lost_, 0);
}

Task<bool> forget(Http2Client& client) {
  {
    const auto forgotten = client.call({.path = "/forgotten"}, in(kAmple));
  }
  co_return true;
}

TEST_F(Http2ClientTest, ACallThatNobodyAwaitsIsNotSent) {
  Http2Peer peer({answering("yes")});
  make(peer.port());
  ASSERT_TRUE(connect());
  on<bool>([this] { return forget(*client_); });
  EXPECT_EQ(call<std::size_t>([this] { return client_->in_flight(); }), 0u);
  EXPECT_EQ(ask("/"), "yes");
}

TEST_F(Http2ClientTest, BoundsAreReachedAtOnce) {
  Http2Peer peer({[](PeerConnection& peer) {
    peer.send(settings(setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0)));
    peer.wait_for_go();
    peer.send(settings(setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100)));
    for (int i = 0; i < 2; ++i) peer.send(answer_of(peer.wait_for(NGHTTP2_HEADERS).stream, "yes"));
    peer.wait_for_end();
  }});
  auto options = options_for(peer.port());
  options.requests_max = 2;
  make(std::move(options));
  ASSERT_TRUE(connect());
  auto answers = std::async([&] { return ask_all({"/1", "/2", "/3"}); });
  ASSERT_TRUE(eventually([this] { return client_->in_flight() == 2; }));
  const Answer fourth = ask("/4");
  EXPECT_EQ(code_of(fourth), Errc::overloaded);
  EXPECT_THAT(message_of(fourth), HasSubstr("2 requests of 4 bytes wait for 127.0.0.1:"));
  peer.go();
  const auto got = answers.get();
  EXPECT_EQ(got[0], "yes");
  EXPECT_EQ(got[1], "yes");
  EXPECT_EQ(code_of(got[2]), Errc::overloaded);
}

TEST_F(Http2ClientTest, AStreamFlowsBothWaysAndHasTrailers) {
  TestServer server;
  make(server.port());
  open("/stream", "first");
  EXPECT_EQ(read_bytes(7), "<first>");
  EXPECT_TRUE(call<bool>([this] { return stream_->write("second"); }));
  EXPECT_EQ(read_bytes(8), "<second>");
  EXPECT_EQ(call<int>([this] { return stream_->answer().status; }), 200);
  EXPECT_EQ(call<std::size_t>([this] { return client_->in_flight(); }), 0u) << "a stream is no call";
  call<bool>([this] {
    stream_->end_writing();
    return true;
  });
  EXPECT_EQ(read(), "");
  EXPECT_EQ(call<std::string>([this] { return std::string(stream_->answer().trailers.find("done")); }), "yes");
  EXPECT_FALSE(call<bool>([this] { return stream_->write("more"); }));
}

TEST_F(Http2ClientTest, AStreamThatIsDroppedIsCancelledAtTheServer) {
  TestServer server;
  make(server.port());
  open("/events");
  ASSERT_TRUE(read());
  EXPECT_EQ(server.telling(), 1);
  drop_stream();
  EXPECT_TRUE(server.eventually([&] { return server.telling() == 0; }));
  EXPECT_EQ(ask("/a"), "/a");
  EXPECT_EQ(lost_, 0);
}

TEST_F(Http2ClientTest, CancelEndsTheReadThatWaitsAndWhatHadComeCanStillBeRead) {
  TestServer server;
  make(server.port());
  open("/stream");
  begin_read();
  call<bool>([this] {
    stream_->cancel();
    return true;
  });
  EXPECT_EQ(code_of(take()), Errc::unavailable);
  EXPECT_EQ(code_of(read()), Errc::unavailable);
}

TEST_F(Http2ClientTest, AStreamThatNobodyReadsHoldsOneMebibyteAndHoldsUpNobody) {
  const std::string piece(16384, 'p');
  Http2Peer peer({[&](PeerConnection& peer) {
    peer.wait_for(NGHTTP2_SETTINGS);
    peer.send(settings() + settings_ack());
    peer.wait_for(NGHTTP2_HEADERS, 1);
    peer.send(headers(1, {{":status", "200"}}));
    for (int i = 0; i < 64; ++i) peer.send(data(1, piece));
    for (Frame got = peer.next(); got.type != NGHTTP2_HEADERS; got = peer.next()) {
      EXPECT_FALSE(got.type == NGHTTP2_WINDOW_UPDATE && got.stream == 1) << "nobody has read";
      if (got.type < 0) return;
    }
    peer.send(headers(3, {{":status", "200"}}));
    for (int i = 0; i < 32; ++i) peer.send(data(3, piece));
    peer.send(data(3, "", Last::yes));
    peer.wait_for(NGHTTP2_WINDOW_UPDATE, 1);
    peer.send(data(1, "the rest", Last::yes));
    peer.wait_for_end();
  }});
  make(peer.port());
  open("/flood");
  EXPECT_EQ(ask("/")->size(), 32 * piece.size());
  EXPECT_EQ(read_bytes(1 << 20).size(), std::size_t{1 << 20});
  EXPECT_EQ(read_bytes(8), "the rest");
  EXPECT_EQ(read(), "");
}

TEST_F(Http2ClientTest, OurServerStopsFloodingAStreamThatNobodyReads) {
  TestServer server;
  make(server.port());
  open("/flood");
  EXPECT_FALSE(read_bytes(1).empty());
  for (int i = 0; i < 50; ++i) EXPECT_EQ(ask("/bytes/100000"), std::string(100'000, 'x'));
  EXPECT_LE(server.flooded(), 2u * 64 + 2);  // each read has opened the window anew
  EXPECT_GE(read_bytes(8 << 20).size(), 8u << 20);
  drop_stream();
  EXPECT_TRUE(server.eventually([&] { return server.telling() == 0; }));
}

TEST_F(Http2ClientTest, CloseWaitsForTheAnswersThatAreDueAndEndsTheStreams) {
  Http2Peer peer({[&](PeerConnection& connection) {
    connection.send(settings());
    connection.wait_for(NGHTTP2_HEADERS, 1);
    connection.wait_for(NGHTTP2_HEADERS, 3);
    peer_->note("asked");
    connection.wait_for(NGHTTP2_RST_STREAM, 1);  // close() has begun
    connection.send(answer_of(3, "in the end"));
    EXPECT_EQ(connection.wait_for(NGHTTP2_GOAWAY).payload.substr(4, 4), number(NGHTTP2_NO_ERROR, 4));
    peer_->note("goodbye");
    connection.wait_for_end();
  }});
  peer_ = &peer;
  make(peer.port());
  open("/stream");
  begin_read();
  auto answer = std::async([this] { return ask("/"); });
  ASSERT_TRUE(peer.wait_for_note("asked"));
  on<bool>([this] { return close_task(*client_, kAmple); });
  EXPECT_EQ(answer.get(), "in the end");
  EXPECT_TRUE(peer.wait_for_note("goodbye"));
  EXPECT_EQ(code_of(take()), Errc::unavailable);
  const Answer after = ask("/");
  EXPECT_EQ(code_of(after), Errc::unavailable);
  EXPECT_THAT(message_of(after), HasSubstr("was closed, because it is not needed any more"));
  drop_stream();
  EXPECT_EQ(lost_, 0);
}

TEST_F(Http2ClientTest, CloseGivesUpWhatIsNotAnsweredInTime) {
  Http2Peer peer({[](PeerConnection& connection) {
    connection.send(settings(setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1)));
    connection.wait_for_end();
  }});
  make(peer.port());
  auto answers = std::async([this] { return ask_all({"/sent", "/waits"}); });
  ASSERT_TRUE(eventually([this] { return client_->is_connected() && client_->in_flight() == 2; }));
  on<bool>([] { return ready(true); });  // the turn in which they leave
  on<bool>([this] { return close_task(*client_, Milliseconds(50)); });
  const auto got = answers.get();
  EXPECT_EQ(code_of(got[0]), Errc::outcome_unknown);
  EXPECT_EQ(code_of(got[1]), Errc::unavailable);
}

class Http2ClientTlsTest : public Http2ClientTest {
 protected:
  void make_with(std::uint16_t port, TlsClientOptions tls) {
    tls.alpn = "h2";
    const auto context = TlsClientContext::make(std::move(tls));
    ASSERT_TRUE(context) << context.error().message;
    auto options = options_for(port);
    options.tls = *context;
    make(std::move(options));
  }
  std::string outcome(const PeerTls& tls, TlsClientOptions options) {
    Http2Peer peer({answering("yes")}, tls.context());
    make_with(peer.port(), std::move(options));
    const Answer got = ask("/");
    close();
    return got ? *got : got.error().message;
  }

  const test::Identity server_ = test::make_identity("server", "DNS:localhost,IP:127.0.0.1");
};

TEST_F(Http2ClientTlsTest, H2IsOfferedAndAServerMayChooseItOrNothing) {
  const PeerTls chooses(server_, "h2");
  EXPECT_EQ(outcome(chooses, {.ca_pem = server_.certificate}), "yes");
  EXPECT_EQ(chooses.offered(), "\x02h2");
  EXPECT_EQ(outcome(PeerTls(server_, ""), {.ca_pem = server_.certificate}), "yes");
}

TEST_F(Http2ClientTlsTest, AServerThatChoosesAnotherProtocolIsTheReason) {
  EXPECT_THAT(outcome(PeerTls(server_, "http/1.1"), {.ca_pem = server_.certificate}),
              AllOf(HasSubstr("cannot connect to 127.0.0.1:"), HasSubstr("TLS: ")));
}

TEST_F(Http2ClientTlsTest, AServerThatAsksForACertificateGetsOurs) {
  const test::Identity us = test::make_identity("us");
  const PeerTls peer(server_, "h2", &us);
  EXPECT_EQ(outcome(peer, {.ca_pem = server_.certificate, .certificate_pem = us.certificate, .key_pem = us.key}),
            "yes");
  EXPECT_THAT(outcome(peer, {.ca_pem = server_.certificate}), HasSubstr("TLS: tlsv13 alert certificate required"));
}

TEST_F(Http2ClientTlsTest, LargeBodiesGoBothWays) {
  const PeerTls tls(server_, "h2");
  Http2Peer peer(
      {[](PeerConnection& peer) {
        peer.send(settings(setting(NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 16 << 20)) + window_update(0, 16 << 20));
        while (true) {
          const Frame got = peer.wait_for(NGHTTP2_DATA);
          if (got.type < 0) return;
          if ((got.flags & NGHTTP2_FLAG_END_STREAM) != 0) break;
        }
        peer.send(headers(1, {{":status", "200"}}));
        for (int i = 0; i < 50; ++i) peer.send(data(1, std::string(16384, 'a')));
        peer.send(data(1, "", Last::yes));
        peer.wait_for_end();
      }},
      tls.context());
  make_with(peer.port(), {.ca_pem = server_.certificate});
  EXPECT_EQ(ask("/", std::string(6 << 20, 'b')), std::string(50 * 16384, 'a'));
}

}  // namespace
}  // namespace holdfast::net::http2_testing
