#include "cli/help.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "config/flags.h"

namespace holdfast::cli {
namespace {

constexpr std::size_t kColumns = 100;

std::string head_of(const OptionRow& option) {
  return option.argument.empty() ? fmt::format("--{}", option.name)
                                 : fmt::format("--{} {}", option.name, option.argument);
}

// Two columns: what is written, and what it means.
std::string columns(const std::vector<std::pair<std::string, std::string_view>>& rows) {
  std::size_t width = 0;
  for (const auto& [head, help] : rows) width = std::max(width, head.size());
  std::string out;
  for (const auto& [head, help] : rows) out += fmt::format("  {:<{}}  {}\n", head, width, help);
  return out;
}

std::string usage_line(std::string_view full_name, const CommandRow& command) {
  std::string line = fmt::format("  {}", full_name);
  if (!command.arguments.empty()) line += fmt::format(" {}", command.arguments);
  if (!command.options.empty()) line += " " + option_usage(command.options);
  if (command.takes_flags) line += " [FLAG...]";
  return line + '\n';
}

}  // namespace

std::string wrapped(std::string_view text, std::size_t columns) {
  std::string out;
  std::size_t column = 0;
  while (!text.empty()) {
    const std::string_view line = take_part(text, '\n');
    if (line.starts_with("  ") || line.empty()) {
      out.append(line) += '\n';
      continue;
    }
    column = 0;
    for (const std::string_view word : split_words(line)) {
      if (column > 0 && column + 1 + word.size() > columns) {
        out += '\n';
        column = 0;
      }
      if (column > 0) out += ' ';
      out += word;
      column += word.size() + (column > 0 ? 1 : 0);
    }
    out += '\n';
  }
  return out;
}

std::string option_usage(std::span<const OptionRow> options) {
  std::string usage;
  for (const OptionRow& option : options) usage += fmt::format("{}[{}]", usage.empty() ? "" : " ", head_of(option));
  return usage;
}

std::vector<OptionRow> options_of(const CommandRow& command) {
  std::vector<OptionRow> all(command.options.begin(), command.options.end());
  for (const CommandRow& verb : command.verbs)
    for (const OptionRow& option : verb.options)
      if (std::ranges::find(all, option.name, &OptionRow::name) == all.end()) all.push_back(option);
  return all;
}

std::string command_help(const CommandRow& command) {
  const std::string full_name = fmt::format("holdfast {}", command.name);
  std::string out = fmt::format("{}: {}\n\n", full_name, command.summary);
  if (command.verbs.empty()) out += usage_line(full_name, command);
  for (const CommandRow& verb : command.verbs)
    out += usage_line(fmt::format("{} {}", full_name, verb.name), verb) + fmt::format("      {}\n", verb.summary);
  if (!command.description.empty()) out += '\n' + wrapped(command.description, kColumns);
  std::vector<std::pair<std::string, std::string_view>> rows;
  for (const OptionRow& option : options_of(command)) rows.emplace_back(head_of(option), option.help);
  if (!rows.empty()) out += "\nOptions:\n" + columns(rows);
  if (command.takes_flags) out += '\n' + config::flags_help();
  return out;
}

std::string overview_help(std::span<const CommandRow> commands) {
  std::vector<std::pair<std::string, std::string_view>> rows;
  for (const CommandRow& command : commands)
    rows.emplace_back(fmt::format("holdfast {}", command.name), command.summary);
  return "Commands:\n" + columns(rows) +
         "\"holdfast help COMMAND\" says more. Without one of these words it is the sidecar in daprd's place:\n"
         "holdfast --app-id ID ...\n\n" +
         config::flags_help();
}

}  // namespace holdfast::cli
