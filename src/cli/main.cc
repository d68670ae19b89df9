// holdfast: the sidecar, in daprd's place (`holdfast --app-id ...`) or by itself (`holdfast serve`), and the tools
// beside it. What a first word means is decided here, and nothing else.
#include <iostream>
#include <string>
#include <vector>

#include "config/flags.h"
#include "daemon/daemon.h"

namespace {

using holdfast::config::Flags;
using holdfast::daemon::Style;

int usage_error(const std::string& message) {
  std::cerr << holdfast::config::flags_help() << '\n' << message << '\n';
  return 2;
}

int sidecar(const std::vector<std::string>& arguments, Style style) {
  auto flags = holdfast::config::parse_flags(arguments);
  if (!flags) return usage_error(flags.error().message);
  if (flags->help) {
    std::cout << holdfast::config::flags_help();
    return 0;
  }
  if (flags->version) {
    std::cout << HOLDFAST_VERSION << '\n';
    return 0;
  }
  if (flags->build_info) {
    std::cout << "Version: " << HOLDFAST_VERSION << "\nCompiler: " << __VERSION__ << '\n';
    return 0;
  }
  if (!flags->arguments.empty()) return usage_error("unknown command: " + flags->arguments.front());
  return holdfast::daemon::serve(std::move(*flags), style);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (!arguments.empty() && arguments.front() == "serve") {
    arguments.erase(arguments.begin());
    return sidecar(arguments, Style::friendly);
  }
  return sidecar(arguments, Style::daprd);
}
