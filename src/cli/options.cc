#include "cli/options.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.h"
#include "config/nearest.h"

namespace holdfast::cli {
namespace {

std::unexpected<Error> refuse(std::string text) { return fail(Errc::invalid_argument, std::move(text)); }

const OptionRow* find_option(const CommandRow& row, std::string_view name) {
  for (const OptionRow& option : row.options)
    if (option.name == name) return &option;
  return nullptr;
}

std::unexpected<Error> refuse_option(const CommandRow& row, std::string_view full_name, std::string_view name) {
  std::vector<std::string_view> known;
  for (const OptionRow& option : row.options) known.push_back(option.name);
  const std::string meant = config::nearest(name, known);
  return refuse(fmt::format("\"{}\" has no option --{}{}", full_name, name,
                            meant.empty() ? "" : fmt::format("; did you mean --{}?", meant)));
}

Status check_words(const CommandRow& row, std::string_view full_name, const std::vector<std::string>& words) {
  if (words.size() < row.words_min) return refuse(fmt::format("\"{}\" needs {}", full_name, row.arguments));
  if (words.size() > row.words_max)
    return refuse(fmt::format("\"{}\" is one word too many for \"{}\"", words[row.words_max], full_name));
  return {};
}

}  // namespace

bool ParsedArguments::has(std::string_view name) const {
  return std::ranges::any_of(options, [&](const auto& option) { return option.first == name; });
}

std::string ParsedArguments::value(std::string_view name, std::string_view fallback) const {
  for (auto option = options.rbegin(); option != options.rend(); ++option)
    if (option->first == name) return option->second;
  return std::string(fallback);
}

Result<ParsedArguments> parse_arguments(const CommandRow& row, std::string_view full_name,
                                        std::span<const std::string> arguments) {
  ParsedArguments parsed;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--") {
      parsed.words.insert(parsed.words.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1, arguments.end());
      break;
    }
    if (argument == "-h" || argument == "--help") {
      parsed.help = true;
      return parsed;
    }
    if (!argument.starts_with("--")) {
      parsed.words.push_back(argument);
      continue;
    }
    const std::size_t equals = argument.find('=');
    const bool has_value = equals != std::string::npos;
    const std::string name = argument.substr(2, has_value ? equals - 2 : equals);
    const OptionRow* option = find_option(row, name);
    if (option == nullptr) return refuse_option(row, full_name, name);
    if (option->argument.empty() && has_value) return refuse(fmt::format("--{} takes no value", name));
    if (!option->argument.empty() && !has_value && i + 1 == arguments.size())
      return refuse(fmt::format("--{} needs a value", name));
    std::string value;
    if (has_value) {
      value = argument.substr(equals + 1);
    } else if (!option->argument.empty()) {
      value = arguments[++i];
    }
    parsed.options.emplace_back(option->name, std::move(value));
  }
  if (auto fits = check_words(row, full_name, parsed.words); !fits) return fail(fits.error());
  return parsed;
}

const CommandRow* find_row(std::span<const CommandRow> rows, std::string_view name) {
  const auto row = std::ranges::find(rows, name, &CommandRow::name);
  return row == rows.end() ? nullptr : &*row;
}

std::vector<std::string_view> split_words(std::string_view words) { return split(words, ' '); }

}  // namespace holdfast::cli
