// Connections that cannot be made, that are lost, given up or left, and servers that break the protocol.
#include "net/http2_client.h"
#include "net/http2_client_session.h"
#include "net/http2_client_testing.h"
#include "net/server_testing.h"

namespace holdfast::net::http2_testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class Http2ClientLossTest : public ClientTest<Http2Client> {
 protected:
  Answer ask(std::string path = "/", std::string body = "", Milliseconds within = kAmple) {
    return on<Answer>([=, this] { return http2_testing::ask(*client_, path, body, in(within)); });
  }
  std::future<Answer> begin(std::string path = "/", std::string body = "") {
    auto answered = std::make_shared<std::promise<Answer>>();
    loop_.post([=, this] {
      start(http2_testing::ask(*client_, path, body, in(kAmple)),
            [answered](Answer answer) { answered->set_value(std::move(answer)); });
    });
    return answered->get_future();
  }
  // What asking comes to, of a peer that says hello and this.
  Answer outcome(std::string said) {
    Http2Peer peer({[&](PeerConnection& peer) {
      peer.send(settings());
      peer.wait_for(NGHTTP2_HEADERS);
      peer.send(said);
      peer.wait_for_end();
    }});
    make(peer.port());
    Answer answer = ask();
    EXPECT_FALSE(answer);
    EXPECT_EQ(code_of(answer), Errc::outcome_unknown);
    close();
    return answer;
  }
  // What it is told of a peer that says this first.
  std::string refusal(std::string said, bool and_hangs_up = false) {
    Http2Peer peer({[&](PeerConnection& peer) {
      peer.send(said);
      if (!and_hangs_up) peer.wait_for_end();
    }});
    auto options = options_for(peer.port());
    options.connect_timeout = Milliseconds(200);
    make(std::move(options));
    const Answer answer = ask();
    EXPECT_EQ(code_of(answer), Errc::unavailable);
    EXPECT_FALSE(connect(Milliseconds(20)));
    close();
    return message_of(answer);
  }
};

TEST_F(Http2ClientLossTest, APeerThatDiesAtAnyByteOfItsAnswerLeavesNobodyWaitingAndNothingWrong) {
  const std::string hello = settings();
  const std::string whole = hello + headers(1, {{":status", "200"}}) + data(1, "hel") + data(1, "lo", Last::yes);
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    SCOPED_TRACE(cut);
    Http2Peer peer({[&](PeerConnection& peer) {
                      peer.send(whole.substr(0, std::min(cut, hello.size())));
                      if (cut < hello.size()) return;
                      peer.wait_for(NGHTTP2_HEADERS);
                      peer.send(whole.substr(hello.size(), cut - hello.size()));
                    },
                    answering("again")});
    make(peer.port());
    const Answer answer = ask();
    if (cut < hello.size()) {
      EXPECT_EQ(code_of(answer), Errc::unavailable) << message_of(answer);
    } else if (cut < whole.size()) {
      EXPECT_EQ(code_of(answer), Errc::outcome_unknown) << message_of(answer);
    } else {
      EXPECT_EQ(answer, "hello") << message_of(answer);
    }
    ASSERT_TRUE(peer.wait_for_connections(2)) << "by itself";
    ASSERT_TRUE(connect());
    EXPECT_EQ(ask(), "again");
    close();
  }
}

TEST_F(Http2ClientLossTest, WhatWasSentFailsWithTheConnectionAndWhatWasNotGoesOnTheNext) {
  Http2Peer peer({[](PeerConnection& peer) {
                    peer.send(settings(setting(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 1)));
                    peer.wait_for(NGHTTP2_HEADERS);
                    peer.wait_for_go();
                  },
                  answering("second")});
  make(peer.port());
  auto sent = begin();
  auto waits = begin();
  auto waits_too = begin();
  ASSERT_TRUE(eventually([this] { return client_->is_connected() && client_->in_flight() == 3; }));
  peer.go();
  const Answer lost = sent.get();
  EXPECT_EQ(code_of(lost), Errc::outcome_unknown);
  EXPECT_EQ(message_of(lost),
            "component \"orders\" (state.etcd): a request was sent to 127.0.0.1:" + std::to_string(peer.port()) +
                " and not answered, so that it may or may not have taken effect: it closed the "
                "connection");
  EXPECT_EQ(waits.get(), "second");
  EXPECT_EQ(waits_too.get(), "second");
  EXPECT_EQ(lost_, 1);
}

