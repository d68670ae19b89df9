#include "cli/commands.h"

#include <array>

#include "cli/check.h"
#include "cli/completion.h"
#include "cli/help.h"
#include "cli/init.h"
#include "cli/output.h"
#include "cli/schema.h"
#include "cli/sidecar.h"
#include "cli/state.h"
#include "cli/state_command.h"
#include "cli/token.h"

namespace holdfast::cli {
namespace {

int show_help(const ParsedArguments& arguments);
int show_completion(const ParsedArguments& arguments);

int show_version(const ParsedArguments&) { return print_or_complain(HOLDFAST_VERSION "\n"); }

constexpr OptionRow kCheckOptions[] = {
    {.name = "strict", .help = "warnings are errors"},
    {.name = "json", .help = "an array of findings, for programs"},
    {.name = "deep", .help = "open the stores as well, and say of each whether it works; makes no files"},
    {.name = "app-id",
     .argument = "ID",
     .help = "with --deep: the application whose stores are opened; by default app"},
};
constexpr std::string_view kCheckDescription =
    "Each PATH is a component file or a directory of them; without any, the directory that \"holdfast serve\" reads. "
    "A finding is a line FILE:LINE: SEVERITY: ..., where an error is what a sidecar refuses or passes over, a warning "
    "what works elsewhere or not as it looks, a note what could be better.\n\n"
    "  holdfast check\n"
    "  holdfast check --deep --app-id orders ./components\n\n"
    "Exit codes: 0 no errors, 1 errors, 2 misused.";

constexpr OptionRow kInitOptions[] = {
    {.name = "store",
     .argument = "STORE",
     .help = "memory, sqlite, redis or postgresql; by default sqlite",
     .completes = Completes::words,
     .words = kInitStores},
};
constexpr std::string_view kInitDescription =
    "Writes statestore.yaml, with its settings explained, into DIR, by default ./.dapr/components. A file that is "
    "there "
    "is left as it is.";

// The types that components may have, for a shell to offer.
const std::string& type_names() {
  static const std::string names = [] {
    std::string all;
    for (const state::StoreType* row : known_types().rows())
      if (row == known_types().versions_of(row->type).front()) all += (all.empty() ? "" : " ") + std::string(row->type);
    return all;
  }();
  return names;
}

std::span<const OptionRow> schema_options() {
  static const auto options = std::to_array<OptionRow>({
      {.name = "type",
       .argument = "TYPE",
       .help = "of components of this type only, such as state.redis",
       .completes = Completes::words,
       .words = type_names()},
  });
  return options;
}
constexpr std::string_view kSchemaDescription =
    "Editors complete and check component files by it. For those with the YAML language server:\n\n"
    "  holdfast schema > holdfast.schema.json\n\n"
    "and as the first line of a component file:\n\n"
    "  # yaml-language-server: $schema=holdfast.schema.json";

constexpr std::string_view kCompletionDescription =
    "Prints a script that completes commands and flags:\n\n"
    "  holdfast completion bash > /etc/bash_completion.d/holdfast\n"
    "  holdfast completion zsh > \"${fpath[1]}/_holdfast\"\n"
    "  holdfast completion fish > ~/.config/fish/completions/holdfast.fish";

constexpr OptionRow kHelpOptions[] = {
    {.name = "man", .help = "the manual page: holdfast help --man > holdfast.1"},
};

constexpr std::string_view kRunDescription =
    "As \"holdfast serve\", with an application that is started when the sidecar is up and ends with it. It finds "
    "DAPR_HTTP_PORT, DAPR_GRPC_PORT and APP_ID in its environment; what it prints is shown line by line behind "
    "\"== APP ==\". When it ends, the sidecar does, with its exit code.\n\n"
    "  holdfast run --app-id orders -- python3 app.py";

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
      {.name = "run",
       .arguments = "-- COMMAND [ARGUMENT...]",
       .summary = "the sidecar beside an application: both start and end together",
       .description = kRunDescription,
       .words_max = kPathsMax,
       .completes = Completes::files,
       .takes_flags = true,
       .run_raw = run_with_application},
      {.name = "state",
       .summary = "records: get, put, delete, list; back up, migrate, export, import",
       .description = state_description(),
       .verbs = state_verbs(),
       .run_raw = run_state},
      {.name = "token",
       .summary = "make, list and take away the API tokens of a file",
       .description = token_description(),
       .verbs = token_verbs(),
       .run_raw = run_token},
      {.name = "check",
       .arguments = "[PATH...]",
       .summary = "find mistakes in component files, and open their stores to see",
       .description = kCheckDescription,
       .options = kCheckOptions,
       .words_max = kPathsMax,
       .completes = Completes::files,
       .run = run_check},
      {.name = "init",
       .arguments = "[DIR]",
       .summary = "write a component file to start from",
       .description = kInitDescription,
       .options = kInitOptions,
       .words_max = 1,
       .completes = Completes::directories,
       .run = run_init},
      {.name = "schema",
       .summary = "print a JSON Schema of component files, for editors",
       .description = kSchemaDescription,
       .options = schema_options(),
       .run = run_schema},
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
