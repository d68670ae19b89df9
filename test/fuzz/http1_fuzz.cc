// However a byte stream is cut, the same requests come out of it. The first byte chooses the cuts.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "require.h"
#include "wire/http/http1.h"

namespace http = holdfast::http;
using State = http::Http1Parser::State;

namespace {

// Small, so that inputs of a few hundred bytes reach them.
constexpr http::Http1Limits kLimits{512, 256};

struct Seen {
  std::vector<std::string> requests;
  bool failed = false;
  bool is_in_head = false;  // the stream ended inside a head
};

// A malformed head may be refused before its end or at its end, so while it is incomplete both are right.
bool agree(const Seen& a, const Seen& b) {
  return a.requests == b.requests && (a.failed == b.failed || a.is_in_head || b.is_in_head);
}

std::string text_of(http::Http1Parser& parser) {
  const http::Request& request = parser.request();
  std::string out = std::string(request.method_text()) + ' ' + request.target + '\n';
  for (std::size_t i = 0; i < request.headers.size(); ++i) {
    out += request.headers.name(i);
    out += ':';
    out += request.headers.value(i);
    out += '\n';
  }
  out += request.body_too_large ? "too large" : "body " + request.body;
  out += parser.keep_alive() ? " keep" : " close";
  out += parser.is_http10() ? " 1.0" : " 1.1";
  out += parser.expects_continue() ? " expects" : "";
  return out;
}

// Offers what is pending until the parser wants more. False when nothing more can come of this connection.
bool drain(http::Http1Parser& parser, std::string& pending, Seen& seen) {
  for (;;) {
    const State before = parser.state();
    const std::size_t used = parser.feed(pending);
    FUZZ_REQUIRE(used <= pending.size());
    pending.erase(0, used);
    if (parser.state() == State::failed) {
      const int status = parser.error_status();
      FUZZ_REQUIRE(status == 400 || status == 431 || status == 501 || status == 505);
      FUZZ_REQUIRE(!parser.error_text().empty() && !parser.keep_alive());
      seen.failed = true;
      return false;
    }
    if (parser.state() == State::complete) {
      FUZZ_REQUIRE(parser.request().body.size() <= kLimits.body_bytes_max);
      seen.requests.push_back(text_of(parser));
      if (!parser.keep_alive()) return false;
      parser.reset();
      continue;
    }
    if (used == 0 && parser.state() == before) return true;
  }
}

Seen read(std::string_view stream, const std::vector<std::size_t>& cuts) {
  http::Http1Parser parser(kLimits);
  Seen seen;
  std::string pending;
  std::size_t at = 0;
  for (const std::size_t cut : cuts) {
    pending += stream.substr(at, cut - at);
    at = cut;
    if (!drain(parser, pending, seen)) return seen;
  }
  pending += stream.substr(at);
  seen.is_in_head = drain(parser, pending, seen) && parser.state() == State::head;
  return seen;
}

std::vector<std::size_t> cuts_of(std::uint8_t seed, std::size_t size) {
  std::vector<std::size_t> cuts;
  if (seed == 0) {
    for (std::size_t i = 1; i < size; ++i) cuts.push_back(i);
    return cuts;
  }
  std::uint32_t random = seed * 2654435761u;
  for (std::size_t at = 0; at < size;) {
    random = random * 1664525u + 1013904223u;
    at += 1 + (random >> 16) % (1 + seed);
    if (at < size) cuts.push_back(at);
  }
  return cuts;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  FUZZ_REQUIRE(agree(read(stream, {}), read(stream, cuts_of(data[0], stream.size()))));
  return 0;
}
