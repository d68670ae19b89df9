#include "cli/completion.h"

#include <fmt/format.h>

#include <map>
#include <vector>

#include "cli/help.h"
#include "config/flags.h"

namespace holdfast::cli {
namespace {

Completes completion_of(std::string_view flag) {
  if (flag.ends_with("-path") || flag == "unix-domain-socket") return Completes::directories;
  return flag.ends_with("-file") || flag == "config" ? Completes::files : Completes::nothing;
}

// The sidecar's flags as options; what does nothing is not offered.
std::vector<OptionRow> flags_as_options() {
  std::vector<OptionRow> options;
  for (const config::FlagRow& flag : config::flag_table()) {
    if (!flag.effective) continue;
    OptionRow option{.name = flag.name, .help = flag.help, .completes = completion_of(flag.name)};
    if (flag.kind != config::FlagKind::boolean) option.argument = config::argument_name(flag.kind);
    options.push_back(option);
  }
  return options;
}

std::vector<OptionRow> all_options(const CommandRow& command) {
  std::vector<OptionRow> options(command.options.begin(), command.options.end());
  if (command.takes_flags)
    for (const OptionRow& flag : flags_as_options()) options.push_back(flag);
  return options;
}

std::string joined(const std::vector<OptionRow>& options) {
  std::string text;
  for (const OptionRow& option : options) text += fmt::format("{}--{}", text.empty() ? "" : " ", option.name);
  return text;
}

std::string names_of(std::span<const CommandRow> commands) {
  std::string text;
  for (const CommandRow& command : commands) text += fmt::format("{}{}", text.empty() ? "" : " ", command.name);
  return text;
}

// For a shell's single quotes.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

// ---- bash ----

constexpr std::string_view kBashEnd = R"(
  case $kind in
    files | directories) compopt -o filenames 2>/dev/null ;;
  esac
  case $kind in
    files) mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    directories) mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current") ;;
  esac
}
complete -F _holdfast holdfast
)";

// kind and words for a place.
std::string bash_offer(Completes completes, std::string_view words) {
  switch (completes) {
    case Completes::files:
      return "kind=files";
    case Completes::directories:
      return "kind=directories";
    case Completes::words:
      return fmt::format("words={}", quoted(words));
    case Completes::commands:  // words by now
    case Completes::nothing:
      return ":";
  }
  return "";
}

// What may follow `place`, such as "state get": values of its options, its options, its words.
std::string bash_case(std::string_view place, const std::vector<OptionRow>& options, const std::string& words_offer) {
  std::map<std::string, std::string> options_by_offer;
  for (const OptionRow& option : options) {
    if (option.argument.empty()) continue;
    std::string& names = options_by_offer[bash_offer(option.completes, option.words)];
    names += fmt::format("{}--{}", names.empty() ? "" : " | ", option.name);
  }
  std::string out = fmt::format("    {})\n      case $previous in\n", place);
  for (const auto& [offer, names] : options_by_offer) out += fmt::format("        {}) {} ;;\n", names, offer);
  out += fmt::format("        *) if [[ $current == -* ]]; then words={}; else {}; fi ;;\n", quoted(joined(options)),
                     words_offer);
  return out + "      esac\n      ;;\n";
}

std::string bash_script(std::span<const CommandRow> commands) {
  std::string out = fmt::format(
      "# bash completion of holdfast {}, made by \"holdfast completion bash\".\n"
      "_holdfast() {{\n"
      "  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}}\n"
      "  local kind= words= place=\n"
      "  COMPREPLY=()\n"
      "  # bash takes --name=value apart at the equals sign.\n"
      "  if [[ $current == = ]]; then\n"
      "    current=\n"
      "  elif [[ $previous == = ]]; then\n"
      "    previous=${{COMP_WORDS[COMP_CWORD - 2]}}\n"
      "  fi\n"
      "  ((COMP_CWORD > 1)) && place=${{COMP_WORDS[1]}}\n",
      HOLDFAST_VERSION);
  std::string cases;
  std::string with_verbs;
  for (const CommandRow& command : commands) {
    if (command.verbs.empty()) {
      cases += bash_case(command.name, all_options(command), bash_offer(command.completes, command.words));
      continue;
    }
    with_verbs += fmt::format("{}{}", with_verbs.empty() ? "" : " | ", command.name);
    cases += bash_case(command.name, {}, bash_offer(Completes::words, names_of(command.verbs)));
    for (const CommandRow& verb : command.verbs)
      cases += bash_case(fmt::format("'{} {}'", command.name, verb.name), all_options(verb),
                         bash_offer(verb.completes, verb.words));
  }
  if (!with_verbs.empty())
    out += fmt::format("  case $place in\n    {}) ((COMP_CWORD > 2)) && place+=\" ${{COMP_WORDS[2]}}\" ;;\n  esac\n",
                       with_verbs);
  out += "  case $place in\n" + cases;
  out += bash_case("'' | -*", flags_as_options(), bash_offer(Completes::words, names_of(commands)));
  return out + "  esac" + std::string(kBashEnd);
}

// ---- zsh ----

// In a specification a colon ends the name and brackets hold the help.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ':' || c == '[' || c == ']') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_action(Completes completes, std::string_view words) {
  switch (completes) {
    case Completes::files:
      return "_files";
    case Completes::directories:
      return "_files -/";
    case Completes::words:
      return fmt::format("({})", words);
    case Completes::commands:
    case Completes::nothing:
      return " ";
  }
  return "";
}

