#include "cli/output.h"

#include <fmt/format.h>

#include <iostream>

namespace holdfast::cli {

bool print(std::string_view text) {
  std::cout.write(text.data(), static_cast<std::streamsize>(text.size()));
  std::cout.flush();
  return std::cout.good();
}

int print_or_complain(std::string_view text) {
  return print(text) ? kDone : complain("cannot write to standard output", kFailed);
}

int complain(std::string_view text, int code) {
  std::cerr << "holdfast: " << text << '\n';
  return code;
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace holdfast::cli
