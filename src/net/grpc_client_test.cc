#include "net/grpc_client.h"

#include "net/http2_client_testing.h"

namespace holdfast::net::http2_testing {
namespace {

using grpc::Code;
using ::testing::HasSubstr;

std::string framed(std::string_view message) {
  std::string out;
  grpc::append_frame(out, message);
  return out;
}

std::string grpc_head(std::int32_t stream) {
  return headers(stream, {{":status", "200"}, {"content-type", "application/grpc"}});
}
std::string grpc_end(std::int32_t stream, const std::string& code = "0", const Fields& more = {}) {
  Fields fields = {{"grpc-status", code}};
  fields.insert(fields.end(), more.begin(), more.end());
  return headers(stream, fields, Last::yes);
}
std::string grpc_answer(std::int32_t stream, std::string_view message) {
  return grpc_head(stream) + data(stream, framed(message)) + grpc_end(stream);
}

using Reply = Result<GrpcReply>;
using Message = Result<GrpcStreamMessage>;

Task<Reply> say(GrpcClient& client, std::string request, SteadyTime deadline) {
  const std::pair<std::string_view, std::string_view> metadata[] = {{"token", "secret"}};
  co_return co_await client.call("/test.Echo/Say", request, metadata, deadline);
}

class GrpcClientTest : public ClientTest<GrpcClient> {
 protected:
  ~GrpcClientTest() override {
    drop_stream();
    close();
  }
  Reply ask(std::string request = "hello", Milliseconds within = kAmple) {
    return on<Reply>([=, this] { return say(*client_, request, in(within)); });
  }
  // What a call comes to, of a server that answers it with this.
  Reply outcome(std::string answer) {
    Http2Peer peer({[&](PeerConnection& peer) {
      peer.send(settings());
      peer.wait_for(NGHTTP2_DATA, 1);
      peer.send(answer);
      peer.wait_for_end();
    }});
    make(peer.port());
    Reply reply = ask();
    close();
    return reply;
  }
  void open() {
    call<bool>([this] {
      stream_ = client_->open("/test.Echo/Chat", {});
      return true;
    });
  }
  bool write(std::string message) {
    return call<bool>([&] { return stream_->write(message); });
  }
  Message read() {
    return on<Message>([this] { return stream_->read(); });
  }
  void drop_stream() {
    call<bool>([this] {
      stream_.reset();
      return true;
    });
  }
  // How a stream ends, of a server that answers it with this, after the messages "one" and "two" where they come.
  Message end_of(std::string answer) {
    Http2Peer peer({[&](PeerConnection& peer) {
      peer.send(settings());
      peer.wait_for(NGHTTP2_HEADERS, 1);
      peer.send(answer);
      peer.wait_for_end();
    }});
    auto options = options_for(peer.port());
    options.reply_bytes_max = 1000;
    make(std::move(options));
    open();
    Message last;
    do {
      last = read();
    } while (last && !last->ended);
    drop_stream();
    close();
    return last;
  }

  std::unique_ptr<GrpcStream> stream_;
};

void expect_reply(const Reply& reply, Code code, const std::string& text) {
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->code, code) << grpc::go_name(reply->code);
  EXPECT_THAT(reply->text, HasSubstr(text));
}

void expect_end(const Message& message, Code code, const std::string& text) {
  ASSERT_TRUE(message) << message.error().message;
  EXPECT_TRUE(message->ended);
  EXPECT_EQ(message->code, code) << grpc::go_name(message->code);
  EXPECT_THAT(message->text, HasSubstr(text));
}

TEST_F(GrpcClientTest, ARequestIsFramedAndSoIsItsReply) {
  std::string sent;
  Http2Peer peer({[&](PeerConnection& peer) {
    peer.send(settings());
    const Frame got = peer.wait_for(NGHTTP2_DATA, 1);
    sent = got.payload;
    EXPECT_NE(got.flags & NGHTTP2_FLAG_END_STREAM, 0);
    peer.send(grpc_answer(1, "world"));
    peer.wait_for(NGHTTP2_DATA, 3);
    peer.send(grpc_answer(3, ""));
    peer.wait_for_end();
  }});
  make(peer.port());
  const Reply reply = ask();
  EXPECT_EQ(sent, framed("hello"));
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->code, Code::ok);
  EXPECT_EQ(reply->text, "world");
  const Reply empty = ask("");
  ASSERT_TRUE(empty);
  EXPECT_EQ(empty->text, "");
}

