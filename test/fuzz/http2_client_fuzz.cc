// What a hostile server says to an HTTP/2 client: nobody waits for ever, nothing grows beyond its bound, and it makes
// no difference how the bytes arrive.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "net/http2_client_session.h"
#include "require.h"

namespace net = holdfast::net;
using holdfast::Errc;

namespace {

constexpr std::size_t kReplyMax = 4096;
constexpr std::size_t kStreamWindow = 1 << 20;

struct Outcome {
  Errc code = Errc::internal;  // which none of them is, for a success
  int status = 0;
  std::string body;
  std::size_t fields = 0;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome outcome_of(net::Http2Exchange& exchange) {
  FUZZ_REQUIRE(exchange.is_done);
  FUZZ_REQUIRE(exchange.session == nullptr);
  if (!exchange.result) return {exchange.result.error().code, 0, "", 0};
  net::Http2Answer& answer = exchange.answer;
  FUZZ_REQUIRE(answer.status >= 200 && answer.status <= 999);
  return {Errc::internal, answer.status, answer.body, answer.headers.size() + answer.trailers.size()};
}

struct Conversation {
  std::vector<Outcome> outcomes;
  std::string failure;
};

// nghttp2 counts reads for frames there: it may think so of one frame that came in pieces.
bool is_cut_short(const Conversation& one) {
  return one.failure == nghttp2_strerror(NGHTTP2_ERR_TOO_MANY_CONTINUATIONS);
}

// Two calls and a stream, to a server that says hello and then this.
Conversation converse(std::string_view said, std::size_t step) {
  static const std::string kHello("\0\0\0\4\0\0\0\0\0", 9);  // SETTINGS
  net::Http2ClientOptions options;
  options.reply_bytes_max = kReplyMax;
  options.replies_bytes_max = kReplyMax + kReplyMax / 2;
  const net::PeerTexts texts("fuzz", "peer:1");
  net::Http2Exchanges exchanges;
  std::vector<net::Http2Exchange*> all;
  Conversation done;
  {
    net::Http2ClientSession session(options, texts, exchanges);
    std::string sent;
    session.receive(kHello, {});
    FUZZ_REQUIRE(session.is_ready() && session.has_room());
    for (const bool is_stream : {false, false, true}) {
      all.push_back(&exchanges.make({.path = "/fuzz.Fuzz/Fuzz", .body = "a request"}, is_stream));
      session.submit(*all.back());
    }
    session.take_output(sent, 1 << 20);
    for (std::size_t at = 0; at < said.size(); at += step) {
      session.receive(said.substr(at, step), {});
      exchanges.resume_all();
      FUZZ_REQUIRE(exchanges.reply_bytes() <= options.replies_bytes_max);
      FUZZ_REQUIRE(all[2]->answer.body.size() <= kStreamWindow);
    }
    sent.clear();
    session.take_output(sent, 1 << 20);
    FUZZ_REQUIRE(sent.size() < (1 << 20));
    done.failure = session.failure();
    net::Http2ExchangeList unsent;
    session.give_up(texts.sent_and("the fuzzer is done"), unsent);
    FUZZ_REQUIRE(unsent.empty());
  }
  FUZZ_REQUIRE(exchanges.calls() == 0 && exchanges.streams() == 0);
  FUZZ_REQUIRE(exchanges.bytes() == 0 && exchanges.reply_bytes() == 0);
  for (net::Http2Exchange* const exchange : all) {
    done.outcomes.push_back(outcome_of(*exchange));
    exchanges.let_go(*exchange);
  }
  return done;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view said(reinterpret_cast<const char*>(data), size);
  const Conversation whole = converse(said, size + 1);
  for (const std::size_t step : {1, 11}) {
    const Conversation in_pieces = converse(said, step);
    FUZZ_REQUIRE(in_pieces.outcomes == whole.outcomes || is_cut_short(in_pieces) || is_cut_short(whole));
  }
  return 0;
}
