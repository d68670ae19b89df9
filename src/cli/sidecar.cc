#include "cli/sidecar.h"

#include <fmt/format.h>

#include <iostream>

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/wait.h"
#include "config/flags.h"
#include "config/nearest.h"
#include "daemon/daemon.h"

namespace holdfast::cli {
namespace {

using daemon::Style;

int usage_error(const std::string& message) {
  std::cerr << config::flags_help() << '\n' << message << '\n';
  return kMisused;
}

int unknown_command(const std::string& word) {
  std::vector<std::string_view> known;
  for (const CommandRow& row : commands()) known.push_back(row.name);
  const std::string meant = config::nearest(word, known);
  return usage_error(
      fmt::format("unknown command: {}{}", word, meant.empty() ? "" : fmt::format("; did you mean {}?", meant)));
}

int run(const std::vector<std::string>& arguments, Style style) {
  auto flags = config::parse_flags(arguments);
  if (!flags) return usage_error(flags.error().message);
  if (flags->help)
    return print_or_complain(style == Style::friendly ? command_help(*find_row(commands(), "serve"))
                                                      : overview_help(commands()));
  if (flags->version) return print_or_complain(HOLDFAST_VERSION "\n");
  if (flags->build_info)
    return print_or_complain(fmt::format("Version: {}\nCompiler: {}\n", HOLDFAST_VERSION, __VERSION__));
  if (flags->wait) return wait_for_sidecar(*flags);
  if (!flags->arguments.empty()) return unknown_command(flags->arguments.front());
  return daemon::serve(std::move(*flags), style);
}

constexpr std::string_view kRunUsage =
    "holdfast run takes the application's command line behind --: holdfast run -- python3 app.py";

}  // namespace

int run_with_application(const std::vector<std::string>& arguments) {
  auto flags = config::parse_flags(arguments);
  if (!flags) return usage_error(flags.error().message);
  if (flags->help) return print_or_complain(command_help(*find_row(commands(), "run")));
  if (flags->arguments.empty()) return complain(kRunUsage, kMisused);
  const std::vector<std::string> application = std::move(flags->arguments);
  return daemon::serve(std::move(*flags), Style::friendly, application);
}

int run_sidecar(const std::vector<std::string>& arguments) { return run(arguments, Style::daprd); }

int run_friendly_sidecar(const std::vector<std::string>& arguments) { return run(arguments, Style::friendly); }

}  // namespace holdfast::cli