TEST_F(GrpcClientTest, WhatTheServerSaysOfAFailureIsAReply) {
  expect_reply(outcome(grpc_head(1) + grpc_end(1, "5", {{"grpc-message", "no such key: 100%25"}})), Code::not_found,
               "no such key: 100%");
  expect_reply(outcome(headers(1,
                               {{":status", "200"},
                                {"content-type", "application/grpc"},
                                {"grpc-status", "14"},
                                {"grpc-message", "no leader"}},
                               Last::yes)),
               Code::unavailable, "no leader");
  expect_reply(outcome(grpc_head(1) + grpc_end(1, "77")), Code::unknown, "");
}

TEST_F(GrpcClientTest, AnswersThatAreNotGrpcAreMappedByTheirHttpStatus) {
  expect_reply(outcome(headers(1, {{":status", "503"}}, Last::yes)), Code::unavailable, "HTTP status 503");
  expect_reply(outcome(headers(1, {{":status", "401"}}) + data(1, "who are you?", Last::yes)), Code::unauthenticated,
               "HTTP status 401");
  expect_reply(outcome(headers(1, {{":status", "200"}, {"content-type", "text/html"}}) + data(1, "<p>", Last::yes)),
               Code::unknown, "\"text/html\", which is not gRPC");
  expect_reply(outcome(grpc_head(1) + data(1, framed("a"), Last::yes)), Code::unknown, "without grpc-status");
}

TEST_F(GrpcClientTest, ReplyBodiesThatAreNotOneMessageAreInternalErrors) {
  std::string compressed = framed("a");
  compressed[0] = 1;
  expect_reply(outcome(grpc_head(1) + data(1, compressed) + grpc_end(1)), Code::internal, "compressed");
  expect_reply(outcome(grpc_head(1) + grpc_end(1)), Code::internal, "no whole message");
  expect_reply(outcome(grpc_head(1) + data(1, framed("abc").substr(0, 6)) + grpc_end(1)), Code::internal,
               "no whole message");
  expect_reply(outcome(grpc_head(1) + data(1, framed("a") + framed("b")) + grpc_end(1)), Code::internal,
               "more than the one message");
}

TEST_F(GrpcClientTest, TransportErrorsAreErrors) {
  const Reply refused = outcome(rst(1, NGHTTP2_REFUSED_STREAM));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::unavailable);
  const Reply reset = outcome(grpc_head(1) + rst(1, NGHTTP2_INTERNAL_ERROR));
  ASSERT_FALSE(reset);
  EXPECT_EQ(reset.error().code, Errc::outcome_unknown);
}

TEST_F(GrpcClientTest, APeerThatDiesAtAnyByteOfAReplyIsATransportError) {
  const std::string whole = grpc_answer(1, "world");
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    SCOPED_TRACE(cut);
    Http2Peer peer({[&](PeerConnection& peer) {
      peer.send(settings());
      peer.wait_for(NGHTTP2_DATA, 1);
      peer.send(whole.substr(0, cut));
    }});
    make(peer.port());
    const Reply reply = ask();
    ASSERT_EQ(reply.has_value(), cut == whole.size());
    if (!reply) EXPECT_EQ(reply.error().code, Errc::outcome_unknown) << reply.error().message;
    if (reply) EXPECT_EQ(reply->text, "world");
    close();
  }
}

TEST_F(GrpcClientTest, AStreamCarriesMessagesBothWaysHoweverTheyAreCut) {
  const std::string two = framed("first") + framed("") + framed(std::string(300, 'l'));
  Http2Peer peer({[&](PeerConnection& peer) {
    peer.send(settings());
    EXPECT_EQ(peer.wait_for(NGHTTP2_DATA, 1).payload, framed("create"));
    peer.send(grpc_head(1));
    for (const char c : two) peer.send(data(1, {&c, 1}));
    EXPECT_EQ(peer.wait_for(NGHTTP2_DATA, 1).payload, framed("more"));
    peer.send(data(1, two));
    while ((peer.wait_for(NGHTTP2_DATA, 1).flags & NGHTTP2_FLAG_END_STREAM) == 0) continue;
    peer.send(grpc_end(1, "0"));
    peer.wait_for_end();
  }});
  make(peer.port());
  open();
  EXPECT_TRUE(write("create"));
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(read()->text, "first");
    EXPECT_EQ(read()->text, "");
    EXPECT_EQ(read()->text, std::string(300, 'l'));
    if (round == 0) EXPECT_TRUE(write("more"));
  }
  call<bool>([this] {
    stream_->end_writing();
    return true;
  });
  expect_end(read(), Code::ok, "");
  EXPECT_FALSE(write("late"));
}

