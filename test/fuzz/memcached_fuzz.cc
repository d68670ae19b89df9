// A hostile memcached: replies come out the same however they arrive, what the scanner lets pass is read, bounds hold
// whatever is announced, and no key that is taken for one makes a second command.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "require.h"
#include "wire/memcached/command.h"
#include "wire/memcached/reply.h"
#include "wire/memcached/scanner.h"

namespace memcached = holdfast::memcached;

namespace {

constexpr memcached::Limits kSmall{.line_bytes_max = 24, .value_bytes_max = 48, .stats_bytes_max = 64};

std::vector<std::string> replies_of(std::string_view stream, std::size_t step, memcached::Limits limits) {
  memcached::Scanner scanner(limits);
  std::vector<std::string> replies;
  std::vector<char> arrived;  // no byte more than what has arrived, so that AddressSanitizer sees a look beyond it
  for (std::size_t at = 0; at < stream.size(); at += step) {
    const std::string_view piece = stream.substr(at, step);
    arrived.insert(arrived.end(), piece.begin(), piece.end());
    arrived.shrink_to_fit();
    while (true) {
      const auto length = scanner.scan(std::string_view(arrived.data(), arrived.size()));
      if (!length) {
        replies.push_back(length.error().message);
        return replies;
      }
      FUZZ_REQUIRE(*length <= arrived.size());
      if (*length == 0) break;
      replies.emplace_back(arrived.data(), *length);
      arrived.erase(arrived.begin(), arrived.begin() + static_cast<std::ptrdiff_t>(*length));
    }
    if (step == 1)
      FUZZ_REQUIRE(arrived.size() <= limits.stats_bytes_max + limits.value_bytes_max + limits.line_bytes_max);
  }
  replies.push_back("left " + std::string(arrived.begin(), arrived.end()));
  return replies;
}

void check_replies(std::string_view stream) {
  memcached::Scanner scanner;
  while (true) {
    const auto length = scanner.scan(stream);
    const std::string_view before = stream;
    const auto reply = memcached::Reply::read(stream);
    FUZZ_REQUIRE(reply.has_value() == (length && *length > 0));
    if (!reply) return;
    FUZZ_REQUIRE(before.size() - stream.size() == *length);
    FUZZ_REQUIRE(reply->value.size() <= *length && reply->text.size() <= *length);
    if (reply->kind == memcached::Reply::Kind::stats)
      FUZZ_REQUIRE(memcached::find_stat(reply->text, "pid").size() < reply->text.size());
  }
}

void check_commands(std::string_view input) {
  if (!memcached::is_key(input)) return;
  std::string out;
  memcached::append_get(out, input, true);
  memcached::append_delete(out, input, 1);
  FUZZ_REQUIRE(std::string_view(out).find("\r\n") == input.size() + 11);
  FUZZ_REQUIRE(out.size() == 2 * input.size() + 13 + 8);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t some = size > 0 ? 1 + data[size / 2] % 13 : 1;
  for (const memcached::Limits& limits : {memcached::Limits(), kSmall}) {
    const auto whole = replies_of(text, size + 1, limits);
    FUZZ_REQUIRE(replies_of(text, 1, limits) == whole);
    FUZZ_REQUIRE(replies_of(text, some, limits) == whole);
  }
  check_replies(text);
  check_commands(text);
  return 0;
}