TEST_F(Http2ClientLossTest, WhereNobodyListensCallsFailWithTheReason) {
  std::uint16_t port = 0;
  {
    const Http2Peer gone({});
    port = gone.port();
  }
  make(port);
  const std::string refused =
      "component \"orders\" (state.etcd): cannot connect to 127.0.0.1:" + std::to_string(port) + ": connection refused";
  for (int i = 0; i < 3; ++i) {
    const Answer answer = ask();
    EXPECT_EQ(code_of(answer), Errc::unavailable);
    EXPECT_EQ(message_of(answer), refused);
  }
  EXPECT_EQ(connect().error().message, refused);
}

TEST_F(Http2ClientLossTest, WhoDoesNotSpeakHttp2IsNotConnectedTo) {
  EXPECT_THAT(
      refusal("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
      AllOf(HasSubstr("cannot connect to 127.0.0.1:"), HasSubstr("it does not speak HTTP/2: it answers in HTTP/1.1")));
  EXPECT_THAT(refusal("+OK hello, who are you?\r\n"), HasSubstr("it does not speak HTTP/2"));
  EXPECT_THAT(refusal(frame(NGHTTP2_PING, 0, 0, "12345678")), HasSubstr("it does not speak HTTP/2"));
  EXPECT_THAT(refusal(""), HasSubstr("it did not say within 200 ms that it speaks HTTP/2"));
  EXPECT_THAT(refusal("", true), HasSubstr("it closed the connection, before it had said that it speaks HTTP/2"));
}

TEST_F(Http2ClientLossTest, ARefusedStreamWasNotProcessedAndAResetOneMayHaveBeen) {
  Http2Peer peer({[](PeerConnection& peer) {
    peer.send(settings());
    peer.wait_for(NGHTTP2_HEADERS, 1);
    peer.send(rst(1, NGHTTP2_REFUSED_STREAM));
    peer.wait_for(NGHTTP2_HEADERS, 3);
    peer.send(rst(3, NGHTTP2_INTERNAL_ERROR));
    peer.wait_for(NGHTTP2_HEADERS, 5);
    peer.send(answer_of(5, "yes") + rst(5, NGHTTP2_NO_ERROR));
    peer.wait_for_end();
  }});
  make(peer.port());
  const Answer refused = ask();
  EXPECT_EQ(code_of(refused), Errc::unavailable);
  EXPECT_THAT(message_of(refused), HasSubstr(" did not process the request and says so"));
  const Answer reset = ask();
  EXPECT_EQ(code_of(reset), Errc::outcome_unknown);
  EXPECT_THAT(message_of(reset), HasSubstr("it reset the stream: INTERNAL_ERROR"));
  EXPECT_EQ(ask(), "yes");
  EXPECT_EQ(lost_, 0);
}

TEST_F(Http2ClientLossTest, AfterGoawayWhatWasTakenIsAnsweredAndTheRestGoesElsewhere) {
  Http2Peer* notes = nullptr;
  Http2Peer peer({[&](PeerConnection& peer) {
                    peer.send(settings());
                    for (const int stream : {1, 3, 5}) peer.wait_for(NGHTTP2_HEADERS, stream);
                    notes->note("asked");
                    peer.send(goaway(0x7fffffff));  // as gRPC servers do: the number follows later
                    peer.wait_for_go();
                    peer.send(goaway(3));
                    peer.wait_for_go();
                    peer.send(answer_of(3, "third") + answer_of(1, "first"));
                    EXPECT_NE(peer.wait_for(NGHTTP2_GOAWAY).type, -1);
                    peer.wait_for_end();
                    notes->note("left");
                  },
                  answering("elsewhere")});
  notes = &peer;
  make(peer.port());
  auto first = begin();
  auto second = begin();
  auto third = begin();
  ASSERT_TRUE(peer.wait_for_note("asked"));
  ASSERT_TRUE(peer.wait_for_connections(2)) << "at once";
  EXPECT_EQ(ask(), "elsewhere");
  peer.go();
  EXPECT_EQ(code_of(third.get()), Errc::unavailable);
  EXPECT_EQ(ask(), "elsewhere");
  peer.go();
  EXPECT_EQ(first.get(), "first");
  EXPECT_EQ(second.get(), "third");
  EXPECT_TRUE(peer.wait_for_note("left"));
  EXPECT_EQ(ask(), "elsewhere");
  EXPECT_EQ(lost_, 0);
}

Task<Answer> read_stream(Http2Client& client, std::string path) {
  const auto stream = client.open({.path = path});
  for (;;) {
    auto bytes = co_await stream->read();
    if (!bytes || bytes->empty()) co_return std::move(bytes);
  }
}

Task<Answer> read_once(Http2ClientStream& stream) { co_return co_await stream.read(); }

TEST_F(Http2ClientLossTest, AfterGoawayLongStreamsEndSoThatTheyCanBeOpenedElsewhere) {
  Http2Peer peer({[&](PeerConnection& peer) {
                    peer.send(settings());
                    peer.wait_for(NGHTTP2_HEADERS, 1);
                    peer.send(headers(1, {{":status", "200"}}) + data(1, "some") +
                              goaway(1, NGHTTP2_ENHANCE_YOUR_CALM, "too_many_pings"));
                    peer.wait_for_end();
                  },
                  answering("elsewhere")});
  make(peer.port());
  const Answer ended = on<Answer>([this] { return read_stream(*client_, "/watch"); });
  EXPECT_EQ(code_of(ended), Errc::unavailable);
  EXPECT_THAT(message_of(ended), HasSubstr("asked us to make another connection: ENHANCE_YOUR_CALM: too_many_pings"));
  EXPECT_EQ(ask(), "elsewhere");
}

TEST_F(Http2ClientLossTest, AStreamEndsWithItsConnection) {
  Http2Peer peer({[](PeerConnection& peer) {
    peer.send(settings());
    peer.wait_for(NGHTTP2_HEADERS, 1);
    peer.send(headers(1, {{":status", "200"}}) + data(1, "some"));
  }});
  make(peer.port());
  EXPECT_EQ(code_of(on<Answer>([this] { return read_stream(*client_, "/watch"); })), Errc::outcome_unknown);
  const Answer unreachable = on<Answer>([this] { return read_stream(*client_, "/watch"); });
  EXPECT_EQ(code_of(unreachable), Errc::unavailable);
}

TEST_F(Http2ClientLossTest, ServersThatDrainGiveTheAnswersThatAreDue) {
  net::testing::TestServer server;
  make(server.port());
  auto held = begin("/held");
  ASSERT_TRUE(server.eventually([&] { return server.held() == 1; }));
  server.begin_drain();
  ASSERT_TRUE(eventually([this] { return !client_->is_connected(); }));
  server.release();
  EXPECT_EQ(held.get(), "/held");
  server.end_drain();
}

TEST_F(Http2ClientLossTest, ASilentServerIsAskedAndGivenUpAndThenHasToProveItself) {
  Http2Peer* notes = nullptr;
  Http2Peer peer({[&](PeerConnection& peer) {
                    peer.send(settings());
                    peer.wait_for(NGHTTP2_HEADERS);
                    if (peer.wait_for(NGHTTP2_PING).type == NGHTTP2_PING) notes->note("asked");
                    peer.wait_for_end();
                  },
                  [](PeerConnection& peer) {
                    peer.wait_for_go();
                    answering("well again")(peer);
                  }});
  notes = &peer;
  auto options = options_for(peer.port());
  options.reply_timeout = Milliseconds(100);
  options.connect_timeout = kAmple;
  make(std::move(options));
  const Answer silent = ask();
  EXPECT_EQ(code_of(silent), Errc::outcome_unknown);
  EXPECT_THAT(message_of(silent), HasSubstr("no reply for 2"));
  EXPECT_TRUE(peer.wait_for_note("asked"));
  const Answer refused = ask();
  EXPECT_EQ(code_of(refused), Errc::unavailable);
  EXPECT_THAT(message_of(refused), HasSubstr("no reply for 2"));
  peer.go();
  ASSERT_TRUE(connect());
  EXPECT_EQ(ask(), "well again");
}

TEST_F(Http2ClientLossTest, AServerThatSaysItIsThereIsWaitedFor) {
  Http2Peer peer({[](PeerConnection& peer) {
    peer.send(settings());
    peer.wait_for(NGHTTP2_HEADERS);
    for (int i = 0; i < 3; ++i) peer.send(pong(peer.wait_for(NGHTTP2_PING).payload));
    peer.send(answer_of(1, "slowly"));
    peer.wait_for_end();
  }});
  auto options = options_for(peer.port());
  options.reply_timeout = Milliseconds(100);
  options.ping_pause = Milliseconds(10);
  make(std::move(options));
  EXPECT_EQ(ask(), "slowly");
  EXPECT_EQ(lost_, 0);
}

TEST_F(Http2ClientLossTest, AServerThatHasJustAnsweredIsNotAskedAgain) {
  int asked = 0;
  Http2Peer peer({[&](PeerConnection& peer) {
    peer.send(settings());
    for (Frame got = peer.next(); got.type >= 0; got = peer.next()) {
      if (got.type == NGHTTP2_PING) {
        ++asked;
        peer.send(pong(got.payload));
      }
    }
  }});
  auto options = options_for(peer.port());
  options.reply_timeout = Milliseconds(20);
  options.ping_pause = kAmple;
  make(std::move(options));
  EXPECT_THAT(message_of(ask("/", "", Milliseconds(500))), HasSubstr("the time was up"));
  close();
  EXPECT_EQ(asked, 1);
  EXPECT_EQ(lost_, 0);
}

TEST_F(Http2ClientLossTest, WhileOnlyStreamsAreOpenTheServerIsAskedToo) {
  Http2Peer peer({[](PeerConnection& peer) {
    peer.send(settings());
    peer.wait_for(NGHTTP2_HEADERS);
    peer.send(headers(1, {{":status", "200"}}));
    peer.send(pong(peer.wait_for(NGHTTP2_PING).payload));
    peer.wait_for(NGHTTP2_PING);  // which is not answered
    peer.wait_for_end();
  }});
  auto options = options_for(peer.port());
  options.reply_timeout = Milliseconds(50);
  options.stream_silence = Milliseconds(100);
  options.ping_pause = Milliseconds(10);
  make(std::move(options));
  const Answer ended = on<Answer>([this] { return read_stream(*client_, "/watch"); });
  EXPECT_EQ(code_of(ended), Errc::outcome_unknown);
  EXPECT_THAT(message_of(ended), HasSubstr("no reply for"));
}

TEST_F(Http2ClientLossTest, ResetGivesTheConnectionUpAndTheNextOneIsMadeAtOnce) {
  Http2Peer* notes = nullptr;
  Http2Peer peer({[&](PeerConnection& peer) {
                    peer.send(settings());
                    peer.wait_for(NGHTTP2_HEADERS);
                    notes->note("asked");
                    peer.wait_for_end();
                  },
                  answering("the right one")});
  notes = &peer;
  make(peer.port());
  auto sent = begin();
  ASSERT_TRUE(peer.wait_for_note("asked"));
  call<bool>([this] {
    client_->reset("it is no leader");
    return true;
  });
  const Answer reset = sent.get();
  EXPECT_EQ(code_of(reset), Errc::outcome_unknown);
  EXPECT_THAT(message_of(reset), HasSubstr("it is no leader"));
  EXPECT_EQ(ask(), "the right one");
  EXPECT_EQ(lost_, 1);
}

TEST_F(Http2ClientLossTest, AnAnswerThatIsTooLargeEndsTheCallAndNotTheConnection) {
  Http2Peer peer({[](PeerConnection& peer) {
    peer.send(settings());
    peer.wait_for(NGHTTP2_HEADERS, 1);
    peer.send(headers(1, {{":status", "200"}}) + data(1, std::string(1001, 'x')));
    EXPECT_EQ(peer.wait_for(NGHTTP2_RST_STREAM, 1).payload, number(NGHTTP2_CANCEL, 4));
    peer.wait_for(NGHTTP2_HEADERS, 3);
    peer.send(answer_of(3, std::string(1000, 'y')));
    peer.wait_for_end();
  }});
  auto options = options_for(peer.port());
  options.reply_bytes_max = 1000;
  make(std::move(options));
  const Answer large = ask();
  EXPECT_EQ(code_of(large), Errc::outcome_unknown);
  EXPECT_THAT(message_of(large), HasSubstr("the answer is larger than 1000 bytes"));
  EXPECT_EQ(ask(), std::string(1000, 'y'));
}

TEST_F(Http2ClientLossTest, AnswersThatComeInPartAreBoundedTogether) {
  Http2Peer peer({[](PeerConnection& peer) {
    peer.send(settings());
    peer.wait_for(NGHTTP2_HEADERS, 1);
    peer.wait_for(NGHTTP2_HEADERS, 3);
    peer.send(headers(1, {{":status", "200"}}) + data(1, std::string(600, 'x')));
    peer.send(headers(3, {{":status", "200"}}) + data(3, std::string(600, 'y')));
    peer.wait_for(NGHTTP2_RST_STREAM, 3);
    peer.send(data(1, std::string(400, 'x'), Last::yes));
    peer.wait_for_end();
  }});
  auto options = options_for(peer.port());
  options.replies_bytes_max = 1000;
  make(std::move(options));
  auto first = begin();
  auto second = begin();
  EXPECT_EQ(first.get(), std::string(1000, 'x'));
  EXPECT_THAT(message_of(second.get()), HasSubstr("answers of more than 1000 bytes are coming in"));
}

TEST_F(Http2ClientLossTest, WhatBreaksTheRulesOfOneStreamEndsOneCall) {
  EXPECT_THAT(message_of(outcome(headers(1, {{":status", "103"}}))), HasSubstr("it sent status 103"));
  EXPECT_THAT(message_of(outcome(headers(1, {{"x", "no status"}}))), HasSubstr("it broke the protocol"));
  EXPECT_THAT(message_of(outcome(headers(1, {{":status", "200"}, {"content-length", "3"}}) + data(1, "12", Last::yes))),
              HasSubstr("it broke the protocol"));
  std::string fields = frame(NGHTTP2_HEADERS, 0, 1, packed({{":status", "200"}, {"a", std::string(16000, 'a')}}));
  for (int i = 0; i < 4; ++i)
    fields +=
        frame(NGHTTP2_CONTINUATION, i == 3 ? NGHTTP2_FLAG_END_HEADERS : 0, 1, packed({{"a", std::string(16000, 'a')}}));
  EXPECT_THAT(message_of(outcome(fields)), HasSubstr("the fields of its answer are larger than 65536 bytes"));
  EXPECT_EQ(lost_, 0);
}

TEST_F(Http2ClientLossTest, WhatBreaksTheRulesOfTheConnectionEndsIt) {
  const auto broken = HasSubstr("it broke the protocol");
  EXPECT_THAT(message_of(outcome(settings_ack() + frame(NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1,
                                                        number(2, 4) + packed({{":method", "GET"}, {":path", "/"}})))),
              broken);
  EXPECT_THAT(message_of(outcome(frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, "\xff\xff\xff\xff\xff\xff"))),
              broken);
  EXPECT_THAT(message_of(outcome(data(1, "a body without fields"))), broken);
  EXPECT_THAT(message_of(outcome(data(0, "of no stream"))), broken);
  EXPECT_THAT(message_of(outcome(headers(2, {{":status", "200"}}))), broken);
  EXPECT_THAT(message_of(outcome(window_update(0, 0x7fffffff))), broken);
  EXPECT_THAT(message_of(outcome(std::string("\x7f\xff\xff\x00\x00\x00\x00\x00\x01", 9))), broken);
  EXPECT_EQ(lost_, 7);
}

