#include "cli/commands.h"

#include <array>

#include "cli/completion.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/sidecar.h"
#include "cli/state.h"
#include "cli/state_command.h"

namespace holdfast::cli {
namespace {

int show_help(const ParsedArguments& arguments);
int show_completion(const ParsedArguments& arguments);

int show_version(const ParsedArguments&) { return print_or_complain(HOLDFAST_VERSION "\n"); }

constexpr std::string_view kCompletionDescription =
    "Prints a script that completes commands and flags:\n\n"
    "  holdfast completion bash > /etc/bash_completion.d/holdfast\n"
    "  holdfast completion zsh > \"${fpath[1]}/_holdfast\"\n"
    "  holdfast completion fish > ~/.config/fish/completions/holdfast.fish";

constexpr OptionRow kHelpOptions[] = {
    {.name = "man", .help = "the manual page: holdfast help --man > holdfast.1"},
};

constexpr std::string_view kServeDescription =
    "The sidecar with defaults for a person at a shell: app id \"app\", loopback only, ports that are free when the "
    "usual ones are not, and a store on SQLite where no component file is found.";

}  // namespace

std::span<const CommandRow> commands() {
  static const auto rows = std::to_array<CommandRow>({
      {.name = "serve",
       .summary = "the sidecar by itself: loopback, free ports, a default store",
       .description = kServeDescription,
       .takes_flags = true,
       .run_raw = run_friendly_sidecar},
      {.name = "state",
       .summary = "get, put, delete and list records of a running sidecar; copy its SQLite file",
       .description = state_description(),
       .verbs = state_verbs(),
       .run_raw = run_state},
      {.name = "completion",
       .arguments = "SHELL",
       .summary = "print a completion script for bash, zsh or fish",
       .description = kCompletionDescription,
       .words_min = 1,
       .words_max = 1,
       .completes = Completes::words,
       .words = kShells,
       .run = show_completion},
      {.name = "version", .summary = "print the version", .run = show_version},
      {.name = "help",
       .arguments = "[COMMAND]",
       .summary = "say how a command is used",
       .options = kHelpOptions,
       .words_max = 1,
       .completes = Completes::commands,
       .run = show_help},
  });
  return rows;
}

namespace {

int show_help(const ParsedArguments& arguments) {
  if (arguments.has("man")) return print_or_complain(man_page(commands()));
  if (arguments.words.empty()) return print_or_complain(overview_help(commands()));
  const CommandRow* row = find_row(commands(), arguments.words[0]);
  if (row == nullptr) return complain("there is no command \"" + arguments.words[0] + "\"", kMisused);
  return print_or_complain(command_help(*row));
}

int show_completion(const ParsedArguments& arguments) {
  const auto script = completion_script(arguments.words[0], commands());
  return script ? print_or_complain(*script) : complain(script.error().message, kMisused);
}

int run_command(const CommandRow& row, const std::vector<std::string>& arguments) {
  if (row.run_raw != nullptr) return row.run_raw(arguments);
  const std::string full_name = "holdfast " + std::string(row.name);
  const auto parsed = parse_arguments(row, full_name, arguments);
  if (!parsed)
    return complain(parsed.error().message + "\n\"holdfast help " + std::string(row.name) + "\" says how it is used",
                    kMisused);
  return parsed->help ? print_or_complain(command_help(row)) : row.run(*parsed);
}

}  // namespace

int run_program(const std::vector<std::string>& arguments) {
  const CommandRow* row = arguments.empty() ? nullptr : find_row(commands(), arguments[0]);
  if (row == nullptr) return run_sidecar(arguments);
  return run_command(*row, {arguments.begin() + 1, arguments.end()});
}

}  // namespace holdfast::cli