std::string zsh_arguments(std::string_view indent, const std::vector<OptionRow>& options, Completes completes,
                          std::string_view words) {
  std::string out = fmt::format("{}_arguments", indent);
  for (const OptionRow& option : options) {
    std::string specification =
        option.argument.empty() ? fmt::format("--{}[{}]", option.name, zsh_text(option.help))
                                : fmt::format("--{}=[{}]:{}:{}", option.name, zsh_text(option.help),
                                              zsh_text(option.argument), zsh_action(option.completes, option.words));
    out += fmt::format(" \\\n{}  {}", indent, quoted(specification));
  }
  return out + fmt::format(" \\\n{}  {}\n", indent, quoted("*:argument:" + zsh_action(completes, words)));
}

std::string zsh_names(std::string_view indent, std::span<const CommandRow> commands) {
  std::string out = fmt::format("{}names=(\n", indent);
  for (const CommandRow& command : commands)
    out += fmt::format("{}  {}\n", indent, quoted(fmt::format("{}:{}", command.name, command.summary)));
  return out + fmt::format("{})\n", indent);
}

std::string zsh_command(const CommandRow& command) {
  std::string out = fmt::format("    {})\n", command.name);
  if (command.verbs.empty())
    return out + zsh_arguments("      ", all_options(command), command.completes, command.words) + "      ;;\n";
  out += zsh_names("      ", command.verbs);
  out +=
      "      if ((CURRENT == 2)); then _describe verb names; return; fi\n"
      "      shift words; ((CURRENT--))\n"
      "      case $words[1] in\n";
  for (const CommandRow& verb : command.verbs)
    out += fmt::format("        {})\n{}          ;;\n", verb.name,
                       zsh_arguments("          ", all_options(verb), verb.completes, verb.words));
  return out + "      esac\n      ;;\n";
}

std::string zsh_script(std::span<const CommandRow> commands) {
  std::string out = fmt::format(
      "#compdef holdfast\n# zsh completion of holdfast {}, made by \"holdfast completion "
      "zsh\".\n_holdfast() {{\n  local -a names\n",
      HOLDFAST_VERSION);
  out += zsh_names("  ", commands);
  out +=
      "  if ((CURRENT == 2)) && [[ $words[2] != -* ]]; then _describe command names; return; fi\n"
      "  if [[ $words[2] == -* ]]; then\n" +
      zsh_arguments("    ", flags_as_options(), Completes::nothing, "") +
      "    return\n  fi\n  shift words; ((CURRENT--))\n  case $words[1] in\n";
  for (const CommandRow& command : commands) out += zsh_command(command);
  return out + "  esac\n}\nif [[ $funcstack[1] == _holdfast ]]; then _holdfast; else compdef _holdfast holdfast; fi\n";
}

// ---- fish ----

// fish's single quotes know the backslash.
std::string fish_text(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

std::string fish_value(Completes completes, std::string_view words) {
  switch (completes) {
    case Completes::files:
      return " -r -F";
    case Completes::directories:
      return " -x -a '(__fish_complete_directories)'";
    case Completes::words:
      return fmt::format(" -x -a {}", fish_text(words));
    case Completes::commands:
    case Completes::nothing:
      return " -x";
  }
  return "";
}

// What may follow where `condition` holds.
std::string fish_place(const std::string& condition, const std::vector<OptionRow>& options, Completes completes,
                       std::string_view words) {
  std::string out;
  for (const OptionRow& option : options)
    out +=
        fmt::format("complete -c holdfast -n {} -l {} -d {}{}\n", fish_text(condition), option.name,
                    fish_text(option.help), option.argument.empty() ? "" : fish_value(option.completes, option.words));
  if (completes == Completes::words)
    out += fmt::format("complete -c holdfast -n {} -a {}\n", fish_text(condition), fish_text(words));
  if (completes == Completes::files || completes == Completes::directories)
    out += fmt::format("complete -c holdfast -n {} -F\n", fish_text(condition));
  return out;
}

std::string fish_script(std::span<const CommandRow> commands) {
  std::string out = fmt::format(
      "# fish completion of holdfast {}, made by \"holdfast completion fish\".\n"
      "complete -c holdfast -f\n",
      HOLDFAST_VERSION);
  const std::string at_the_start = fmt::format("not __fish_seen_subcommand_from {}", names_of(commands));
  out += fish_place(at_the_start, flags_as_options(), Completes::nothing, "");
  for (const CommandRow& command : commands)
    out += fmt::format("complete -c holdfast -n __fish_use_subcommand -a {} -d {}\n", command.name,
                       fish_text(command.summary));
  for (const CommandRow& command : commands) {
    const std::string here = fmt::format("__fish_seen_subcommand_from {}", command.name);
    out += fish_place(here, all_options(command), command.completes, command.words);
    if (command.verbs.empty()) continue;
    const std::string without_verb =
        fmt::format("{}; and not __fish_seen_subcommand_from {}", here, names_of(command.verbs));
    for (const CommandRow& verb : command.verbs) {
      out += fmt::format("complete -c holdfast -n {} -a {} -d {}\n", fish_text(without_verb), verb.name,
                         fish_text(verb.summary));
      out += fish_place(fmt::format("{}; and __fish_seen_subcommand_from {}", here, verb.name), all_options(verb),
                        verb.completes, verb.words);
    }
  }
  return out;
}

}  // namespace

Result<std::string> completion_script(std::string_view shell, std::span<const CommandRow> rows) {
  const std::string names = names_of(rows);
  std::vector<CommandRow> commands(rows.begin(), rows.end());
  for (CommandRow& command : commands) {
    if (command.completes != Completes::commands) continue;
    command.completes = Completes::words;
    command.words = names;
  }
  if (shell == "bash") return bash_script(commands);
  if (shell == "zsh") return zsh_script(commands);
  if (shell == "fish") return fish_script(commands);
  return fail(Errc::invalid_argument, fmt::format("there is completion for {}, not for \"{}\"", kShells, shell));
}

}  // namespace holdfast::cli
