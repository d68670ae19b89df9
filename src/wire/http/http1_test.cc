#include "wire/http/http1.h"

#include <gtest/gtest.h>

namespace holdfast::http {
namespace {

using State = Http1Parser::State;

// Drives the parser as a connection does: bytes that were not taken are offered again with more behind them.
struct Feeder {
  Http1Parser parser;
  std::string pending;
  explicit Feeder(const Http1Limits& limits = {}) : parser(limits) {}

  void push(std::string_view bytes) {
    pending += bytes;
    for (;;) {
      const State before = parser.state();
      const std::size_t used = parser.feed(pending);
      pending.erase(0, used);
      if (parser.state() == before && used == 0) return;
      if (parser.state() == State::complete || parser.state() == State::failed) return;
    }
  }
};

constexpr std::string_view kSave =
    "POST /v1.0/state/s?metadata.a=b HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    "Content-Length: 5\r\n\r\nhello";

TEST(Http1Parser, ReadsARequestWithItsBody) {
  Feeder f;
  f.push(kSave);
  ASSERT_EQ(f.parser.state(), State::complete);
  EXPECT_EQ(f.parser.request().method, Method::post);
  EXPECT_EQ(f.parser.request().target, "/v1.0/state/s?metadata.a=b");
  EXPECT_EQ(f.parser.request().headers.find("content-type"), "application/json");
  EXPECT_EQ(f.parser.request().body, "hello");
  EXPECT_TRUE(f.parser.keep_alive());
}

TEST(Http1Parser, RequestSplitAtEveryByteGivesTheSameRequest) {
  for (std::size_t cut = 1; cut < kSave.size(); ++cut) {
    Feeder f;
    f.push(kSave.substr(0, cut));
    f.push(kSave.substr(cut));
    ASSERT_EQ(f.parser.state(), State::complete) << "cut at " << cut;
    EXPECT_EQ(f.parser.request().body, "hello");
    EXPECT_EQ(f.parser.request().headers.size(), 3u);
  }
  Feeder bytewise;
  for (const char c : kSave) bytewise.push(std::string_view(&c, 1));
  ASSERT_EQ(bytewise.parser.state(), State::complete);
  EXPECT_EQ(bytewise.parser.request().body, "hello");
}

TEST(Http1Parser, ChunkedBodySplitAtEveryByteGivesTheSameBody) {
  constexpr std::string_view kChunked =
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: v\r\n\r\n";
  for (std::size_t cut = 1; cut < kChunked.size(); ++cut) {
    Feeder f;
    f.push(kChunked.substr(0, cut));
    f.push(kChunked.substr(cut));
    ASSERT_EQ(f.parser.state(), State::complete) << "cut at " << cut;
    EXPECT_EQ(f.parser.request().body, "abcde");
  }
}

TEST(Http1Parser, AChunkedBodyMayComeByteByByte) {
  for (const auto& [chunks, body] : {std::pair<std::string_view, std::string_view>{"0\r\n\r\n", ""},
                                     {"1\r\na\r\n0\r\n\r\n", "a"},
                                     {"2;x\r\nab\r\n0;y\r\nT: v\r\n\r\n", "ab"}}) {
    Feeder f;
    for (const char c : "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(chunks))
      f.push(std::string_view(&c, 1));
    ASSERT_EQ(f.parser.state(), State::complete) << chunks;
    EXPECT_EQ(f.parser.request().body, body);
    EXPECT_TRUE(f.pending.empty());
  }
}

TEST(Http1Parser, PipelinedRequestsAreTakenOneByOne) {
  Feeder f;
  f.push(std::string(kSave) + "GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_EQ(f.parser.state(), State::complete);
  EXPECT_EQ(f.parser.request().body, "hello");
  f.parser.reset();
  f.push("");
  ASSERT_EQ(f.parser.state(), State::complete);
  EXPECT_EQ(f.parser.request().target, "/b");
  EXPECT_TRUE(f.parser.request().body.empty());
  EXPECT_TRUE(f.pending.empty());
}

TEST(Http1Parser, EmptyLinesBeforeARequestAreSkipped) {
  Feeder f;
  f.push("\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(f.parser.state(), State::complete);
}

TEST(Http1Parser, BodyBeyondTheLimitIsMarkedAndDropped) {
  for (const std::string_view text :
       {std::string_view("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n123456789"),
        std::string_view(
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n0\r\n\r\n")}) {
    Feeder f({.head_bytes_max = 4096, .body_bytes_max = 8});
    f.push(text);
    ASSERT_EQ(f.parser.state(), State::complete);
    EXPECT_TRUE(f.parser.request().body_too_large);
    EXPECT_TRUE(f.parser.request().body.empty());
    EXPECT_FALSE(f.parser.keep_alive());
  }
}

TEST(Http1Parser, HeadBeyondTheLimitIs431) {
  Feeder f({.head_bytes_max = 256, .body_bytes_max = 8});
  f.push("GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(500, 'a'));
  ASSERT_EQ(f.parser.state(), State::failed);
  EXPECT_EQ(f.parser.error_status(), 431);
}

struct BadCase {
  const char* name;
  std::string_view text;
};
class Http1Refusal : public testing::TestWithParam<BadCase> {};

TEST_P(Http1Refusal, IsAnErrorNotAGuess) {
  Feeder f;
  f.push(GetParam().text);
  EXPECT_EQ(f.parser.state(), State::failed);
  EXPECT_FALSE(f.parser.error_text().empty());
}

INSTANTIATE_TEST_SUITE_P(
    Framing, Http1Refusal,
    testing::Values(
        BadCase{"TwoLengths", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"},
        BadCase{"LengthAndChunked",
                "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        BadCase{"BadChunkSize", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
        BadCase{"NegativeLength", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"},
        BadCase{"SpaceBeforeColon", "GET / HTTP/1.1\r\nHost : x\r\n\r\n"},
        BadCase{"Version", "GET / HTTP/3.7\r\nHost: x\r\n\r\n"},
        BadCase{"ControlInTarget", std::string_view("GET /\x01 HTTP/1.1\r\nHost: x\r\n\r\n")},
        BadCase{"Garbage", "\x16\x03\x01\x02\r\n\r\n"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(Http1Writer, NoContentHasNoLengthAndNoType) {
  Response r;
  r.status = 204;
  r.content_type = "application/json";
  std::string out;
  append_http1(out, r, true, false, false, "");
  EXPECT_EQ(out, "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST(Http1Writer, HeadGivesTheLengthWithoutTheBody) {
  Response r;
  r.body = "abc";
  r.content_type = "text/plain";
  std::string out;
  append_http1(out, r, false, false, true, "");
  EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\n");
}

TEST(Http1Parser, TheHeadLimitIsTheSameHoweverTheHeadArrives) {
  const std::string line = "GET /v1.0/state/s/k HTTP/1.1\r\n";
  for (const std::size_t over : {std::size_t{0}, std::size_t{1}}) {
    const std::string head = line + "A: " + std::string(512 - line.size() - 7 + over, 'b') + "\r\n\r\n";
    ASSERT_EQ(head.size(), 512 + over);
    for (const std::size_t cut : {std::size_t{1}, line.size(), line.size() + 4, head.size()}) {
      Feeder f({.head_bytes_max = 512});
      f.push(std::string_view(head).substr(0, cut));
      f.push(std::string_view(head).substr(cut));
      EXPECT_EQ(f.parser.state(), over == 0 ? State::complete : State::failed) << over << " over, cut at " << cut;
      if (over != 0) EXPECT_EQ(f.parser.error_status(), 431) << "cut at " << cut;
    }
  }
}

}  // namespace
}  // namespace holdfast::http