TEST_F(GrpcClientTest, AStreamEndsWithWhatTheServerSays) {
  expect_end(end_of(grpc_head(1) + data(1, framed("one")) + grpc_end(1, "1", {{"grpc-message", "bye"}})),
             Code::cancelled, "bye");
  expect_end(end_of(headers(1,
                            {{":status", "200"},
                             {"content-type", "application/grpc"},
                             {"grpc-status", "12"},
                             {"grpc-message", "unknown method"}},
                            Last::yes)),
             Code::unimplemented, "unknown method");
  expect_end(end_of(headers(1, {{":status", "404"}}) + data(1, "not here")), Code::unimplemented, "HTTP status 404");
  expect_end(end_of(grpc_head(1) + data(1, framed("one").substr(0, 6)) + grpc_end(1)), Code::internal,
             "within a message");
  std::string compressed = framed("a");
  compressed[0] = 1;
  expect_end(end_of(grpc_head(1) + data(1, framed("one") + compressed)), Code::internal, "compressed");
  expect_end(end_of(grpc_head(1) + data(1, framed(std::string(1001, 'x')))), Code::internal,
             "has 1001 bytes, and 1000 are the most");
  const Message lost = end_of(grpc_head(1) + data(1, framed("one")) + rst(1, NGHTTP2_INTERNAL_ERROR));
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Errc::outcome_unknown);
}

TEST_F(GrpcClientTest, ManySmallMessagesAreReadAtThePaceOfTheirReader) {
  constexpr int kMessages = 200'000;
  Http2Peer peer({[](PeerConnection& peer) {
    peer.wait_for(NGHTTP2_SETTINGS);
    peer.send(settings() + settings_ack());
    peer.wait_for(NGHTTP2_HEADERS, 1);
    peer.send(grpc_head(1));
    std::string piece;
    for (int i = 0; i < 1000; ++i) grpc::append_frame(piece, "event");
    std::int64_t window = 1 << 20;
    for (int i = 0; i < kMessages / 1000; ++i) {
      while (window < static_cast<std::int64_t>(piece.size())) {
        const Frame got = peer.wait_for(NGHTTP2_WINDOW_UPDATE, 1);
        if (got.type < 0) return;
        for (std::int64_t by = 0, at = 0; at < 4; ++at) {
          by = by << 8 | static_cast<unsigned char>(got.payload[static_cast<std::size_t>(at)]);
          if (at == 3) window += by;
        }
      }
      window -= static_cast<std::int64_t>(piece.size());
      peer.send(data(1, piece));
    }
    peer.send(grpc_end(1));
    peer.wait_for_end();
  }});
  make(peer.port());
  open();
  struct Count {
    static Task<int> messages(GrpcStream& stream) {
      for (int count = 0;; ++count) {
        const Message message = co_await stream.read();
        if (!message || message->ended || message->text != "event") co_return count;
      }
    }
  };
  EXPECT_EQ(on<int>([this] { return Count::messages(*stream_); }), kMessages);
}

TEST_F(GrpcClientTest, CancelEndsTheReadThatWaits) {
  Http2Peer* notes = nullptr;
  Http2Peer peer({[&](PeerConnection& peer) {
    peer.send(settings());
    peer.wait_for(NGHTTP2_HEADERS, 1);
    peer.send(grpc_head(1) + data(1, framed("one")));
    EXPECT_EQ(peer.wait_for(NGHTTP2_RST_STREAM, 1).payload, number(NGHTTP2_CANCEL, 4));
    notes->note("cancelled");
    peer.wait_for_end();
  }});
  notes = &peer;
  make(peer.port());
  open();
  EXPECT_EQ(read()->text, "one");
  auto waiting = std::async([this] { return read(); });
  on<bool>([] { return ready(true); });
  call<bool>([this] {
    stream_->cancel();
    return true;
  });
  const Message ended = waiting.get();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, Errc::unavailable);
  EXPECT_TRUE(peer.wait_for_note("cancelled"));
}

}  // namespace
}  // namespace holdfast::net::http2_testing
