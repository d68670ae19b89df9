// The command line of Holdfast's tools as data: what help, the man page, shell completion and the readers of
// arguments all go by. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace holdfast::cli {

// What a shell may offer in a place.
enum class Completes : std::uint8_t { nothing, files, directories, words, commands };

struct OptionRow {
  std::string_view name;           // without its dashes
  std::string_view argument = "";  // what its value is called in help; empty: a switch
  std::string_view help = "";
  Completes completes = Completes::nothing;
  std::string_view words = "";  // with Completes::words: a blank between two
};

// Arguments as a command's row takes them apart.
struct ParsedArguments {
  bool help = false;               // --help or -h was among them; nothing else counts then
  std::vector<std::string> words;  // what is no option; a lone "-" and all that follows "--" are words
  std::vector<std::pair<std::string_view, std::string>> options;  // by the row's names, in order

  bool has(std::string_view name) const;
  // The last value given, or `fallback`.
  std::string value(std::string_view name, std::string_view fallback = "") const;
};

struct CommandRow {
  std::string_view name;
  std::string_view arguments = "";    // its words, for help: "STORE KEY [VALUE|-]"
  std::string_view summary = "";      // one line, which begins in lower case and has no full stop
  std::string_view description = "";  // more of it: paragraphs with an empty line between; a line that begins with two
                                      // blanks is an example
  std::span<const OptionRow> options = {};
  std::size_t words_min = 0;
  std::size_t words_max = 0;
  Completes completes = Completes::nothing;  // of its words
  std::string_view words = "";               // as of OptionRow
  std::span<const CommandRow> verbs = {};    // what its first word may be; it has no words of its own then
  bool takes_flags = false;                  // it takes every flag of the sidecar (config::flag_table)
  // The process's exit code. `run` is given arguments that fit the row, `run_raw` reads them itself; one of them.
  int (*run)(const ParsedArguments& arguments) = nullptr;
  int (*run_raw)(const std::vector<std::string>& arguments) = nullptr;
};

// Takes `arguments` apart: --name value, --name=value, switches. `full_name` is how messages call the command, such as
// "holdfast state get". Errc::invalid_argument: an option the row lacks, a value too few or too many, words outside
// the row's bounds.
Result<ParsedArguments> parse_arguments(const CommandRow& row, std::string_view full_name,
                                        std::span<const std::string> arguments);

// The row of that name; null when there is none.
const CommandRow* find_row(std::span<const CommandRow> rows, std::string_view name);

// The words of a list with a blank between two.
std::vector<std::string_view> split_words(std::string_view words);

}  // namespace holdfast::cli
