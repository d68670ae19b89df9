// holdfast: the sidecar, in daprd's place (`holdfast --app-id ...`) or by itself (`holdfast serve`), and the tools
// beside it. What a first word means is decided here, and nothing else.
#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "cli/state.h"
#include "cli/wait.h"
#include "config/flags.h"
#include "daemon/daemon.h"

namespace {

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
  if (flags->wait) return holdfast::cli::wait_for_sidecar(*flags);
  if (!flags->arguments.empty()) return usage_error("unknown command: " + flags->arguments.front());
  return holdfast::daemon::serve(std::move(*flags), style);
}

int with_application(const std::vector<std::string>& arguments) {
  auto flags = holdfast::config::parse_flags(arguments);
  if (!flags) return usage_error(flags.error().message);
  if (flags->help || flags->arguments.empty())
    return usage_error("holdfast run takes the application's command line behind --: holdfast run -- python3 app.py");
  const std::vector<std::string> application = std::move(flags->arguments);
  return holdfast::daemon::serve(std::move(*flags), Style::friendly, application);
}

int friendly_sidecar(const std::vector<std::string>& arguments) { return sidecar(arguments, Style::friendly); }

int show_version(const std::vector<std::string>&) { return sidecar({"--version"}, Style::daprd); }

int show_help(const std::vector<std::string>&);

struct Subcommand {
  std::string_view name;
  std::string_view summary;
  int (*run)(const std::vector<std::string>& arguments);
};
constexpr Subcommand kSubcommands[] = {
    {"serve", "the sidecar by itself: loopback, free ports, a default store; takes the flags below", friendly_sidecar},
    {"run", "the same beside an application: holdfast run [FLAGS] -- COMMAND; both end together", with_application},
    {"state", "get, put, delete and list records of a running sidecar; copy its SQLite file", holdfast::cli::run_state},
    {"version", "print the version", show_version},
    {"help", "this text", show_help},
};

int show_help(const std::vector<std::string>&) {
  std::cout << "Commands:\n";
  for (const Subcommand& subcommand : kSubcommands)
    std::cout << "  holdfast " << subcommand.name << std::string(10 - subcommand.name.size(), ' ') << subcommand.summary
              << '\n';
  std::cout << "Without one of these words it is the sidecar in daprd's place: holdfast --app-id ID ...\n\n"
            << holdfast::config::flags_help();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.empty()) return sidecar(arguments, Style::daprd);
  const auto chosen = std::ranges::find_if(kSubcommands, [&](const Subcommand& s) { return s.name == arguments[0]; });
  if (chosen == std::end(kSubcommands)) return sidecar(arguments, Style::daprd);
  arguments.erase(arguments.begin());
  return chosen->run(arguments);
}
