#include "wire/resp/command.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace holdfast::resp {
namespace {

// 20 digits are the most that 64 bits need.
constexpr std::size_t kHeaderBytes = 24;

// "*3\r\n" or "$11\r\n".
char* write_header(char* to, char type, std::size_t count) {
  *to++ = type;
  to = std::to_chars(to, to + kHeaderBytes - 4, count).ptr;
  *to++ = '\r';
  *to++ = '\n';
  return to;
}

}  // namespace

void append_command(std::string& out, std::initializer_list<std::string_view> arguments) {
  begin_command(out, arguments.size());
  for (const std::string_view argument : arguments) append_argument(out, argument);
}

void begin_command(std::string& out, std::size_t argument_count) {
  std::array<char, kHeaderBytes> header;
  out.append(header.data(), write_header(header.data(), '*', argument_count));
}

// Room is made once for all of it.
void append_argument(std::string& out, std::string_view argument) {
  const std::size_t before = out.size();
  out.resize_and_overwrite(before + kHeaderBytes + argument.size() + 2, [&](char* text, std::size_t) {
    char* to = write_header(text + before, '$', argument.size());
    to = std::copy(argument.begin(), argument.end(), to);
    *to++ = '\r';
    *to++ = '\n';
    return static_cast<std::size_t>(to - text);
  });
}

void append_argument(std::string& out, std::int64_t number) {
  std::array<char, 20> digits;
  const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  append_argument(out, std::string_view(digits.data(), end));
}

}  // namespace holdfast::resp
