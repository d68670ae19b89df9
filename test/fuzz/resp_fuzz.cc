// A hostile Redis: replies come out the same however they arrive, what the scanner lets pass is understood, bounds hold
// whatever is announced, and commands come back as they were given.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "require.h"
#include "wire/resp/command.h"
#include "wire/resp/element.h"
#include "wire/resp/reply.h"
#include "wire/resp/scanner.h"

namespace resp = holdfast::resp;

namespace {

// Small enough for inputs to reach them.
constexpr resp::Limits kSmall{
    .line_bytes_max = 24, .bulk_bytes_max = 48, .reply_bytes_max = 96, .elements_max = 12, .depth_max = 3};

std::vector<std::string> replies_of(std::string_view stream, std::size_t step, resp::Limits limits) {
  resp::Scanner scanner(limits);
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
    if (step == 1) FUZZ_REQUIRE(arrived.size() <= limits.reply_bytes_max + limits.line_bytes_max);
  }
  replies.push_back("left " + std::string(arrived.begin(), arrived.end()));
  return replies;
}

// Touches everything that can be reached; gives the number of values.
std::size_t walk(resp::Value value, std::size_t depth) {
  FUZZ_REQUIRE(depth <= resp::kDepthMost);
  std::size_t count = 1, index = 0;
  for (const resp::Value member : value) {
    FUZZ_REQUIRE(value[index].kind() == member.kind() && value[index].text().data() == member.text().data());
    if (++index > 64) break;  // by index it is quadratic
  }
  for (const resp::Value member : value) count += walk(member, depth + 1);
  FUZZ_REQUIRE(value[value.size()].is_null());
  if (value.kind() == resp::Kind::integer) FUZZ_REQUIRE(resp::to_integer(value) == value.integer());
  if (value.kind() == resp::Kind::real) (void)value.real();
  FUZZ_REQUIRE(resp::error_word(value.text()).size() <= value.text().size());
  return count;
}

void check_replies(std::string_view stream) {
  // Whether the two readers agree: the bounds here are those that the reader of replies has too.
  const resp::Limits loose{.line_bytes_max = stream.size() + 1, .depth_max = resp::kDepthMost};
  const auto length = resp::Scanner(loose).scan(stream);
  const auto reply = resp::Reply::parse(length && *length > 0 ? stream.substr(0, *length) : stream);
  if (length && *length > 0) FUZZ_REQUIRE(reply);
  if (reply) {
    FUZZ_REQUIRE(length && *length > 0);
    FUZZ_REQUIRE(walk(reply->root(), 0) <= *length);
    FUZZ_REQUIRE(resp::is_error(stream.substr(0, *length)) == (reply->root().kind() == resp::Kind::error));
    FUZZ_REQUIRE(resp::is_push(stream.substr(0, *length)) == (reply->root().kind() == resp::Kind::push));
  }
}

// The input cut into arguments, by lengths that it holds itself.
void check_command(std::string_view input) {
  std::vector<std::string_view> arguments;
  while (!input.empty()) {
    const std::size_t size = std::min<std::size_t>(static_cast<unsigned char>(input[0]), input.size() - 1);
    arguments.push_back(input.substr(1, size));
    input.remove_prefix(1 + size);
  }
  std::string command;
  resp::begin_command(command, arguments.size() + 1);
  for (const std::string_view argument : arguments) resp::append_argument(command, argument);
  resp::append_argument(command, static_cast<std::int64_t>(arguments.size()));
  FUZZ_REQUIRE(resp::Scanner().scan(command) == command.size());
  const auto reply = resp::Reply::parse(command);
  FUZZ_REQUIRE(reply && reply->root().size() == arguments.size() + 1);
  std::size_t index = 0;
  for (const resp::Value value : reply->root())
    if (index < arguments.size()) FUZZ_REQUIRE(value.text() == arguments[index++]);
  FUZZ_REQUIRE(index == arguments.size());
  FUZZ_REQUIRE(resp::to_integer(reply->root()[index]) == static_cast<std::int64_t>(index));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t some = size > 0 ? 1 + data[size / 2] % 13 : 1;
  for (const resp::Limits& limits : {resp::Limits(), kSmall}) {
    const auto whole = replies_of(text, size + 1, limits);
    FUZZ_REQUIRE(replies_of(text, 1, limits) == whole);
    FUZZ_REQUIRE(replies_of(text, some, limits) == whole);
  }
  check_replies(text);
  check_command(text);
  return 0;
}