// How a session ends that is sent so many pings, its answers being taken after so many.
std::string after_pings(int pings, int taken_after) {
  const Http2ClientOptions options;
  const PeerTexts texts("", "peer:1");
  Http2Exchanges exchanges;
  Http2ClientSession session(options, texts, exchanges);
  session.receive(settings(), SteadyTime() + std::chrono::hours(1));
  for (int i = 0; i < pings && session.failure().empty(); ++i) {
    session.receive(frame(NGHTTP2_PING, 0, 0, "12345678"), SteadyTime() + std::chrono::hours(1));
    std::string answers;
    if (i % taken_after == 0) session.take_output(answers, 1 << 20);
  }
  return session.failure();
}

TEST(Http2ClientSession, AServerMayPingALotAndNotWithoutBound) {
  EXPECT_EQ(after_pings(50'000, 1), "");
  EXPECT_EQ(after_pings(150'000, 1), "it sent more than 100000 PING and SETTINGS frames within a second");
  EXPECT_EQ(after_pings(150'000, 150'000), "it sends more PING or SETTINGS frames than it reads answers");
}

TEST_F(Http2ClientLossTest, AServerThatSendsMoreThanAStreamMayHoldIsStopped) {
  Http2Peer peer({[](PeerConnection& peer) {
    peer.wait_for(NGHTTP2_SETTINGS);
    peer.send(settings() + settings_ack());
    peer.wait_for(NGHTTP2_HEADERS, 1);
    peer.send(headers(1, {{":status", "200"}}));
    for (int i = 0; i < 65; ++i) peer.send(data(1, std::string(16384, 'p')));
    peer.wait_for_end();
  }});
  make(peer.port());
  std::unique_ptr<Http2ClientStream> stream;
  call<bool>([&] {
    stream = client_->open({.path = "/flood"});
    return true;
  });
  // Nobody reads before all of it has come.
  EXPECT_TRUE(eventually([&] { return !stream->write("x"); }));
  std::size_t had_come = 0;
  Answer last = "";
  do {
    last = on<Answer>([&] { return read_once(*stream); });
    if (last) had_come += last->size();
  } while (last && !last->empty());
  EXPECT_EQ(code_of(last), Errc::outcome_unknown);
  EXPECT_LE(had_come, std::size_t{1 << 20});
  call<bool>([&] {
    stream.reset();
    return true;
  });
}

}  // namespace
}  // namespace holdfast::net::http2_testing
