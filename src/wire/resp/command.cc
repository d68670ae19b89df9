#include "wire/resp/command.h"

#include <array>
#include <charconv>

namespace holdfast::resp {
namespace {

// "*3\r\n" or "$11\r\n": 20 digits are the most that 64 bits need.
void append_header(std::string& out, char type, std::size_t count) {
  std::array<char, 24> header;
  header[0] = type;
  char* end = std::to_chars(header.data() + 1, header.data() + 21, count).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.append(header.data(), end);
}

}  // namespace

void append_command(std::string& out, std::initializer_list<std::string_view> arguments) {
  begin_command(out, arguments.size());
  for (const std::string_view argument : arguments) append_argument(out, argument);
}

void begin_command(std::string& out, std::size_t argument_count) { append_header(out, '*', argument_count); }

void append_argument(std::string& out, std::string_view argument) {
  append_header(out, '$', argument.size());
  out.append(argument);
  out.append("\r\n");
}

void append_argument(std::string& out, std::int64_t number) {
  std::array<char, 20> digits;
  const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  append_argument(out, std::string_view(digits.data(), end));
}

}  // namespace holdfast::resp
